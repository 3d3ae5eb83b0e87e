"""What a result takes from what it is made of: memory format, and whether gradients are wanted."""

from __future__ import annotations

import torch
from torch import Tensor


def memory_format(image: Tensor) -> torch.memory_format:
    """channels_last if the image is so, else planes."""
    last = image.is_contiguous(memory_format=torch.channels_last) and not image.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def empty_like(image: Tensor) -> Tensor:
    """Of the image's shape, type and memory format, dense also where the image is a crop."""
    return torch.empty_like(image, memory_format=memory_format(image))


def gradients_wanted(*tensors: Tensor | None) -> bool:
    """Whether what is made of these must be differentiable."""
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)
