"""Forward splatting: move an image's pixels to where a flow points. Backward warping is backward_warp.py.

The torch definition is here, for every device and for gradients; splat_cpu.py does the same much faster on a CPU.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from vsvfi.errors import OptionError, ShapeError

from . import splat_cpu

type Mode = Literal["sum", "average", "linear", "softmax"]
type Normalizer = Literal["addeps", "zeroeps", "clipeps"]

EPS = 1e-7


def splat(
    image: Tensor,
    flow: Tensor,
    metric: Tensor | None = None,
    *,
    mode: Mode = "average",
    normalizer: Normalizer = "zeroeps",
) -> Tensor:
    """Add each pixel to the four pixels around (x + u, y + v), by its nearness to each, and divide by the weight there.

    Convention: (u, v) in pixels, right and down; integers are pixel centres, (0, 0) top left. What falls outside is
    lost; a pixel whose target is not finite is left out. A pixel that nothing reaches is 0. Positions and sums are in
    float32 whatever the image's type. On a CPU the same input gives the same bytes, whatever the number of threads.

    Args:
        image: (N, C, H, W), floating, any memory format.
        flow: (N, 2, H, W), floating, u then v.
        metric: (N, 1, H, W) for the modes "linear" and "softmax", None for the others.
        mode: "sum": not divided; "average": every pixel counts alike; "linear": as much as its metric says;
            "softmax": exp(metric), which overflows above 88.
        normalizer: keeps the division finite, d the sum of weights: "addeps": d + 1e-7; "zeroeps": d, and 1 where it
            is exactly 0; "clipeps": at least 1e-7.

    Returns:
        (N, C, H, W) with the dtype and memory format of `image`.

    Raises:
        ShapeError: `flow` or `metric` differ from `image` in N, H or W, or have other channels.
        OptionError: a mode or normalizer that is none of these, or one that needs a metric and has none.

    Source: Niklaus and Liu, Softmax Splatting for Video Frame Interpolation, CVPR 2020, equations 1 to 8.
    """
    _check(image, flow, metric, mode, normalizer)
    weight = None if metric is None else (metric.exp() if mode == "softmax" else metric)
    rule = "none" if mode == "sum" else normalizer
    if image.device.type == "cpu" and not _wants_gradient(image, flow, weight):
        return splat_cpu.splat(image, flow, weight, rule)  # type: ignore[no-any-return]
    return definition(image, flow, weight, rule)


def definition(image: Tensor, flow: Tensor, weight: Tensor | None, normalizer: str) -> Tensor:
    """What splatting means; any device, differentiable.

    Args:
        image: as for `splat`.
        flow: as for `splat`.
        weight: (N, 1, H, W) by which pixels count, None: 1.
        normalizer: as for `splat`, or "none": do not divide.
    """
    ones = torch.ones_like(image[:, :1], dtype=torch.float32)
    weight = ones if weight is None else weight.to(torch.float32)
    weighted = image.to(torch.float32) * weight
    if normalizer == "none":
        return _formatted(_sum(weighted, flow), image)
    total = _sum(torch.cat([weighted, weight], 1), flow)
    return _formatted(total[:, :-1] / _divisor(total[:, -1:], normalizer), image)


def _sum(image: Tensor, flow: Tensor) -> Tensor:
    """The sums alone, (N, C, H, W) float32, on a canvas with a border of one pixel that is cut off at the end."""
    n, c, h, w = image.shape
    flow = flow.to(torch.float32)
    x = flow[:, 0] + torch.arange(w, dtype=torch.float32, device=flow.device)
    y = flow[:, 1] + torch.arange(h, dtype=torch.float32, device=flow.device)[:, None]
    # Asked while still a float: making an integer of a huge value or of NaN is undefined. At -1 exactly nothing is
    # added, but a step to the right would: the gradient knows.
    reaches = (x >= -1) & (x < w) & (y >= -1) & (y < h)
    x, y = (torch.where(reaches, position, 0.0) for position in (x, y))
    left, top = x.floor().detach(), y.floor().detach()
    a, b = (x - left)[:, None], (y - top)[:, None]
    width, outside = w + 2, (h + 2) * (w + 2)  # behind the canvas lies what reaches nothing
    cell = torch.where(reaches, (top.long() + 1) * width + left.long() + 1, outside)
    canvas = image.new_zeros(n, c, outside + width + 2)
    for step, share in ((0, (1 - a) * (1 - b)), (1, a * (1 - b)), (width, (1 - a) * b), (width + 1, a * b)):
        target = (cell + step).view(n, 1, -1).expand(n, c, -1)
        canvas = canvas.scatter_add(2, target, (image * share).reshape(n, c, -1))
    return canvas[..., :outside].view(n, c, h + 2, w + 2)[..., 1:-1, 1:-1]


def _divisor(total: Tensor, normalizer: str) -> Tensor:
    if normalizer == "addeps":
        return total + EPS
    if normalizer == "clipeps":
        return total.clamp(min=EPS)
    return torch.where(total == 0, 1.0, total)


def _formatted(result: Tensor, like: Tensor) -> Tensor:
    return result.to(like.dtype).contiguous(memory_format=splat_cpu.memory_format(like))


def _wants_gradient(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def _check(image: Tensor, flow: Tensor, metric: Tensor | None, mode: str, normalizer: str) -> None:
    n, _, h, w = image.shape
    if flow.shape != (n, 2, h, w):
        raise ShapeError(f"flow must be {(n, 2, h, w)} for this image, got {tuple(flow.shape)}")
    if metric is not None and metric.shape != (n, 1, h, w):
        raise ShapeError(f"metric must be {(n, 1, h, w)} for this image, got {tuple(metric.shape)}")
    for what, value, known in (("mode", mode, Mode), ("normalizer", normalizer, Normalizer)):
        if value not in get_args(known.__value__):
            raise OptionError(f"{what} must be one of {', '.join(get_args(known.__value__))}, got {value!r}")
    if (mode in ("linear", "softmax")) != (metric is not None):
        raise OptionError(f"mode {mode!r} {'takes no' if metric is not None else 'needs a'} metric")
