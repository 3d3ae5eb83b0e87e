"""What an encoder must know of a picture: pixel format, colour tags, aspect; and frames copied into libav's.

`encode.py` and `external.py` build on this.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import vapoursynth as vs

from ..errors import RenderError
from .hdr import Hdr, hdr_of

_SUBSAMPLED = {(1, 1): "yuv420p", (1, 0): "yuv422p", (0, 0): "yuv444p", (0, 1): "yuv440p", (2, 0): "yuv411p"}
_UNKNOWN = 2
"""H.273's code for "unspecified", the same for matrix, primaries and transfer."""
# libav numbers gbrp's planes green, blue, red.
_ORDER = {"RGB": (1, 2, 0)}


@dataclass(frozen=True, kw_only=True)
class Tags:
    """How samples are to be understood and shown, in libav's numbers.

    Attributes:
        matrix, primaries, transfer: H.273 code points; 2 unspecified.
        range: 0 unspecified, 1 limited, 2 full.
        location: of chroma samples; 0 unspecified, 1 left, 2 center, 3 top left ...
        aspect: width to height of a sample.
    """

    matrix: int = _UNKNOWN
    primaries: int = _UNKNOWN
    transfer: int = _UNKNOWN
    range: int = 0
    location: int = 0
    aspect: Fraction = Fraction(1)


@dataclass(frozen=True)
class Picture:
    """One kind of frame.

    Attributes:
        name: VapourSynth's of the format, for messages.
        pixels: libav's of the format.
        order: index of our plane for every one of libav's.
        width, height: in pixels.
        tags, hdr: of the first frame.
    """

    name: str
    pixels: str
    order: tuple[int, ...]
    width: int
    height: int
    tags: Tags
    hdr: Hdr | None = None

    @property
    def bits(self) -> int:
        """Of a sample."""
        return int(av.VideoFormat(self.pixels).components[0].bits)


def picture_of(frame: vs.VideoFrame) -> Picture:
    """What the first frame says of all.

    Raises:
        RenderError: libav has no such format.
    """
    form = frame.format
    pixels = _pixels(form)
    if pixels is None or pixels not in av.video.format.names:
        raise RenderError(f"no encoder takes {form.name}; convert to 8, 10, 12 or 16 bit first")
    order = _ORDER.get(form.color_family.name, tuple(range(form.num_planes)))
    return Picture(form.name, pixels, order, frame.width, frame.height, _tags(frame), hdr_of(frame))


def _pixels(form: vs.VideoFormat) -> str | None:
    if form.sample_type == vs.FLOAT:
        return None
    bits = form.bits_per_sample
    depth = "" if bits == 8 else f"{bits}le"
    if form.color_family == vs.GRAY:
        return f"gray{depth}"
    if form.color_family == vs.RGB:
        return f"gbrp{depth}"
    base = _SUBSAMPLED.get((form.subsampling_w, form.subsampling_h))
    return None if base is None else base + depth


def _tags(frame: vs.VideoFrame) -> Tags:
    props: Any = frame.props
    # `_Range` is H.273's flag (1 full); `_ColorRange`, its predecessor, says 0 for full.
    full = int(props["_Range"]) == 1 if "_Range" in props else props.get("_ColorRange") == 0
    known = "_Range" in props or "_ColorRange" in props
    rgb = frame.format.color_family == vs.RGB
    subsampled = frame.format.subsampling_w or frame.format.subsampling_h
    aspect = Fraction(props.get("_SARNum", 1) or 1, props.get("_SARDen", 1) or 1)
    return Tags(
        matrix=0 if rgb else int(props.get("_Matrix", _UNKNOWN)),
        primaries=int(props.get("_Primaries", _UNKNOWN)),
        transfer=int(props.get("_Transfer", _UNKNOWN)),
        range=(2 if full else 1) if known else 0,
        location=int(props["_ChromaLocation"]) + 1 if subsampled and "_ChromaLocation" in props else 0,
        aspect=aspect,
    )


def to_libav(frame: vs.VideoFrame, picture: Picture) -> av.VideoFrame:
    """A copy of a frame's planes; rows are padded differently on either side."""
    out = av.VideoFrame(picture.width, picture.height, picture.pixels)
    for plane, index in zip(out.planes, picture.order, strict=True):
        source = np.asarray(frame[index])
        height, width = source.shape
        rows = np.frombuffer(plane, source.dtype).reshape(-1, plane.line_size // source.itemsize)
        rows[:height, :width] = source
    return out
