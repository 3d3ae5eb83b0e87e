"""Keeps what stands still on top of motion (subtitles, logos, HUDs) from being warped.

A pixel is protected where both neighbours agree on it and on most of the edges next to it, while what lies around
moves. There the in-between is the mixture of the two neighbours, which agree, feathered into the warped picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from .frames.planes import Planes

if TYPE_CHECKING:
    from .model import Image

# Brightness differences are in units of the whole range, sizes in pixels of a 720-line picture.
_AGREES, _DIFFERS = 5 / 255, 14 / 255  # compression moves a still edge by a few codes; motion moves it by tens
_CONTRAST = 48 / 255  # text is made to stand out
_STROKE = 9  # an edge lies at most this far from the middle of a stroke
_DENSE = 0.7  # share of agreeing pixels around: at 0.55 moving foliage was frozen in places
_AROUND = 61  # how far "around" reaches: two lines of subtitles
_ACTIVE = 0.10, 0.22  # share of disagreeing pixels around that means motion: none below, surely above


def protection(image0: Image, image1: Image) -> Tensor:
    """Where the pair is to be protected; once per pair.

    Args:
        image0: (1, 3, H, W) RGB in [0, 1], or planes.
        image1: the same kind and size.

    Returns:
        (1, 1, H, W) float32 in [0, 1] at the size of the first plane; 1 is protected.
    """
    first, second = _luma(image0), _luma(image1)
    unit = max(1.0, first.shape[-2] / 720)
    difference = (first - second).abs()
    agrees = ((_DIFFERS - difference) / (_DIFFERS - _AGREES)).clamp_(0, 1)
    moves = _box((difference > _DIFFERS).float(), _odd(_AROUND * unit))
    active = ((moves - _ACTIVE[0]) / (_ACTIVE[1] - _ACTIVE[0])).clamp_(0, 1)
    # Contrast of what agrees: an edge that moves has contrast too, but its pixels do not agree.
    stroke = _odd(_STROKE * unit)
    high = functional.max_pool2d(first * agrees, stroke, 1, stroke // 2)
    low = -functional.max_pool2d(-(first + (1 - agrees)), stroke, 1, stroke // 2)
    stands_out = ((high - low - _CONTRAST / 2) / (_CONTRAST / 2)).clamp_(0, 1)
    dense = ((_box(agrees, 5) - _DENSE) / 0.2).clamp_(0, 1)
    core = agrees * active * stands_out * dense
    # Grown by a pixel over antialiased rims, then feathered; never where the neighbours plainly differ.
    grown = functional.max_pool2d(core, 3, 1, 1)
    return _box(grown, 3) * (difference < 2 * _DIFFERS)


def apply(made: Image, image0: Image, image1: Image, mask: Tensor, t: float) -> Image:
    """`made` with the mixture (1 - t) * image0 + t * image1 where `mask` says so.

    Args:
        made: the in-between frame at t, of the kind and format of its neighbours.
        image0: earlier neighbour.
        image1: later neighbour.
        mask: from `protection`.
        t: 0 < t < 1.

    Returns:
        A new image of the same kind; integer planes are rounded to nearest.
    """
    if isinstance(made, Planes):
        assert isinstance(image0, Planes), "an image and its neighbours are of one kind"
        assert isinstance(image1, Planes), "an image and its neighbours are of one kind"
        data = tuple(_mixed(p, made, image0, image1, mask, t) for p in range(made.format.num_planes))
        return Planes(made.format, made.color, data)
    assert isinstance(image0, Tensor), "an image and its neighbours are of one kind"
    assert isinstance(image1, Tensor), "an image and its neighbours are of one kind"
    return torch.lerp(made, torch.lerp(image0, image1, t), mask.to(made.dtype))


def _mixed(plane: int, made: Planes, image0: Planes, image1: Planes, mask: Tensor, t: float) -> Tensor:
    own, first, second = (i.data[plane].to(torch.float32) for i in (made, image0, image1))
    size = (own.shape[0], own.shape[1])
    weight = mask if size == mask.shape[-2:] else functional.adaptive_avg_pool2d(mask, size)
    value = torch.lerp(own, torch.lerp(first, second, t), weight[0, 0])
    if made.format.sample == "int":
        value = value.round_().clamp_(0, made.format.peak)
    return value.to(made.format.dtype)


def _luma(image: Image) -> Tensor:
    """(1, 1, H, W) float32 brightness in about [0, 1]."""
    if isinstance(image, Tensor):
        return image.to(torch.float32).mean(1, keepdim=True)
    peak = image.format.peak
    if image.format.family == "RGB":
        return torch.stack([p.to(torch.float32) for p in image.data]).mean(0)[None, None] / peak
    return image.data[0].to(torch.float32)[None, None] / peak


def _box(x: Tensor, size: int) -> Tensor:
    """Mean over size x size around each pixel, as two passes; outside counts for nothing."""
    half = size // 2
    x = functional.avg_pool2d(x, (size, 1), 1, (half, 0), count_include_pad=False)
    return functional.avg_pool2d(x, (1, size), 1, (0, half), count_include_pad=False)


def _odd(size: float) -> int:
    return int(size) // 2 * 2 + 1
