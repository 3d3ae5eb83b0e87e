"""Backward warping: read an image where a flow points. Forward warping is splat.py."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from vsvfi.errors import ShapeError

_OUTSIDE = -4.0  # a position whose four neighbours all lie outside


def backward_warp(image: Tensor, flow: Tensor, *, padding: Literal["zeros", "border"] = "border") -> Tensor:
    """Sample `image` where `flow` points: out(y, x) = image(y + v, x + u), bilinear.

    Convention: (u, v) in pixels, right and down; integers are pixel centres, (0, 0) top left. Beyond the edge:
    `padding`. Positions are computed in float32 whatever the image's type: in half precision they would be off by
    up to 0.25 px at 1920 pixels and 0.9 px at 3840.

    Args:
        image: (N, C, H, W), floating, any memory format, any H and W from 1.
        flow: (N, 2, H, W), floating, u then v.
        padding: "border": the nearest pixel of the frame; "zeros": pixels outside count as 0, so that values fade out
            over one pixel. A position that is not a number reads at 0 (border), one that is not finite gives 0 (zeros).

    Returns:
        (N, C, H, W) with the dtype and memory format of `image`.

    Raises:
        ShapeError: `flow` differs from `image` in N, H or W, or has not two channels.

    Source: Jaderberg et al., Spatial Transformer Networks, 2015, eq. 5.
    """
    n, _, h, w = image.shape
    if flow.shape != (n, 2, h, w):
        raise ShapeError(f"flow must be {(n, 2, h, w)} for this image, got {tuple(flow.shape)}")
    flow = flow.to(torch.float32)
    x = flow[:, 0] + torch.arange(w, dtype=torch.float32, device=flow.device)
    y = flow[:, 1] + torch.arange(h, dtype=torch.float32, device=flow.device)[:, None]
    # Bounded, so that huge positions cannot overflow where they are made integers.
    grid = torch.stack([_unit(x, w, padding), _unit(y, h, padding)], -1)
    sampled = functional.grid_sample(
        image.to(torch.float32), grid, mode="bilinear", padding_mode=padding, align_corners=False
    )
    out = sampled.to(image.dtype)
    return out.contiguous(memory_format=torch.channels_last) if _is_channels_last(image) else out


def _unit(position: Tensor, size: int, padding: str) -> Tensor:
    """Pixels to grid_sample's coordinates with align_corners=False, which know no division by size - 1."""
    if padding == "zeros":
        position = torch.where(position.isfinite(), position, _OUTSIDE).clamp(_OUTSIDE, size + 3.0)
    else:
        position = position.nan_to_num(0.0, float(size), -1.0).clamp(0.0, size - 1.0)
    return position.mul(2.0 / size).add(1.0 / size - 1.0)


def _is_channels_last(image: Tensor) -> bool:
    return image.is_contiguous(memory_format=torch.channels_last) and not image.is_contiguous()
