"""Backward warping: read an image where a flow points. Forward warping is splat.py."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from vsvfi.errors import ShapeError

from . import bilinear_slope, kernels, scatter
from .bilinear_slope import positions
from .layout import empty_like, memory_format

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

    Source: Jaderberg et al., Spatial Transformer Networks, 2015, eq. 5. Kernel: cuda/backward_warp.cu.
    """
    n, _, h, w = image.shape
    if flow.shape != (n, 2, h, w):
        raise ShapeError(f"flow must be {(n, 2, h, w)} for this image, got {tuple(flow.shape)}")
    if kernels.usable(image, flow):
        return operator(image, flow, padding == "border")  # type: ignore[no-any-return]
    return definition(image, flow, padding == "border")


def definition(image: Tensor, flow: Tensor, border: bool) -> Tensor:
    """What backward warping means; any device, differentiable. Float64 stays float64."""
    _, _, h, w = image.shape
    kind = torch.float64 if torch.float64 in (image.dtype, flow.dtype) else torch.float32
    x, y = positions(flow.to(kind))
    # Bounded, so that huge positions cannot overflow where they are made integers.
    grid = torch.stack([_unit(x, w, border), _unit(y, h, border)], -1)
    padding = "border" if border else "zeros"
    sampled = functional.grid_sample(image.to(kind), grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return sampled.to(image.dtype).contiguous(memory_format=memory_format(image))


@torch.library.custom_op("vsvfi::backward_warp", mutates_args=())
def operator(image: Tensor, flow: Tensor, border: bool) -> Tensor:
    """As `definition`, on its kernel where there is one; an operator of its own, so that traces keep it whole."""
    if not kernels.usable(image, flow):
        return definition(image, flow, border)
    flow = flow if flow.dtype in (image.dtype, torch.float32) else flow.to(torch.float32)
    out = empty_like(image)
    n, c, h, w = image.shape
    index = kernels.index_type(image, flow, out, count=out.numel())
    kinds = f"{kernels.TYPES[image.dtype]}, {kernels.TYPES[flow.dtype]}, {index}, {str(border).lower()}"
    pack = 16 // image.element_size()
    packed = kernels.in_packs(image) and kernels.in_packs(out)
    name, count = ("backward_warp_packed", n * h * w * c // pack) if packed else ("backward_warp", n * h * w)
    layout = [number for tensor in (image, flow, out) for number in kernels.strides(tensor, index)]
    sizes = kernels.indices((n, c, h, w), index)
    kernels.launch("backward_warp", f"{name}<{kinds}>", count, image, flow, out, *sizes, *layout)
    return out


@operator.register_fake
def _(image: Tensor, flow: Tensor, border: bool) -> Tensor:
    return empty_like(image)


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor, bool], output: Tensor) -> None:
    image, flow, ctx.border = inputs
    ctx.save_for_backward(image, flow)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    image, flow = ctx.saved_tensors
    for_image, for_flow, _ = ctx.needs_input_grad
    by_image = scatter.operator(grad, flow, ctx.border).to(image.dtype) if for_image else None
    by_flow = bilinear_slope.operator(grad, image, flow, ctx.border).to(flow.dtype) if for_flow else None
    return by_image, by_flow, None


operator.register_autograd(_backward, setup_context=_keep)


def _unit(position: Tensor, size: int, border: bool) -> Tensor:
    """Pixels to grid_sample's coordinates with align_corners=False, which know no division by size - 1."""
    if border:
        position = position.nan_to_num(0.0, float(size), -1.0).clamp(0.0, size - 1.0)
    else:
        position = torch.where(position.isfinite(), position, _OUTSIDE).clamp(_OUTSIDE, size + 3.0)
    return position.mul(2.0 / size).add(1.0 / size - 1.0)
