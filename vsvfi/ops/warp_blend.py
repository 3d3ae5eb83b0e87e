"""The end of a network that warps backward: both frames sampled, blended, corrected, limited, in one pass."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vsvfi.errors import ShapeError

from . import backward_warp, kernels
from .layout import empty_like, gradients_wanted


def warp_blend(
    image0: Tensor,
    image1: Tensor,
    flow_t0: Tensor,
    flow_t1: Tensor,
    mask: Tensor,
    residual: Tensor | None = None,
    *,
    logits: bool = False,
) -> Tensor:
    """clamp(m W(image0, flow_t0) + (1 - m) W(image1, flow_t1) + residual, 0, 1), W backward_warp with its border.

    Where gradients are wanted it is done in steps.

    Args:
        image0: (N, C, H, W), floating, any strides.
        image1: the same shape and dtype.
        flow_t0: (N, 2, H, W), floating, u then v, pixels: where the result looks back into image0.
        flow_t1: the same into image1.
        mask: (N, 1, H, W): the share of image0; with `logits` its sigmoid is.
        residual: (N, C, H, W), or None.
        logits: whether `mask` holds logits.

    Returns:
        (N, C, H, W) with the dtype and memory format of `image0`.

    Raises:
        ShapeError: an argument's shape is not as above.

    Source: Kong et al., IFRNet, CVPR 2022, equations 2 and 3. Kernel: cuda/warp_blend.cu.
    """
    tensors = image0, image1, flow_t0, flow_t1, mask, residual
    _check(*tensors)
    if gradients_wanted(*tensors):
        warped0 = backward_warp.backward_warp(image0, flow_t0)
        return _blended(warped0, backward_warp.backward_warp(image1, flow_t1), mask, residual, logits)
    return operator(image0, image1, flow_t0, flow_t1, mask, residual, logits)  # type: ignore[no-any-return]


def definition(
    image0: Tensor,
    image1: Tensor,
    flow_t0: Tensor,
    flow_t1: Tensor,
    mask: Tensor,
    residual: Tensor | None,
    logits: bool,
) -> Tensor:
    """What it means, on any device."""
    warped0, warped1 = (backward_warp.definition(*each, True) for each in ((image0, flow_t0), (image1, flow_t1)))
    return _blended(warped0, warped1, mask, residual, logits)


def _blended(warped0: Tensor, warped1: Tensor, mask: Tensor, residual: Tensor | None, logits: bool) -> Tensor:
    share = mask.sigmoid() if logits else mask
    blended = torch.lerp(warped1, warped0, share.to(warped0.dtype))
    return (blended if residual is None else blended + residual).clamp(0, 1)


@torch.library.custom_op("vsvfi::warp_blend", mutates_args=())
def operator(
    image0: Tensor,
    image1: Tensor,
    flow_t0: Tensor,
    flow_t1: Tensor,
    mask: Tensor,
    residual: Tensor | None,
    logits: bool,
) -> Tensor:
    """As `definition`, on its kernel where there is one."""
    if not kernels.usable(image0, flow_t0):
        made = definition(image0, image1, flow_t0, flow_t1, mask, residual, logits)
        return empty_like(image0).copy_(made)
    kind, moves = image0.dtype, flow_t0.dtype
    if moves not in (kind, torch.float32):
        moves = torch.float32
    image1, residual = image1.to(kind), None if residual is None else residual.to(kind)
    flow_t0, flow_t1, mask = (tensor.to(moves) for tensor in (flow_t0, flow_t1, mask))
    out = empty_like(image0)
    tensors = (image0, image1, flow_t0, flow_t1, mask, residual, out)
    n, c, h, w = image0.shape
    index = kernels.index_type(*tensors, count=n * h * w)
    layout = [number for tensor in tensors for number in kernels.strides(tensor, index)]
    name = f"warp_blend<{kernels.TYPES[kind]}, {kernels.TYPES[moves]}, {index}>"
    sizes = kernels.indices((n, c, h, w), index)
    kernels.launch("warp_blend", name, n * h * w, *tensors, *sizes, *layout, np.int32(logits))
    return out


@operator.register_fake
def _(
    image0: Tensor,
    image1: Tensor,
    flow_t0: Tensor,
    flow_t1: Tensor,
    mask: Tensor,
    residual: Tensor | None,
    logits: bool,
) -> Tensor:
    return empty_like(image0)


def _check(
    image0: Tensor, image1: Tensor, flow_t0: Tensor, flow_t1: Tensor, mask: Tensor, residual: Tensor | None
) -> None:
    n, c, h, w = image0.shape
    for name, tensor, channels in (
        ("image1", image1, c),
        ("flow_t0", flow_t0, 2),
        ("flow_t1", flow_t1, 2),
        ("mask", mask, 1),
        ("residual", residual, c),
    ):
        if tensor is not None and tensor.shape != (n, channels, h, w):
            raise ShapeError(f"{name} must be {(n, channels, h, w)} for this image0, got {tuple(tensor.shape)}")
