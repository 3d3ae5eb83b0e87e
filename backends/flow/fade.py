"""Brightness that changes over the whole picture: how one frame's levels become the other's, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

type Array = np.ndarray[Any, Any]

_ROUNDS = 8
_RIDGE = 1.0  # code values squared: keeps the gain at 1 where there is no contrast to read it from
_NOTICEABLE = (1.0, 3.0)  # mean difference in code values: below the first no fade, above the second surely worth it
_EXPLAINED = (0.35, 0.5)  # what is left of it once levels fit: fades leave 0.03 to 0.32, all else 0.53 and more


@dataclass(frozen=True, slots=True)
class Fade:
    """Levels of frame 1 = gain * levels of frame 0 + offset, in 8-bit code values.

    Attributes:
        strength: 0: no fade; 1: certainly one.
    """

    gain: float
    offset: float
    strength: float

    def tables(self) -> tuple[Array, Array]:
        """Two tables of 256 levels that bring frame 0 and frame 1 to the brighter one's contrast."""
        gain = 1 + self.strength * (self.gain - 1)
        offset = self.strength * self.offset
        levels = np.arange(256, dtype=np.float64)
        if gain > 1:
            return _codes(levels * gain + offset), _codes(levels)
        return _codes(levels), _codes((levels - offset) / max(gain, 1 / 16))


def find(thumb0: Array, thumb1: Array) -> Fade:
    """Fit one frame's levels to the other's, in spite of what moved.

    Args:
        thumb0: frame 0, so small that most of what moves stays in its pixel; uint8.
        thumb1: frame 1, of the same size.

    Returns:
        The fit by reweighted least squares: pixels that do not follow the rest lose their say.
    """
    x, y = thumb0.ravel().astype(np.float64), thumb1.ravel().astype(np.float64)
    before = float(np.abs(y - x).mean())
    if before <= _NOTICEABLE[0]:
        return Fade(1.0, 0.0, 0.0)
    weight = np.ones_like(x)
    for _ in range(_ROUNDS):
        weight /= weight.sum()
        mean_x, mean_y = weight @ x, weight @ y
        dx = weight * (x - mean_x)
        gain = (dx @ (y - mean_y) + _RIDGE) / (dx @ (x - mean_x) + _RIDGE)
        offset = mean_y - gain * mean_x
        rest = np.abs(y - gain * x - offset)
        weight = 1 / (1 + (rest / max(1.0, 1.4826 * float(np.median(rest)))) ** 2)
    if gain < 0:  # what was bright is dark now: another picture
        return Fade(1.0, 0.0, 0.0)
    left = float(rest.mean()) / before
    strength = _smoothstep(before, *_NOTICEABLE) * (1 - _smoothstep(left, *_EXPLAINED))
    return Fade(float(gain), float(offset), strength)


def _smoothstep(value: float, low: float, high: float) -> float:
    x = min(max((value - low) / (high - low), 0.0), 1.0)
    return x * x * (3 - 2 * x)


def _codes(levels: Array) -> Array:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
