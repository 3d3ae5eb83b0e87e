"""RGB to planes of any format. The way there is from_planes.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ..frames.planes import ColorInfo, PlaneFormat, Planes
from . import dither as ordered
from . import on_device
from .matrices import code_range, luma_of_gray, rgb_to_yuv
from .resample import downsample


def to_planes(
    image: Tensor,
    format: PlaneFormat,
    color: ColorInfo,
    *,
    dither: Literal["ordered", "none"] = "ordered",
    out: Sequence[Tensor] | None = None,
) -> Planes:
    """A frame of `format` from RGB.

    Chroma is reduced by a triangle filter around where `_ChromaLocation` says it lies, as core.resize.Bilinear does.
    GRAY takes BT.709 luma (three equal channels come back as they went).

    Args:
        image: (1, 3, H, W), nominally in [0, 1], any float dtype; H and W are the format's.
        format: of the result.
        color: how its samples are to be understood.
        dither: of integer formats: "ordered" or "none" (round to nearest). Codes are clamped to the format's.
        out: planes of that format to be written to; None: new ones.

    Returns:
        Planes on the image's device.

    Source: ITU-T H.273 (2023), equations 20 to 47. Kernel: cuda/to_planes.cu.
    """
    if on_device.suits(format, image):
        return on_device.to_planes(image, format, color, dither, out)
    made = definition(image, format, color, dither)
    if out is None:
        return made
    for into, plane in zip(out, made.data, strict=True):
        into.copy_(plane)
    return Planes(format, color, tuple(out))


def definition(image: Tensor, format: PlaneFormat, color: ColorInfo, dither: str) -> Planes:
    """What it means; any device."""
    rgb = image[0].to(torch.float32)
    if format.family == "RGB":
        values = list(rgb)
    elif format.family == "GRAY":
        values = [torch.tensordot(torch.from_numpy(luma_of_gray()).to(rgb), rgb, 1)]
    else:
        values = list(torch.tensordot(torch.from_numpy(rgb_to_yuv(color.matrix)).to(rgb), rgb, 1))
        for p in (1, 2):
            values[p] = downsample(values[p], format.plane_size(p), format.subsampling, color.chroma_location)
    return Planes(format, color, tuple(_codes(v, format, color, p, dither) for p, v in enumerate(values)))


def _codes(value: Tensor, format: PlaneFormat, color: ColorInfo, plane: int, dither: str) -> Tensor:
    if format.sample == "float":
        return value.to(format.dtype).contiguous()
    gain, offset = code_range(format, color, plane)
    code = value.mul(gain).add_(offset)
    if dither == "ordered":
        code.add_(ordered.offsets(*code.shape, code.device))
    return code.round_().clamp_(0, format.peak).to(format.dtype)
