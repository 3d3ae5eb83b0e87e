"""Forward splatting: move an image's pixels to where a flow points. Backward warping is backward_warp.py.

The torch definition is here, for every device and for gradients; splat_cpu.py and splat_cuda.py do the same faster.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from vsvfi.errors import OptionError, ShapeError

from . import backward_warp, bilinear_slope, kernels, scatter, splat_cpu, splat_cuda
from .layout import empty_like, gradients_wanted, memory_format

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
    if gradients_wanted(image, flow, metric):
        return definition(image, flow, metric, mode, normalizer)
    return operator(image, flow, metric, mode, normalizer)  # type: ignore[no-any-return]


@torch.library.custom_op("vsvfi::splat", mutates_args=())
def operator(image: Tensor, flow: Tensor, metric: Tensor | None, mode: str, normalizer: str) -> Tensor:
    """As `definition`, without gradients, and faster; an operator of its own, so that traces keep it whole."""
    if kernels.usable(image, flow):
        return splat_cuda.splat(image, flow, metric, mode, normalizer)
    if image.device.type == "cpu":
        return splat_cpu.splat(image, flow, _weight(metric, mode), "none" if mode == "sum" else normalizer)
    return definition(image, flow, metric, mode, normalizer)


@operator.register_fake
def _(image: Tensor, flow: Tensor, metric: Tensor | None, mode: str, normalizer: str) -> Tensor:
    return empty_like(image)


def definition(image: Tensor, flow: Tensor, metric: Tensor | None, mode: str, normalizer: str) -> Tensor:
    """What splatting means; any device, differentiable. Float64 stays float64. Arguments as for `splat`."""
    kind = torch.float64 if image.dtype == torch.float64 else torch.float32
    weight = _weight(metric, mode)
    weight = torch.ones_like(image[:, :1], dtype=kind) if weight is None else weight.to(kind)
    weighted = image.to(kind) * weight
    if mode == "sum":
        return _formatted(_scattered(weighted, flow), image)
    total = _scattered(torch.cat([weighted, weight], 1), flow)
    return _formatted(total[:, :-1] / _divisor(total[:, -1:], normalizer), image)


def _scattered(image: Tensor, flow: Tensor) -> Tensor:
    """The sums, differentiable: through the kernels' own gradients where there are kernels."""
    if kernels.usable(image, flow):
        return summed(image, flow)  # type: ignore[no-any-return]
    return scatter.sums(image, flow)


@torch.library.custom_op("vsvfi::splat_sum", mutates_args=())
def summed(image: Tensor, flow: Tensor) -> Tensor:
    """The sums alone, with gradients of their own."""
    return scatter.operator(image, flow, False)  # type: ignore[no-any-return]


@summed.register_fake
def _(image: Tensor, flow: Tensor) -> Tensor:
    return torch.empty(image.shape, dtype=image.dtype, device=image.device)


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
    image, flow = ctx.saved_tensors
    for_image, for_flow = ctx.needs_input_grad
    by_image = backward_warp.operator(grad, flow, False).to(image.dtype) if for_image else None
    by_flow = bilinear_slope.operator(image, grad, flow, False).to(flow.dtype) if for_flow else None
    return by_image, by_flow


summed.register_autograd(_backward, setup_context=_keep)


def _weight(metric: Tensor | None, mode: str) -> Tensor | None:
    return metric.exp() if metric is not None and mode == "softmax" else metric


def _divisor(total: Tensor, normalizer: str) -> Tensor:
    if normalizer == "addeps":
        return total + EPS
    if normalizer == "clipeps":
        return total.clamp(min=EPS)
    return torch.where(total == 0, 1.0, total)


def _formatted(result: Tensor, like: Tensor) -> Tensor:
    return result.to(like.dtype).contiguous(memory_format=memory_format(like))


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
