"""The gradient by the flow of whatever samples or splats bilinearly: of both it is the same sum of slopes."""

from __future__ import annotations

import torch
from torch import Tensor

from . import kernels


def positions(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Where a flow (N, 2, H, W) points: x and y, (N, H, W) in pixels, in the flow's type."""
    h, w = flow.shape[-2:]
    x = flow[:, 0] + torch.arange(w, dtype=flow.dtype, device=flow.device)
    y = flow[:, 1] + torch.arange(h, dtype=flow.dtype, device=flow.device)[:, None]
    return x, y


@torch.library.custom_op("vsvfi::slope", mutates_args=())
def operator(outer: Tensor, inner: Tensor, flow: Tensor, border: bool) -> Tensor:
    """The gradient by the flow: sum over channels of `outer` times the slope of `inner`, bilinear, where flow points.

    At whole pixels the slope is that of the cell to the right and below. Kernel: cuda/bilinear_slope.cu.

    Args:
        outer: (N, C, H, W), floating: of a warp the gradient, of a splat the image.
        inner: (N, C, H, W): of a warp the image, of a splat the gradient.
        flow: (N, 2, H, W), u then v, pixels.
        border: whether positions were clamped to the frame: there the slope is 0. Else pixels outside count as 0.

    Returns:
        (N, 2, H, W) contiguous, float32 (float64 if any argument is).

    Source: Niklaus and Liu, Softmax Splatting for Video Frame Interpolation, CVPR 2020, appendix.
    """
    kind = common_type(outer, inner, flow)
    outer, inner, flow = (tensor.to(kind) for tensor in (outer, inner, flow))
    if not kernels.usable(outer, inner, flow):
        return _slope(outer, inner, flow, border)
    out = torch.empty(flow.shape, dtype=kind, device=flow.device)
    n, c, h, w = inner.shape
    index = kernels.index_type(outer, inner, flow, count=n * h * w)
    layout = [number for tensor in (outer, inner, flow, out) for number in kernels.strides(tensor, index)]
    name = f"bilinear_slope<{index}, {str(border).lower()}>"
    sizes = kernels.indices((n, c, h, w), index)
    kernels.launch("bilinear_slope", name, n * h * w, outer, inner, flow, out, *sizes, *layout)
    return out


@operator.register_fake
def _(outer: Tensor, inner: Tensor, flow: Tensor, border: bool) -> Tensor:
    return torch.empty(flow.shape, dtype=common_type(outer, inner, flow), device=flow.device)


def _slope(outer: Tensor, inner: Tensor, flow: Tensor, border: bool) -> Tensor:
    n, c, h, w = inner.shape
    x, y = positions(flow)
    if border:
        moves_x, moves_y = (x >= 0) & (x <= w - 1), (y >= 0) & (y <= h - 1)
        x, y = x.nan_to_num(0.0, w - 1.0, 0.0).clamp(0, w - 1), y.nan_to_num(0.0, h - 1.0, 0.0).clamp(0, h - 1)
    else:
        moves_x = moves_y = (x >= -1) & (x < w) & (y >= -1) & (y < h)
        x, y = (torch.where(moves_x, position, 0.0) for position in (x, y))
    left, top = x.floor(), y.floor()
    a, b = (x - left)[:, None], (y - top)[:, None]

    def tap(down: int, right: int) -> Tensor:
        i, j = top.long() + down, left.long() + right
        place = i.clamp(0, h - 1) * w + j.clamp(0, w - 1)
        values = inner.flatten(2).gather(2, place.view(n, 1, -1).expand(n, c, -1)).view(n, c, h, w)
        counts = (i >= 0) & (i < h) & (j >= 0) & (j < w)
        return values if border else values * counts[:, None]

    nw, ne, sw, se = tap(0, 0), tap(0, 1), tap(1, 0), tap(1, 1)
    along_x = (outer * ((1 - b) * (ne - nw) + b * (se - sw))).sum(1) * moves_x
    along_y = (outer * ((1 - a) * (sw - nw) + a * (se - ne))).sum(1) * moves_y
    return torch.stack([along_x, along_y], 1)


def common_type(*tensors: Tensor) -> torch.dtype:
    """What gradients are computed in: float32, or float64 if a tensor is."""
    return torch.float64 if any(tensor.dtype == torch.float64 for tensor in tensors) else torch.float32
