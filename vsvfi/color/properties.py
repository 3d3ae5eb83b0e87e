"""What a frame's samples mean, from its properties, with the core's own defaults where they are missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import FrameError
from ..frames.planes import ColorInfo, PlaneFormat
from .matrices import COEFFICIENTS, YCGCO

UNSPECIFIED = 2
_SUPPORTED = sorted([*COEFFICIENTS, YCGCO])


def resolve(props: Mapping[str, Any], format: PlaneFormat) -> ColorInfo:
    """The ColorInfo of a frame.

    As the core's resizer assumes: without `_Range` (or the older `_ColorRange`) YUV and GRAY are limited, RGB is full;
    without `_ChromaLocation` chroma is left. The resizer refuses YUV without `_Matrix`; here it is BT.709 above 576
    lines, else SMPTE 170M, since a network's result goes back by the matrix its input came by.

    Raises:
        FrameError: a matrix that is not a linear map of RGB, or none at all.
    """
    return ColorInfo(_matrix(props, format), _full(props, format), int(props.get("_ChromaLocation", 0)))


def _matrix(props: Mapping[str, Any], format: PlaneFormat) -> int:
    matrix = int(props.get("_Matrix", UNSPECIFIED))
    if format.family != "YUV":
        return 0
    if matrix == UNSPECIFIED:
        return 1 if format.height > 576 else 6
    if matrix not in _SUPPORTED:
        known = ", ".join(map(str, _SUPPORTED))
        raise FrameError(f"_Matrix={matrix} cannot be used with YUV; set it to what the clip has (one of {known})")
    return matrix


def _full(props: Mapping[str, Any], format: PlaneFormat) -> bool:
    if "_Range" in props:
        return int(props["_Range"]) == 1
    if "_ColorRange" in props:
        return int(props["_ColorRange"]) == 0
    return format.family == "RGB"
