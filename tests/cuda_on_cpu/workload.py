"""Calls of every op that has a kernel, with random and hostile inputs: what the sanitizers watch."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from vsvfi.ops import backward_warp, bilinear_slope, correlation, scatter, splat, splat_cuda, warp_blend

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
        for radius, stride in ((3, 1), (3, 2), (4, 1)):
            correlation.local_cost(image, image, radius, stride=stride)


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
