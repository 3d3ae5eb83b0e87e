"""Chroma planes from their own size to the picture's and back: a triangle filter, sited where the chroma lies.

The same filter as the core's resize.Bilinear: linear interpolation upwards, a triangle as wide as the ratio downwards,
mirrored at the edges.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_LEFT = {0, 2, 4}  # left, top left, bottom left: cosited horizontally
_TOP, _BOTTOM = {2, 3}, {4, 5}


def siting(chroma_location: int, log2: tuple[int, int]) -> tuple[float, float]:
    """Where chroma sample 0 lies, in luma samples (horizontally, vertically); H.273 figure 1.

    Args:
        chroma_location: `_ChromaLocation`.
        log2: chroma subsampling (horizontal, vertical).
    """
    middle_x, middle_y = (((1 << k) - 1) / 2 for k in log2)
    x = 0.0 if chroma_location in _LEFT else middle_x
    y = 0.0 if chroma_location in _TOP else 2 * middle_y if chroma_location in _BOTTOM else middle_y
    return x, y


def upsample(plane: Tensor, size: tuple[int, int], log2: tuple[int, int], chroma_location: int) -> Tensor:
    """(h, w) chroma to (height, width) of the luma plane."""
    x, y = siting(chroma_location, log2)
    plane = _resample(plane, 0, size[0], 1 / (1 << log2[1]), -y / (1 << log2[1]))
    return _resample(plane, 1, size[1], 1 / (1 << log2[0]), -x / (1 << log2[0]))


def downsample(plane: Tensor, size: tuple[int, int], log2: tuple[int, int], chroma_location: int) -> Tensor:
    """(height, width) at luma's size to (h, w)."""
    x, y = siting(chroma_location, log2)
    plane = _resample(plane, 1, size[1], float(1 << log2[0]), x)
    return _resample(plane, 0, size[0], float(1 << log2[1]), y)


def _resample(plane: Tensor, dim: int, size: int, step: float, start: float) -> Tensor:
    """Along `dim`: output i is the input around start + step * i."""
    if step == 1.0:
        return plane
    indices, weights = _taps(plane.shape[dim], size, step, start, plane.device)
    shape = (-1, 1) if dim == 0 else (1, -1)
    total = plane.index_select(dim, indices[0]).mul_(weights[0].view(shape))
    for index, weight in zip(indices[1:], weights[1:], strict=True):
        total.addcmul_(plane.index_select(dim, index), weight.view(shape))
    return total


@lru_cache(maxsize=64)
def _taps(length: int, size: int, step: float, start: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Indices (taps, size) into the input and their weights, normalised."""
    width = max(step, 1.0)
    center = start + step * torch.arange(size, dtype=torch.float64)
    first = torch.floor(center - width).long() + 1
    reach = int(2 * width) + 1
    index = first[None] + torch.arange(reach)[:, None]
    weight = (1 - (index - center).abs() / width).clamp_(min=0)
    weight /= weight.sum(0)
    used = weight.amax(1) > 0
    index, weight = index[used], weight[used]
    index = torch.where(index < 0, -1 - index, index)
    index = torch.where(index >= length, 2 * length - 1 - index, index).clamp_(0, length - 1)
    return index.to(device), weight.to(device, torch.float32)
