"""The sums of a splat alone: the transpose of sampling, so also the gradient of a warp by its image."""

from __future__ import annotations

import torch
from torch import Tensor

from . import kernels, splat_cuda
from .bilinear_slope import common_type, positions


@torch.library.custom_op("vsvfi::scatter", mutates_args=())
def operator(image: Tensor, flow: Tensor, border: bool) -> Tensor:
    """The sums of a splat; with `border` targets outside are moved to the nearest pixel of the frame.

    On CUDA in fixed point (cuda/splat.cu): the same bits in every run.

    Args:
        image: (N, C, H, W), floating.
        flow: (N, 2, H, W), floating, u then v, pixels.
        border: as it was where the transpose sampled.

    Returns:
        (N, C, H, W) contiguous, float32 (float64 if any argument is).
    """
    if kernels.usable(image, flow):
        return splat_cuda.splat(image.to(torch.float32).contiguous(), flow, None, "sum", "zeroeps", border=border)
    kind = common_type(image, flow)
    flow = flow.to(kind)
    if border:
        h, w = flow.shape[-2:]
        targets = (at.nan_to_num(0.0).clamp(0, side - 1) for at, side in zip(positions(flow), (w, h), strict=True))
        flow = torch.stack(list(targets), 1) - torch.stack(positions(torch.zeros_like(flow)), 1)
    return sums(image.to(kind), flow).contiguous()


@operator.register_fake
def _(image: Tensor, flow: Tensor, border: bool) -> Tensor:
    return torch.empty(image.shape, dtype=common_type(image, flow), device=image.device)


def sums(image: Tensor, flow: Tensor) -> Tensor:
    """The sums alone, (N, C, H, W) float32 or float64 as `image`, differentiable.

    On a canvas with a border of one pixel that is cut off at the end.
    """
    n, c, h, w = image.shape
    x, y = positions(flow.to(image.dtype))
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
