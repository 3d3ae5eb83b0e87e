"""Ordered dither: the rounding threshold depends on the position alone.

So an area that stands still is rounded the same way in every frame and cannot shimmer, a frame can be made again in
any order, and a value that is a code already stays that code. Bayer's matrix of 8x8: its period is below what one
sees at a code value's step. Source: Bayer, An optimum method for two-level rendition of continuous-tone pictures, 1973.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_SIDE = 8


@lru_cache(maxsize=16)
def offsets(height: int, width: int, device: torch.device) -> Tensor:
    """(height, width) offsets in (-0.5, 0.5), mean 0, to be added before rounding."""
    matrix = torch.zeros(1, 1, dtype=torch.float64)
    while matrix.shape[0] < _SIDE:
        matrix = torch.cat([torch.cat([4 * matrix, 4 * matrix + 2], 1), torch.cat([4 * matrix + 3, 4 * matrix + 1], 1)])
    tile = ((matrix + 0.5) / _SIDE**2 - 0.5).to(device, torch.float32)
    return tile.repeat(-(-height // _SIDE), -(-width // _SIDE))[:height, :width].contiguous()
