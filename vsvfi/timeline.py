"""Exact time: which source frame and timestep an output frame is, how long it lasts, and how many there are.

Standard library only. Positions and durations are Fractions from end to end; floats appear nowhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import Path

from .errors import OptionError

MAX_FRAMES = 2**31 - 1
"""VapourSynth counts frames in a C int."""


def round_half_up(value: Fraction) -> int:
    """The nearest integer, halves upwards: Python's own round() would send 0.5 to 0 and 1.5 to 2."""
    return floor(value + Fraction(1, 2))


@dataclass(frozen=True, slots=True)
class Position:
    """Where an output frame sits: `t` of the way from source frame `source` to the next, 0 <= t < 1.

    Where t is an amount and no time (studio.py), it may lie elsewhere.
    """

    source: int
    t: Fraction


class Timeline(ABC):
    """A mapping from output frames to source positions.

    Attributes:
        num_source: frames of the source clip.
        num_frames: frames of the output.
        fps: output rate; None where it varies.
        between: whether frames with a t lie between source frames in time.
    """

    num_source: int
    num_frames: int
    fps: Fraction | None
    between = True

    @abstractmethod
    def at(self, n: int) -> Position:
        """The position of output frame n."""

    @abstractmethod
    def duration(self, n: int, source_duration: Callable[[int], Fraction]) -> Fraction:
        """How long output frame n is shown, in the unit of `source_duration(i)` (asked for at most two i)."""

    def held(self, position: Position) -> bool:
        """Whether there is nothing to relate: the last source frame has no successor, so it is held."""
        return position.source >= self.num_source - 1


class Uniform(Timeline):
    """The source's rate times a factor: output frame n sits at source position n / factor.

    The output has round(num_source * factor) frames, halves upwards, so that it lasts as long as the source to within
    half an output frame; what lies beyond the last source frame holds it. The length is capped at MAX_FRAMES.

    Args:
        num_source: frames of the source.
        factor: at least 1.
        source_fps: None for a variable rate.
    """

    def __init__(self, num_source: int, factor: Fraction, source_fps: Fraction | None) -> None:
        self.num_source = num_source
        self.factor = factor
        self.num_frames = max(1, min(MAX_FRAMES, round_half_up(num_source * factor)))
        self.fps = None if source_fps is None else source_fps * factor

    def at(self, n: int) -> Position:
        """See Timeline."""
        i, rest = divmod(n * self.factor.denominator, self.factor.numerator)
        return Position(i, Fraction(rest, self.factor.numerator))

    def duration(self, n: int, source_duration: Callable[[int], Fraction]) -> Fraction:
        """The share of the source's durations that [n, n + 1) / factor covers; the last frame takes what is left.

        So a variable-rate clip keeps its total exactly, whatever the factor.
        """
        start = Fraction(n) / self.factor
        end = Fraction(self.num_source) if n == self.num_frames - 1 else Fraction(n + 1) / self.factor
        total, i = Fraction(0), floor(start)
        while i < end:
            total += (min(end, Fraction(i + 1)) - max(start, Fraction(i))) * source_duration(i)
            i += 1
        return total


class Timed(Timeline):
    """A constant target rate out of known source times: output frame n is shown at n / fps.

    Args:
        times: when each source frame appears, in seconds, strictly increasing; the clip ends one more interval like
            its last one later.
        fps: the target rate.
    """

    def __init__(self, times: Sequence[Fraction], fps: Fraction) -> None:
        self.times = [time - times[0] for time in times]
        last = self.times[-1] - self.times[-2] if len(times) > 1 else 1 / fps
        self.ends = [*self.times[1:], self.times[-1] + last]
        self.num_source = len(times)
        self.num_frames = max(1, min(MAX_FRAMES, round_half_up(self.ends[-1] * fps)))
        self.fps: Fraction = fps

    def at(self, n: int) -> Position:
        """See Timeline."""
        time = n / self.fps
        i = bisect_right(self.times, time) - 1
        return Position(i, (time - self.times[i]) / (self.ends[i] - self.times[i]))

    def duration(self, n: int, source_duration: Callable[[int], Fraction]) -> Fraction:
        """Always 1 / fps."""
        return 1 / self.fps


def read_timecodes(path: str | Path) -> list[Fraction]:
    """Start times in seconds from a timecode file v2 (milliseconds, a line a frame), exactly as written.

    Raises:
        OptionError: not such a file, or its times do not increase.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="strict").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"timecodes: cannot read {str(path)!r}: {error}") from error
    if not lines or not lines[0].startswith(("# timecode format v2", "# timestamp format v2")):
        raise OptionError(f"timecodes: {str(path)!r} does not begin with '# timecode format v2'; write a v2 file")
    return check_times(_milliseconds(path, lines[1:]), f"timecodes: {str(path)!r}")


def _milliseconds(path: str | Path, lines: Iterable[str]) -> list[Fraction]:
    times = []
    for number, line in enumerate(lines, start=2):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            times.append(Fraction(line.strip()) / 1000)
        except (ValueError, ZeroDivisionError) as error:
            raise OptionError(f"timecodes: {str(path)!r} line {number} is not a number: {line.strip()!r}") from error
    return times


def check_times(times: list[Fraction], where: str) -> list[Fraction]:
    """`times` itself, if they strictly increase.

    Raises:
        OptionError: they don't, or there are none.
    """
    if not times:
        raise OptionError(f"{where} holds no times")
    for i in range(1, len(times)):
        if times[i] <= times[i - 1]:
            raise OptionError(f"{where}: frame {i} does not come after frame {i - 1}")
    return times
