"""Looking up correlations that nobody has computed yet; correlation.py has the volume of all pairs."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

from vsvfi.errors import ShapeError

from . import kernels
from .layout import gradients_wanted

_CHUNK = 1 << 24
"""Numbers gathered at a time by a lookup on demand: 64 MB in single precision."""

_FAR = 1e6
"""Pixels: beyond it a coordinate is as far outside as any."""


def pooled(features1: Tensor, levels: int = 4) -> list[Tensor]:
    """Frame 1 for `lookup_on_demand`: itself and its means over 2x2 places, an odd last row or column dropped.

    Pooling the features is pooling the volume: both are linear.

    Args:
        features1: (N, C, H, W), sides from 2^(levels - 1).
        levels: from 1.

    Raises:
        ShapeError: no place is left on the last level.
    """
    if min(features1.shape[-2:]) < 1 << (levels - 1):
        raise ShapeError(f"features must have sides of at least {1 << (levels - 1)}, got {tuple(features1.shape)}")
    pyramid = [features1]
    for _ in range(levels - 1):
        pyramid.append(functional.avg_pool2d(pyramid[-1], 2))
    return pyramid


def lookup_on_demand(features0: Tensor, pyramid1: list[Tensor], coordinates: Tensor, radius: int = 4) -> Tensor:
    """correlation.lookup in all_pairs of the same features, without the volume: what is looked up is correlated then.

    The volume of a 1920x1088 picture at 1/8 takes 5.7 GB; this takes the result and (2r + 2)^2 numbers a place.

    Args:
        features0: (N, C, H, W), floating.
        pyramid1: from `pooled`, of features of frame 1.
        coordinates: (N, 2, H, W), X then Y, pixels of frame 1 on level 0; one that is not finite finds 0.
        radius: r, from 0.

    Returns:
        (N, levels (2r + 1)^2, H, W) with the dtype of the features; channels as those of `lookup`.

    Raises:
        ShapeError: features or coordinates differ in N, C, H or W.

    Source: Teed and Deng, RAFT, ECCV 2020, section 3.2. Kernel: cuda/lookup.cu.
    """
    n, c, h, w = features0.shape
    if coordinates.shape != (n, 2, h, w):
        raise ShapeError(f"coordinates must be {(n, 2, h, w)} for these features, got {tuple(coordinates.shape)}")
    if any(level.shape[:2] != (n, c) for level in pyramid1):
        raise ShapeError(f"levels must have N and C {(n, c)}, got {[tuple(level.shape) for level in pyramid1]}")
    centres = coordinates.to(torch.float32)
    if kernels.usable(features0, centres, *pyramid1) and not gradients_wanted(features0, *pyramid1):
        return operator(features0, pyramid1, centres, radius)  # type: ignore[no-any-return]
    return definition(features0, pyramid1, centres, radius)


def definition(features0: Tensor, pyramid1: list[Tensor], coordinates: Tensor, radius: int) -> Tensor:
    """What a lookup on demand means; any device, differentiable by the features."""
    n, c, h, w = features0.shape
    span, rows = 2 * radius + 2, max(1, _CHUNK // ((2 * radius + 2) ** 2 * c * w))
    found = []
    for k, level in enumerate(pyramid1):
        whole, part = _whole_and_part(coordinates / (1 << k))
        steps = torch.arange(-radius, radius + 2, device=coordinates.device)
        place = level.permute(0, 2, 3, 1).reshape(n, -1, c)
        height, width = level.shape[-2:]
        chunks = []
        for top in range(0, h, rows):
            x, y = (each[:, top : top + rows, :, None] + steps for each in whole)
            inside = ((y >= 0) & (y < height))[..., :, None] & ((x >= 0) & (x < width))[..., None, :]
            index = y.clamp(0, height - 1)[..., :, None] * width + x.clamp(0, width - 1)[..., None, :]
            theirs = torch.stack([each[i.flatten()] for each, i in zip(place, index, strict=True)])
            own = features0[:, :, top : top + rows].permute(0, 2, 3, 1).reshape(n, -1, c, 1)
            products = (theirs.view(n, -1, span * span, c) @ own)[..., 0].view(index.shape) * inside
            a, b = (each[:, top : top + rows, :, None, None].to(products.dtype) for each in part)
            across = (1 - a) * products[..., :-1] + a * products[..., 1:]
            chunks.append((1 - b) * across[..., :-1, :] + b * across[..., 1:, :])
        # The slow index moves along x.
        found.append(torch.cat(chunks, 1).transpose(-1, -2).reshape(n, h, w, -1) / math.sqrt(c))
    return torch.cat(found, -1).permute(0, 3, 1, 2).contiguous()


def _whole_and_part(position: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Of x and of y: the whole pixel below, and the rest; far outside, or no number, is one pixel far outside."""
    near = position.abs() <= _FAR
    position = torch.where(near, position, -_FAR)
    whole = position.floor()
    part = position - whole
    return (whole[:, 0].long(), whole[:, 1].long()), (part[:, 0], part[:, 1])


@torch.library.custom_op("vsvfi::lookup", mutates_args=())
def operator(features0: Tensor, pyramid1: list[Tensor], coordinates: Tensor, radius: int) -> Tensor:
    """As the definition, without gradients, on its kernels where there are some."""
    n, c, h, w = features0.shape
    window, span = 2 * radius + 1, 2 * radius + 2
    out = features0.new_empty(n, len(pyramid1) * window**2, h, w)
    if not kernels.usable(features0, coordinates, *pyramid1):
        return out.copy_(definition(features0, pyramid1, coordinates, radius))
    products = torch.empty(n, h, w, span, span, device=features0.device)
    index = kernels.index_type(features0, *pyramid1, coordinates, out, products, count=products.numel())
    kind, place = kernels.TYPES[features0.dtype], kernels.strides(coordinates, index)
    for k, level in enumerate(pyramid1):
        packed = str(kernels.in_packs(features0) and kernels.in_packs(level)).lower()
        sizes = kernels.indices((n, c, h, w, *level.shape[-2:]), index)
        layout = [*kernels.strides(features0, index), *kernels.strides(level, index), *place]
        [reach] = kernels.indices([radius], index)
        scale = np.float32(0.5**k)
        name = f"lookup_products<{kind}, {index}, {packed}>"
        rest = (*sizes, *layout, reach, scale, np.float32(1 / math.sqrt(c)))
        kernels.launch("lookup", name, products.numel(), features0, level, coordinates, products, *rest)
        made = out[:, k * window**2 : (k + 1) * window**2]
        rest = (*kernels.indices((n, h, w), index), *place, *kernels.strides(made, index), reach, scale)
        kernels.launch("lookup", f"lookup<{kind}, {index}>", made.numel(), products, coordinates, made, *rest)
    return out


@operator.register_fake
def _(features0: Tensor, pyramid1: list[Tensor], coordinates: Tensor, radius: int) -> Tensor:
    n, _, h, w = features0.shape
    return features0.new_empty(n, len(pyramid1) * (2 * radius + 1) ** 2, h, w)


@register_flop_formula(torch.ops.vsvfi.lookup)
def _lookup_flops(shape0: tuple[int, ...], shapes1: list[tuple[int, ...]], _: object, radius: int, **__: object) -> int:
    n, c, h, w = shape0
    return 2 * n * c * h * w * (2 * radius + 2) ** 2 * len(shapes1)
