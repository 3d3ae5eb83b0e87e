"""Launches cuda/from_planes.cu and cuda/to_planes.cu; from_planes.py and to_planes.py say what they mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..frames.planes import ColorInfo, PlaneFormat, Planes
from ..ops import kernels
from ..padding import Padding
from .matrices import code_range, luma_of_gray, rgb_to_yuv, yuv_to_rgb
from .resample import siting

_FAMILIES = {"YUV": 0, "RGB": 1, "GRAY": 2}
_RULES = {"replicate": 0, "symmetric": 1, "constant": 2}
_RUN = 4
_DEEPEST = 2
"""log2 of the strongest subsampling there are kernels for: 4 luma samples for one of chroma, each way."""


def suits(format: PlaneFormat, *tensors: Tensor) -> bool:
    """Whether the kernels convert between these planes and pictures."""
    return max(format.subsampling) <= _DEEPEST and kernels.usable(*tensors)


def from_planes(planes: Planes, dtype: torch.dtype, padding: Padding) -> Tensor:
    """As from_planes.from_planes."""
    f, data = planes.format, planes.data
    rows, columns = f.height + padding.top + padding.bottom, f.width + padding.left + padding.right
    out = torch.empty(1, 3, rows, columns, dtype=dtype, device=planes.device)
    chroma = f.plane_size(f.num_planes - 1)
    step = [1.0 / (1 << k) for k in f.subsampling]
    start = [-at * each for at, each in zip(siting(planes.color.chroma_location, f.subsampling), step, strict=True)]
    numbers: list[np.generic] = [np.int64(stride) for stride in (*_strides(data), *out.stride()[1:])]
    numbers += [np.int32(size) for size in (f.width, f.height, *reversed(chroma), rows, columns)]
    numbers += [np.int32(padding.top), np.int32(padding.left), np.int32(_RULES[padding.rule])]
    numbers += [np.float32(padding.value), np.int32(_FAMILIES[f.family])]
    numbers += [np.float32(number) for number in (*step, *start)]
    for p in (0, f.num_planes - 1):
        gain, offset = code_range(f, planes.color, p)
        numbers += [np.float32(1 / gain), np.float32(offset)]
    matrix = yuv_to_rgb(planes.color.matrix) if f.family == "YUV" else np.eye(3)
    wide = out.stride(-1) == 1 and all(stride % _RUN == 0 for stride in out.stride()[1:3])
    numbers += [*matrix.astype(np.float32).ravel(), np.int32(wide)]
    name = f"from_planes<{kernels.SAMPLES[data[0].dtype]}, {kernels.TYPES[dtype]}>"
    kernels.launch("from_planes", name, -(-columns // _RUN) * rows, *_three(data), out, *numbers)
    return out


def to_planes(
    image: Tensor, format: PlaneFormat, color: ColorInfo, dither: str, out: Sequence[Tensor] | None = None
) -> Planes:
    """As to_planes.to_planes."""
    f = format
    sizes = [f.plane_size(p) for p in range(f.num_planes)]
    data = [torch.empty(size, dtype=f.dtype, device=image.device) for size in sizes] if out is None else out
    numbers: list[np.generic] = [np.int64(stride) for stride in (*image.stride()[1:], *_strides(data))]
    numbers += [np.int32(number) for number in (f.width, f.height, *f.subsampling, _FAMILIES[f.family])]
    numbers += [np.float32(at) for at in siting(color.chroma_location, f.subsampling)]
    for p in (0, f.num_planes - 1):
        numbers += [np.float32(number) for number in code_range(f, color, p)]
    matrix = np.eye(3)
    if f.family == "YUV":
        matrix = rgb_to_yuv(color.matrix)
    elif f.family == "GRAY":
        matrix[0] = luma_of_gray()
    numbers += [np.float32(f.peak), *matrix.astype(np.float32).ravel(), np.int32(dither == "ordered")]
    name = f"to_planes<{kernels.TYPES[image.dtype]}, {kernels.SAMPLES[f.dtype]}>"
    count = -(-f.width // _RUN) * (f.height >> f.subsampling[1])
    kernels.launch("to_planes", name, count, image, *_three(data), *numbers)
    return Planes(format, color, tuple(data))


def _three(data: Sequence[Tensor]) -> list[Tensor | None]:
    return [*data, *[None] * (3 - len(data))]


def _strides(data: Sequence[Tensor]) -> list[int]:
    """Of the rows of three planes, in samples."""
    return [plane.stride(0) for plane in data] + [0] * (3 - len(data))
