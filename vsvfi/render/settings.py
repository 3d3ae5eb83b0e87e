"""What a render is asked to do, as plain data, and what it answers. Checked in `job.py`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..options import Precision, Rational, SceneChange


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a file is rendered.

    Attributes:
        model, factor, fps, scene_change, device, precision, scale, tile, protect: as of `vsvfi.Interpolate`; neither
            factor nor fps: twice the rate.
        encoder: a name of ENCODERS in `encoders.py`, or a command line of x264 or x265, which is fed on its stdin.
        crf: quality, lower is better; None: the encoder's row in ENCODERS.
        preset: speed against size, in the encoder's own words; None: the encoder's default.
        start, end: the part to render, in seconds from the first frame.
        overwrite: replace a file that is there.
    """

    model: str = "auto"
    factor: Rational | None = None
    fps: Rational | None = None
    scene_change: SceneChange = True
    device: str | None = None
    precision: Precision = "auto"
    scale: float | None = None
    tile: int | tuple[int, int] | None = None
    protect: bool = False
    encoder: str = "libx264"
    crf: float | None = None
    preset: str | None = None
    start: Fraction | None = None
    end: Fraction | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a render is: `done` of `total` frames are handed to the encoder."""

    done: int
    total: int


@dataclass(frozen=True)
class Report:
    """What was made: the file, its frames, how long they last in seconds, its rate (None where that varies)."""

    path: Path
    frames: int
    duration: Fraction
    fps: Fraction | None
