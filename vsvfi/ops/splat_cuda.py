"""Splatting on a CUDA device: launches the four kernels of cuda/splat.cu, whose text says how. splat.py defines it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from . import kernels
from .layout import empty_like

_WEIGHING = {"sum": 0, "average": 0, "linear": 1, "softmax": 2}
_RULES = {"addeps": 1, "zeroeps": 2, "clipeps": 3}
_MOST = 1 << 28
"""Bytes of sums at a time: 8 for every sample would be gigabytes for the features of a large frame, so channels go in
groups, each with the weight beside it."""


def splat(
    image: Tensor,
    flow: Tensor,
    metric: Tensor | None,
    mode: str,
    normalizer: str,
    *,
    border: bool = False,
    sums: torch.dtype = torch.int64,
) -> Tensor:
    """As splat.splat, without gradients and checks.

    Args:
        image: (N, C, H, W), float32, float16 or bfloat16, any strides.
        flow: (N, 2, H, W).
        metric: (N, 1, H, W) or None.
        mode: of splat.splat.
        normalizer: of splat.splat.
        border: move targets outside the frame to its nearest pixel.
        sums: torch.int64: the same bits in every run; torch.float32: floats, for comparing speed.
    """
    n, c, h, w = image.shape
    out = empty_like(image)
    if out.numel() == 0:
        return out
    flow = flow.to(torch.float32)
    metric = None if metric is None else metric.to(torch.float32)
    weighing, rule = _WEIGHING[mode], 0 if mode == "sum" else _RULES[normalizer]
    group = max(1, _MOST // (8 * n * h * w) - 1)
    index = kernels.index_type(image, flow, metric, out, count=n * h * w * (min(group, c) + 1))
    kind, place = kernels.TYPES[image.dtype], "int64" if sums == torch.int64 else "float"
    sizes, moves = kernels.indices((n, c, h, w), index), kernels.strides(flow, index)
    weights = kernels.strides(metric, index)
    log2_pixels = np.int32((h * w - 1).bit_length())

    bound = torch.full((1,), 0.0 if mode == "linear" else 1.0, device=image.device).view(torch.int32)
    rest = (*sizes, *kernels.strides(image, index), *weights, np.int32(weighing))
    kernels.launch("splat", f"splat_bound<{kind}, {index}>", n * h * w, image, metric, bound, *rest)
    top = None
    if mode == "softmax":
        top = torch.zeros(n, h, w, dtype=torch.int32, device=image.device)
        rest = (sizes[0], *sizes[2:], *moves, *weights)
        kernels.launch("splat", f"splat_top<{index}>", n * h * w, flow, metric, top, *rest)
    for first in range(0, c, group):
        part, made = image[:, first : first + group], out[:, first : first + group]
        sizes = kernels.indices(part.shape, index)
        channels = part.shape[1] + (rule != 0)
        total = torch.zeros(n, h, w, channels, dtype=sums, device=image.device)
        [each] = kernels.indices([channels], index)
        rest = (*sizes, *kernels.strides(part, index), *moves, *weights, each, np.int32(weighing), log2_pixels)
        name = f"splat<{kind}, {index}, {place}, {str(border).lower()}>"
        kernels.launch("splat", name, total.numel(), part, flow, metric, bound, top, total, *rest)
        last = np.int32(made.stride(1) == 1)
        rest = (*sizes, *kernels.strides(made, index), each, np.int32(rule), log2_pixels, last)
        name = f"splat_finish<{kind}, {index}, {place}>"
        kernels.launch("splat", name, made.numel(), total, bound, top, made, *rest)
    return out
