"""Planes in host memory: views of a VapourSynth frame's own samples, and writing into a new frame's."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .planes import ColorInfo, PlaneFormat, Planes

if TYPE_CHECKING:
    import vapoursynth as vs


def plane_format(clip: vs.VideoNode) -> PlaneFormat:
    """The PlaneFormat of a clip of constant format and size."""
    f = clip.format
    assert f is not None, "checked by interpolate"
    return PlaneFormat(
        family=f.color_family.name,
        sample="int" if f.sample_type == 0 else "float",
        bits=f.bits_per_sample,
        subsampling=(f.subsampling_w, f.subsampling_h),
        width=clip.width,
        height=clip.height,
    )


def view(frame: vs.VideoFrame, format: PlaneFormat, color: ColorInfo) -> Planes:
    """The frame's planes where they are, without a copy; the view keeps the frame alive.

    The samples must not be written to: the core shares them between frames.
    """
    return Planes(format, color, tuple(_plane(frame, format, p) for p in range(format.num_planes)))


def _plane(frame: vs.VideoFrame, format: PlaneFormat, plane: int) -> np.ndarray[Any, Any]:
    # Through the address, not through the frame's own read-only buffer: torch warns of those on every conversion.
    height, width = format.plane_size(plane)
    stride = frame.get_stride(plane)
    address = frame.get_read_ptr(plane)
    memory = (ctypes.c_uint8 * (stride * height)).from_address(address.value or 0)
    memory._frame = frame  # the array's base chain ends here, so the frame outlives it
    rows = np.frombuffer(memory, format.array_dtype).reshape(height, -1)
    return rows[:, :width]


def write(frame: vs.VideoFrame, data: Sequence[np.ndarray[Any, Any]]) -> None:
    """Fill a new frame's planes: the one copy of a result on the host."""
    for p, plane in enumerate(data):
        np.copyto(np.asarray(frame[p]), plane, casting="no")
