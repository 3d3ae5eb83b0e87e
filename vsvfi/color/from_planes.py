"""Planes of any format to RGB. The way back is to_planes.py."""

from __future__ import annotations

import torch
from torch import Tensor

from ..frames.planes import Planes
from ..padding import Padding, pad
from . import on_device
from .matrices import code_range, yuv_to_rgb
from .resample import upsample


def from_planes(planes: Planes, dtype: torch.dtype = torch.float32, padding: Padding | None = None) -> Tensor:
    """A frame as RGB.

    Chroma is brought to the picture's size by linear interpolation from where `_ChromaLocation` says it lies; values
    are as core.resize.Bilinear makes them, to rounding. GRAY becomes three equal channels.

    Args:
        planes: on any device.
        dtype: of the result; computed in float32.
        padding: what surrounds the picture, in RGB; None: nothing.

    Returns:
        (1, 3, H, W), or larger by the padding, on the planes' device. Nominally in [0, 1]; codes outside the nominal
        range lie outside.

    Source: ITU-T H.273 (2023), equations 20 to 47. Kernel: cuda/from_planes.cu.
    """
    padding = padding or Padding()
    if on_device.suits(planes.format, *planes.data):
        return on_device.from_planes(planes, dtype, padding)
    return pad(definition(planes, dtype), padding)


def definition(planes: Planes, dtype: torch.dtype) -> Tensor:
    """What it means without padding; any device."""
    f = planes.format
    values = [_nominal(planes, p) for p in range(f.num_planes)]
    if f.family == "GRAY":
        return values[0].to(dtype).expand(1, 3, -1, -1)
    out = torch.empty(1, 3, f.height, f.width, device=planes.device)
    if f.family == "RGB":
        return torch.stack(values, out=out[0]).unsqueeze(0).to(dtype)
    chroma = [upsample(plane, (f.height, f.width), f.subsampling, planes.color.chroma_location) for plane in values[1:]]
    for c, row in enumerate(yuv_to_rgb(planes.color.matrix).tolist()):
        torch.mul(values[0], row[0], out=out[0, c])
        for weight, plane in zip(row[1:], chroma, strict=True):
            out[0, c].add_(plane, alpha=weight)
    return out.to(dtype)


def _nominal(planes: Planes, plane: int) -> Tensor:
    gain, offset = code_range(planes.format, planes.color, plane)
    value = planes.data[plane].to(torch.float32)
    return value if gain == 1.0 else value.sub(offset).mul_(1 / gain)
