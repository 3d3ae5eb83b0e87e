"""Calls of every op that has a kernel, with random and hostile inputs: what the sanitizers watch."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from vsvfi.color import from_planes, to_planes
from vsvfi.frames.planes import ColorInfo, PlaneFormat, Planes
from vsvfi.ops import (
    backward_warp,
    bilinear_slope,
    correlation,
    lookup,
    scatter,
    scene_score,
    splat,
    splat_cuda,
    warp_blend,
)
from vsvfi.padding import Padding

from .test_warping import LAYOUTS, moves, rand

HOSTILE = (0.0, -1.0, 0.5, -0.5, 1e6, -3e9, 1e30, 3.4e38, -3.4e38, *map(float, ("inf", "-inf", "nan")))
TYPES = (torch.float32, torch.float16, torch.bfloat16)
SIZES = ((1, 1), (1, 7), (6, 1), (5, 9), (16, 17))


def flows(n: int, h: int, w: int) -> list[Tensor]:
    """A usual one, and one of all that a broken network may say."""
    hostile = torch.tensor(HOSTILE).repeat(-(-2 * n * h * w // len(HOSTILE)))[: 2 * n * h * w].view(n, 2, h, w)
    return [moves(n, h, w), hostile]


def run() -> None:
    """All of it."""
    for (h, w), dtype, layout in itertools.product(SIZES, TYPES, LAYOUTS):
        image = LAYOUTS[layout](rand(2, 8, h, w).to(dtype))
        for flow in flows(2, h, w):
            warp(image, flow)
            splats(image, flow)
            lookup.lookup_on_demand(image, [image, image[..., : h // 2 + 1, :]], flow, 2)
        for radius, stride in ((3, 1), (3, 2), (4, 1)):
            correlation.local_cost(image, image, radius, stride=stride)
    depths = (("int", 8), ("int", 16), ("float", 16), ("float", 32))
    for (sample, bits), dtype, log2 in itertools.product(depths, TYPES, ((0, 0), (1, 1), (2, 0))):
        for width, height in ((4, 2), (20, 6)):
            convert(PlaneFormat("YUV", sample, bits, log2, width, height), dtype)
        convert(PlaneFormat("RGB", sample, bits, (0, 0), 7, 5), dtype)
        gray = PlaneFormat("GRAY", sample, bits, (0, 0), 131, 77)
        scene_score.signature(Planes(gray, ColorInfo(1, False, 0), ((rand(77, 131) * gray.peak).to(gray.dtype),)))
        convert(PlaneFormat("GRAY", sample, bits, (0, 0), 1, 1), dtype)


def convert(format: PlaneFormat, dtype: torch.dtype) -> None:
    """Planes to a padded picture, and a crop of that back."""
    sizes = [format.plane_size(p) for p in range(format.num_planes)]
    planes = tuple((rand(h, w + 3) * format.peak).to(format.dtype)[:, :w] for h, w in sizes)
    color = ColorInfo(1, False, 0)
    padding = Padding(1, 2, 3, 4, "symmetric")
    picture = from_planes.from_planes(Planes(format, color, planes), dtype, padding)
    to_planes.to_planes(picture[..., 1:-3, 2:-4], format, color)
    scene_score.difference(Planes(format, color, planes), Planes(format, color, tuple(p.flip(0) for p in planes)))


def warp(image: Tensor, flow: Tensor) -> None:
    """Sampling, blending and slopes."""
    for border in (True, False):
        backward_warp.operator(image, flow, border)
        bilinear_slope.operator(image, image, flow, border)
    mask = flow[:, :1]
    for residual, logits in ((image, True), (None, False)):
        warp_blend.operator(image, image, flow, flow.flip(1), mask, residual, logits)


def splats(image: Tensor, flow: Tensor) -> None:
    """Every mode and sum; the metric is as hostile as the flow."""
    for mode, sums in itertools.product(("sum", "average", "linear", "softmax"), (torch.int64, torch.float32)):
        metric = flow[:, 1:] if mode in ("linear", "softmax") else None
        splat_cuda.splat(image, flow, metric, mode, "zeroeps", sums=sums)
    scatter.operator(image, flow, True)
    splat.operator(image, flow, None, "average", "clipeps")
