"""A video file as a clip: opened by BestSource, its timing kept, what cannot be read refused with a reason.

Copying the file's other streams is `streams.py`'s part.
"""

from __future__ import annotations

import bisect
import itertools
import logging
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import platformdirs
import vapoursynth as vs

from ..errors import OptionError, RenderError
from .timing import clock_text, constant_rate

vs_log = logging.getLogger("vapoursynth")


@dataclass(frozen=True)
class Source:
    """A clip and when its frames are shown.

    Attributes:
        path: the file.
        clip: constant format and size.
        times: start of every frame in seconds on the file's own clock, and behind them the end of the last.
        fps: the rate where it is constant, else None.
        origin: the time on that clock which becomes 0 in the output: where the earliest stream begins, or the cut.
    """

    path: Path
    clip: vs.VideoNode
    times: tuple[Fraction, ...]
    fps: Fraction | None
    origin: Fraction

    def between(self, start: Fraction | None, end: Fraction | None) -> Source:
        """The frames that begin at or after `start` and before `end`, in seconds from the first frame.

        Raises:
            OptionError: no frame begins there.
        """
        if start is None and end is None:
            return self
        first, past = 0, self.clip.num_frames
        # Half a millisecond of grace: people type times that were rounded for display.
        grace, begin = Fraction(1, 2000), self.times[0]
        if start is not None:
            first = bisect.bisect_left(self.times, begin + start - grace, hi=past)
        if end is not None:
            past = bisect.bisect_left(self.times, begin + end - grace, hi=past)
        if first >= past:
            length = clock_text(self.times[-1] - begin)
            raise OptionError(f"no frame lies between start and end; {self.path.name} lasts {length}")
        clip = self.clip.std.Trim(first=first, last=past - 1)
        origin = self.origin if start is None else self.times[first]
        return replace(self, clip=clip, times=self.times[first : past + 1], origin=origin)


def open_source(path: Path) -> Source:
    """Open a video file; the first time this reads all of it, to know every frame.

    Raises:
        RenderError: it cannot be read, is interlaced, or changes its format.
    """
    if not path.is_file():
        raise RenderError(f"{path} is a folder, not a video file" if path.is_dir() else f"there is no file {path}")
    opened = _index(path)
    clip: vs.VideoNode = opened["clip"]
    if clip.format is None or clip.width == 0:
        raise RenderError(f"{path.name} changes its size or format on the way; cut it into parts that keep theirs")
    tick = Fraction(opened["timebasenum"], opened["timebaseden"])
    stamps = opened["timestamps"]
    stamps = [stamps] if isinstance(stamps, int) else list(stamps)
    _check_first(path, clip)
    hint = Fraction(clip.fps_num, clip.fps_den) if clip.fps_num > 0 else Fraction(0)
    if any(b <= a for a, b in itertools.pairwise(stamps)) or stamps[0] < -(1 << 40):
        # No usable stamps (raw streams, some AVIs): the claimed rate is all that is known.
        if hint == 0:
            raise RenderError(f"{path.name} has neither time stamps nor a frame rate; put it into a container first")
        stamps, tick = list(range(clip.num_frames)), 1 / hint
    fps = constant_rate(stamps, tick, hint)
    begin = stamps[0] * tick
    origin = min(begin, _earliest(path, begin))
    if fps is not None:
        clip = clip.std.AssumeFPS(fpsnum=fps.numerator, fpsden=fps.denominator)
        return Source(path, clip, tuple(begin + n / fps for n in range(clip.num_frames + 1)), fps, origin)
    times = [stamp * tick for stamp in stamps]
    return Source(path, clip, (*times, 2 * times[-1] - times[-2]), None, origin)


def _index(path: Path) -> dict[str, Any]:
    """What BestSource says of the file: clip, time base, time stamps."""
    if not hasattr(vs.core, "bs"):
        raise RenderError("the VapourSynth plugin BestSource is missing; run: pip install vapoursynth-bestsource")
    # Mode 1 writes an index only where reading anew would be slow, and into the cache: never beside the user's video.
    folder = Path(platformdirs.user_cache_dir("vsvfi", appauthor=False)) / "index"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        vs_log.addFilter(_worth_saying)
        opened = vs.core.bs.VideoSource(
            str(path.absolute()), cachemode=1, cachepath=str(folder), exporttimestamps=True, showprogress=False
        )
    except (vs.Error, OSError) as error:
        raise RenderError(f"cannot read {path}: {_reason(error)}") from error
    finally:
        vs_log.removeFilter(_worth_saying)
    return dict(opened)


def _worth_saying(record: logging.LogRecord) -> bool:
    """BestSource 22 does not declare that it returns time stamps, and the core warns of that on every call."""
    return "no return value(s) named" not in record.getMessage()


def _earliest(path: Path, begin: Fraction) -> Fraction:
    """When the file's first stream begins; broadcasts begin anywhere. `begin` where the file does not say."""
    with av.open(str(path)) as container:
        return begin if container.start_time is None else Fraction(container.start_time, 1_000_000)


def _check_first(path: Path, clip: vs.VideoNode) -> None:
    try:
        with clip.get_frame(0) as frame:
            field = frame.props.get("_FieldBased", 0)
    except vs.Error as error:
        raise RenderError(f"cannot decode {path}: {_reason(error)}") from error
    if field:
        raise RenderError(
            f"{path.name} is interlaced (_FieldBased={field}); deinterlace it first, "
            f"for example: ffmpeg -i {path.name} -vf bwdif -crf 12 -c:a copy progressive.mkv"
        )


def _reason(error: Exception) -> str:
    return str(error).removeprefix("VideoSource: ")
