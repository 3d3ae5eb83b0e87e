"""One render from file to file: source, filter, encoder, and what happens when it stops on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import vapoursynth as vs

from .. import options as opt
from ..errors import OptionError, RenderError
from . import files
from .encode import Encoding
from .encoders import Command, parse_encoder
from .external import ExternalEncoding
from .interpolated import interpolated
from .picture import Picture, picture_of
from .settings import Progress, Report, Settings
from .source import Source, open_source
from .streams import Span
from .timing import clock, clock_text

log = logging.getLogger("vsvfi")

MEMORY = 1 << 30
"""Bytes of frames that may wait for the encoder."""


class RenderStopped(KeyboardInterrupt):
    """Ctrl-C while rendering; the message says where it stopped and what is left."""


class Encoder(Protocol):
    """What frames are given to."""

    notes: list[str]

    def write(self, frame: vs.VideoFrame, start: Fraction, duration: Fraction) -> None:
        """Take the next frame, shown from `start` for `duration` seconds."""

    def close(self, *, complete: bool) -> None:
        """Write what is left; not `complete`: only so much that what there is can be played."""


def render(
    source: str | Path,
    output: str | Path,
    settings: Settings | None = None,
    *,
    progress: Callable[[Progress], object] | None = None,
    interpolate: Callable[[Source, Settings], vs.VideoNode] | None = None,
) -> Report:
    """Interpolate a video file into another.

    Audio, subtitles, chapters, tags and attachments are copied; what the container cannot hold is left out with a
    logged warning. The output has its name only when it is complete: until then, and after a failure, it is
    NAME.part.SUFFIX beside it.

    Args:
        source: the video file.
        output: the file to make; its suffix names the container.
        settings: how.
        progress: called after every frame.
        interpolate: makes the clip that is encoded, instead of `vsvfi.Interpolate`.

    Raises:
        OptionError: a setting cannot be used; nothing was written.
        RenderError: reading, filtering, encoding or writing failed; the message says where.
        RenderStopped: Ctrl-C.
    """
    settings = settings or Settings()
    source, output = Path(source), Path(output)
    files.check_paths(source, output, settings.overwrite)
    encoder = parse_encoder(settings.encoder, settings.crf, settings.preset)
    _check_rate(settings)
    opened = open_source(source).between(settings.start, settings.end)
    clip = (interpolate or interpolated)(opened, settings)
    with _first(clip) as first:
        picture = picture_of(first)
    part = files.partial(output)
    encoding = _encoding(part, opened, encoder, settings, clip, picture)
    for note in encoding.notes:
        log.warning("%s", note)
    duration = _encode(clip, encoding, part, _offset(opened), progress)
    try:
        files.publish(part, output, settings.overwrite)
    except OSError as error:
        raise RenderError(f"cannot write {output}: {error}") from error
    return Report(output, clip.num_frames, duration, _rate(clip))


def _check_rate(settings: Settings) -> None:
    if settings.factor is not None and settings.fps is not None:
        raise OptionError("factor and fps exclude each other; give one")
    if settings.factor is not None:
        opt.parse_factor(settings.factor)
    if settings.fps is not None:
        opt.parse_fps(settings.fps)


def _first(clip: vs.VideoNode) -> vs.VideoFrame:
    try:
        return clip.get_frame(0)
    except vs.Error as error:
        raise RenderError(f"stopped at frame 0 of {clip.num_frames}: {error}") from error


def _rate(clip: vs.VideoNode) -> Fraction | None:
    return Fraction(clip.fps_num, clip.fps_den) if clip.fps_num else None


def _offset(source: Source) -> Fraction:
    """When the picture begins in the output: as long after the earliest stream as it did in the source."""
    return source.times[0] - source.origin


def _encoding(
    part: Path, source: Source, encoder: Any, settings: Settings, clip: vs.VideoNode, picture: Picture
) -> Encoder:
    rate = _rate(clip)
    about = rate or (clip.num_frames / (source.times[-1] - source.times[0])).limit_denominator(1001)
    span = Span(
        source.origin,
        source.origin if settings.start is not None else None,
        source.times[-1] if settings.end is not None else None,
    )
    if isinstance(encoder, Command):
        return ExternalEncoding(part, source.path, encoder, picture, about, span)
    tick = clock([_offset(source), 1 / rate]) if rate is not None else _finer(source, clip)
    return Encoding(part, source.path, encoder, settings.crf, settings.preset, picture, about, tick, span)


def _finer(source: Source, clip: vs.VideoNode) -> Fraction:
    """A tick for frames between frames: the source's, divided as often as the frames were."""
    times = [time - source.times[0] for time in source.times]
    factor = Fraction(clip.num_frames, len(times) - 1).limit_denominator(100)
    return clock([_offset(source), *(time / factor.numerator for time in times)])


def _encode(
    clip: vs.VideoNode,
    encoding: Encoder,
    part: Path,
    start: Fraction,
    progress: Callable[[Progress], object] | None,
) -> Fraction:
    """Write every frame; returns how long they last. Whatever goes wrong, the encoder is closed."""
    done, time = 0, start
    frames = _frames(clip)
    try:
        for frame in frames:
            length = _duration(clip, frame)
            encoding.write(frame, time, length)
            done, time = done + 1, time + length
            if progress is not None:
                progress(Progress(done, clip.num_frames))
        encoding.close(complete=True)
    except BaseException as error:
        _abandon(encoding)
        where = f"stopped at frame {done} of {clip.num_frames} ({clock_text(time - start)}){_left(part)}"
        if isinstance(error, KeyboardInterrupt):
            raise RenderStopped(where) from error
        if isinstance(error, Exception):
            raise RenderError(f"{where}: {error}") from error
        raise
    finally:
        frames.close()
    return time - start


def _frames(clip: vs.VideoNode) -> Any:
    """All frames in order, as many in the making as keep every thread busy and fit into memory."""
    size = clip.width * clip.height * clip.format.bytes_per_sample * clip.format.num_planes
    prefetch = max(1, min(vs.core.num_threads + 1, MEMORY // (2 * size)))
    return clip.frames(prefetch=prefetch, backlog=2 * prefetch, close=True)


def _duration(clip: vs.VideoNode, frame: vs.VideoFrame) -> Fraction:
    if clip.fps_num:
        return Fraction(clip.fps_den, clip.fps_num)
    num, den = frame.props.get("_DurationNum", 0), frame.props.get("_DurationDen", 0)
    if not num or not den:
        raise RenderError("a frame of a clip of variable rate has no duration (_DurationNum, _DurationDen)")
    return Fraction(int(num), int(den))


def _abandon(encoding: Encoder) -> None:
    """Close what there is, so that the part made can be played; the first error is the one to tell."""
    try:
        encoding.close(complete=False)
    except Exception:
        log.debug("closing the partial file failed", exc_info=True)


def _left(part: Path) -> str:
    """The files that a stopped render leaves: the part itself, or what an external encoder wrote beside it."""
    names = [str(p) for p in (part, *(part.with_suffix(s) for s in (".264", ".hevc"))) if p.exists()]
    return f"; the part made is in {' and '.join(dict.fromkeys(names))}" if names else ""
