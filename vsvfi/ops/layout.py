"""Which memory format a result takes: that of what it is made from."""

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
