"""Encoding in this process: frames into one of libavcodec's encoders, its packets into the output file."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.codec.context import Flags

from ..errors import RenderError
from .encoders import ENCODERS, Encoder
from .mux import Muxer
from .picture import Picture, to_libav

if TYPE_CHECKING:
    import vapoursynth as vs

    from .streams import Span

_HVC1 = (".mp4", ".mov", ".m4v")
_MATROSKA = (".mkv", ".webm")


class Encoding:
    """One file being encoded; `write` every frame in order, then `close`.

    Args:
        path: the file, written from its beginning.
        source: whose other streams are copied.
        encoder: which.
        crf, preset: how it is set; None: as it is by default.
        picture: what all frames are.
        rate: frames a second, about; exact where it is constant.
        tick: seconds; all times given to `write` are whole multiples of it, or are rounded.
        span: what part of the source this is.
    """

    def __init__(
        self, path: Path, source: Path, encoder: Encoder, crf: float | None, preset: str | None, picture: Picture,
        rate: Fraction, tick: Fraction, span: Span,
    ) -> None:  # fmt: skip
        check_format(encoder, picture)
        self._picture = picture
        self._tick = tick
        self._muxer = Muxer(path, source)
        own = picture.hdr.arguments(encoder.codec) if picture.hdr is not None and encoder.params else {}
        self._stream = self._add_stream(path, encoder, encoder.options(crf, preset, own), rate)
        self._muxer.copy_others(self._stream, span)
        self.notes = self._muxer.notes
        if picture.hdr is not None and not encoder.params:
            self.notes.append(f"{encoder.name} does not keep HDR10 metadata (mastering display, content light)")
        if encoder.name == "libsvtav1" and picture.tags.aspect != 1 and path.suffix.lower() in _MATROSKA:
            # SVT-AV1 does not write it into the stream, and PyAV cannot set what Matroska would write.
            shape = f"{picture.tags.aspect.numerator}:{picture.tags.aspect.denominator}"
            self.notes.append(f"{path.suffix} cannot say here that pixels are {shape}; use .mp4 or another encoder")

    def _add_stream(self, path: Path, encoder: Encoder, options: dict[str, str], rate: Fraction) -> Any:
        # SVT-AV1 prints its settings to the terminal unless its environment says otherwise.
        os.environ.setdefault("SVT_LOG", "1")
        try:
            stream: Any = self._muxer.output.add_stream(encoder.name, rate=rate, options=options)
        except ValueError as error:
            raise RenderError(f"{path.suffix} files cannot hold what {encoder.name} makes; use .mkv") from error
        stream.width, stream.height, stream.pix_fmt = self._picture.width, self._picture.height, self._picture.pixels
        stream.time_base = self._tick
        context = stream.codec_context
        context.time_base = self._tick
        context.flags |= Flags.frame_duration
        tag(context, self._picture)
        if encoder.name == "libx265" and path.suffix.lower() in _HVC1:
            context.codec_tag = "hvc1"  # Apple's players ignore HEVC under its other name
        return stream

    def write(self, frame: vs.VideoFrame, start: Fraction, duration: Fraction) -> None:
        """Encode a frame, shown from `start` for `duration` seconds."""
        picture = to_libav(frame, self._picture)
        picture.time_base = self._tick
        picture.pts = round(start / self._tick)
        picture.duration = round((start + duration) / self._tick) - picture.pts
        self._muxer.write(self._stream.encode(picture))

    def close(self, *, complete: bool) -> None:
        """Write what the encoder still holds, then the file's end."""
        try:
            self._muxer.write(self._stream.encode(None))
        finally:
            self._muxer.close(complete=complete)


def tag(context: Any, picture: Picture) -> None:
    """Say in the stream how its samples are to be understood."""
    tags = picture.tags
    context.colorspace, context.color_primaries, context.color_trc = tags.matrix, tags.primaries, tags.transfer
    context.color_range, context.chroma_sample_location = tags.range, tags.location
    context.sample_aspect_ratio = tags.aspect


def check_format(encoder: Encoder, picture: Picture) -> None:
    """Raise RenderError where the encoder does not take the clip's format, naming those that it and others take."""
    if _takes(encoder, picture):
        return
    others = [name for name, row in ENCODERS.items() if _takes(row, picture)]
    formats = sorted({f.name for f in av.Codec(encoder.name, "w").video_formats or () if "yuvj" not in f.name})
    advice = f"use {' or '.join(others)}, or convert" if others else "convert"
    raise RenderError(
        f"{encoder.name} does not take {picture.name} ({picture.pixels}); {advice} to one of: {' '.join(formats)}"
    )


def _takes(encoder: Encoder, picture: Picture) -> bool:
    return any(f.name == picture.pixels for f in av.Codec(encoder.name, "w").video_formats or ())
