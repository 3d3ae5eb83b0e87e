"""Exact times of frames: whether a rate is constant, when frames begin and end, the clock an output can count in.

Standard library only; `source.py` asks what the rate is, `job.py` when each output frame is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from ..errors import OptionError

JITTER = Fraction(2, 1000)
"""Seconds by which stamps may leave an even grid: Matroska rounds to 1 ms, and remuxing may do so twice."""

FINEST = 1 << 24
"""Largest denominator of an output's clock: every muxer and encoder counts this finely, and a day fits in 64 bits."""

COMMON = (
    *(Fraction(n) for n in (24, 25, 30, 48, 50, 60, 90, 100, 120, 144, 240)),
    *(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120, 240)),
    *(Fraction(n) for n in (8, 10, 12, 15, 16, 20)),
    *(Fraction(n * 1000, 1001) for n in (12, 15)),
)


def constant_rate(stamps: Sequence[int], tick: Fraction, hint: Fraction) -> Fraction | None:
    """The rate of a clip whose frames begin at `stamps`, or None where they keep to no grid.

    Args:
        stamps: start of every frame, in ticks, ascending.
        tick: seconds.
        hint: the rate that the file claims; preferred where several fit.
    """
    if len(stamps) < 2:
        return hint if hint > 0 else Fraction(25)
    span = (stamps[-1] - stamps[0]) * tick
    if span <= 0:
        return None
    mean = (len(stamps) - 1) / span
    near = sorted((rate for rate in COMMON if abs(rate / mean - 1) < Fraction(1, 20)), key=lambda r: abs(r - mean))
    candidates = [*([hint] if hint > 0 else []), *near, mean.limit_denominator(1001)]
    return next((rate for rate in candidates if _keeps_to(stamps, tick, rate)), None)


def _keeps_to(stamps: Sequence[int], tick: Fraction, rate: Fraction) -> bool:
    """Whether no stamp leaves an even grid of this rate by more than rounding does."""
    step = 1 / (rate * tick)
    allowed = min(max(2 * tick, JITTER), 1 / (4 * rate)) / tick
    # Whole numbers throughout: floats would lose the grid in a long file, fractions would be slow.
    num, den = step.numerator, step.denominator
    off = [(stamp - stamps[0]) * den - i * num for i, stamp in enumerate(stamps)]
    return max(off) - min(off) <= allowed * den


def clock(times: Sequence[Fraction], fallback: Fraction = Fraction(1, 90000)) -> Fraction:
    """The coarsest tick that all times are whole multiples of; `fallback` where that is too fine to be written."""
    num, den = 0, 1
    for time in times:
        den = math.lcm(den, time.denominator)
        if den > FINEST:
            return fallback
    for time in times:
        num = math.gcd(num, time.numerator * (den // time.denominator))
    return Fraction(num or 1, den)


def parse_time(name: str, value: str) -> Fraction:
    """Seconds out of "90", "1:30.5" or "0:01:30.5".

    Raises:
        OptionError: it is none of those.
    """
    parts = value.strip().split(":")
    try:
        numbers = [Fraction(part) for part in parts]
    except (ValueError, ZeroDivisionError):
        numbers = []
    if not 1 <= len(numbers) <= 3 or any(n < 0 for n in numbers) or any(n >= 60 for n in numbers[1:]):
        raise OptionError(f"{name} must be a time such as 90, 1:30.5 or 0:01:30.5, got {value!r}")
    seconds = Fraction(0)
    for number in numbers:
        seconds = seconds * 60 + number
    return seconds


def clock_text(seconds: Fraction) -> str:
    """A time as people read it: 0:01:30.500."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
