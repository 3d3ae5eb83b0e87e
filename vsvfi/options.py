"""What users type, checked and turned into one frozen Options; nothing here touches a clip or a device."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

from . import memory
from .errors import OptionError

type Rational = int | float | str | Fraction | Decimal
type SceneChange = bool | float | Literal["props"] | Collection[int] | Callable[..., bool]
type Static = Literal["hold", "off"] | float
OnSceneChange = Literal["hold", "next", "nearest", "blend"]
Dither = Literal["ordered", "none"]
Show = Literal["flow", "mask", "occlusion", "scene"]
Engine = Literal["auto", "eager", "graph", "compile"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]

MAX_DENOMINATOR = 1001
"""Floats are read as the nearest fraction with at most this denominator: enough for every NTSC ratio."""
OVERLAP = 64
"""Default overlap of tiles in pixels: beyond the reach of a network's last layers, so that seams do not show."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything `Interpolate` was asked for that is not the clip, the rate or the model; see its docstring."""

    scene_change: SceneChange = True
    on_scene_change: OnSceneChange = "hold"
    static: Static = "hold"
    protect: bool = False
    dither: Dither = "ordered"
    show: Show | None = None
    scale: float | None = None
    tile: tuple[int, int] | None = None
    overlap: int = OVERLAP
    engine: Engine = "auto"
    precision: Precision = "auto"
    vram: int | str | None = None
    model_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choice("on_scene_change", self.on_scene_change, get_args(OnSceneChange))
        choice("dither", self.dither, get_args(Dither))
        choice("engine", self.engine, get_args(Engine))
        choice("precision", self.precision, get_args(Precision))
        if self.show is not None:
            choice("show", self.show, get_args(Show))
        if not isinstance(self.protect, bool):
            raise OptionError(f"protect must be True or False, got {self.protect!r}")
        if not isinstance(self.model_options, Mapping):
            raise OptionError(f"options must be a dict of the model's own options, got {self.model_options!r}")
        memory.check(self.vram)
        _check_scale(self.scale)
        _check_static(self.static)
        _check_scene_change(self.scene_change)
        _check_tile(self.tile, self.overlap)


def choice(name: str, value: object, allowed: Collection[str]) -> None:
    """Raise OptionError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise OptionError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


def parse_rational(name: str, value: Rational) -> Fraction:
    """A positive exact number out of what users write: 2, 2.5, "60000/1001", "2.5", Fraction(5, 2), Decimal("2.5").

    Strings and decimals are taken exactly; floats as the nearest fraction with a denominator up to MAX_DENOMINATOR.

    Raises:
        OptionError: not a finite positive number.
    """
    wanted = f'{name} must be a positive number such as 2, 2.5, "5/2" or Fraction(5, 2), got {value!r}'
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Fraction, Decimal)):
        raise OptionError(wanted)
    try:
        # "60000/24000" and "60/23.976" alike: numerator and denominator may each be a decimal.
        parts = [Fraction(part) for part in value.split("/")] if isinstance(value, str) else [Fraction(value)]
        result = parts[0] / parts[1] if len(parts) == 2 else parts[0]
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise OptionError(wanted) from error
    if len(parts) > 2 or result <= 0:
        raise OptionError(wanted)
    return result.limit_denominator(MAX_DENOMINATOR) if isinstance(value, float) else result


def parse_factor(value: Rational) -> Fraction:
    """The factor, at least 1."""
    factor = parse_rational("factor", value)
    if factor < 1:
        raise OptionError(f"factor must be at least 1, got {value}")
    return factor


def parse_fps(value: Rational) -> Fraction:
    """A rate in frames per second; floats near an NTSC rate are that rate: 23.976 and 59.94 are 24000/1001, 60000/1001.

    A number typed with two or three decimals lies within 0.005 of the rate it means, and the NTSC rates lie at
    least 0.02 away from the whole ones.
    """
    if isinstance(value, float) or (isinstance(value, str) and "/" not in value):
        rate = parse_rational("fps", value)
        ntsc = Fraction(math.ceil(rate) * 1000, 1001)
        if rate.denominator != 1 and abs(rate - ntsc) < Fraction(5, 1000):
            return ntsc
        return rate
    return parse_rational("fps", value)


def parse_tile(value: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """(width, height) of a tile, or None."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    if isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(v, int) for v in value):
        return value[0], value[1]
    raise OptionError(f"tile must be a size in pixels or (width, height), got {value!r}")


def parse_devices(value: object) -> list[str | None]:
    """Names of devices; [None] leaves the choice to the machine."""
    if value is None:
        return [None]
    if isinstance(value, (list, tuple)):
        if not value:
            raise OptionError("device must name at least one device, got an empty list")
        return [str(v) for v in value]
    return [str(value)]


def check_path(name: str, value: object) -> None:
    """Raise OptionError unless `value` is a path."""
    if not isinstance(value, (str, Path)):
        raise OptionError(f"{name} must be a path, got {value!r}")


def _check_scale(scale: object) -> None:
    if scale is None:
        return
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale <= 8:
        raise OptionError(f"scale must be None or a number above 0 and at most 8, got {scale!r}")


def _check_static(static: object) -> None:
    if static in ("hold", "off"):
        return
    if isinstance(static, bool) or not isinstance(static, (int, float)) or not 0 <= static < 255:
        raise OptionError(
            f"static must be 'hold', 'off' or a mean difference in 8-bit code values from 0 to 255, got {static!r}"
        )


def _check_scene_change(value: object) -> None:
    if isinstance(value, bool) or value == "props" or callable(value):
        return
    if isinstance(value, float):
        if not 0 < value < 1:
            raise OptionError(f"scene_change as a threshold must lie between 0 and 1, got {value}")
        return
    if isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping)):
        if all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in value):
            return
        raise OptionError("scene_change as a list must hold frame numbers (first frames of new scenes)")
    raise OptionError(
        "scene_change must be True, False, a threshold between 0 and 1, 'props', a list of frame numbers, or a "
        f"function (n, frame0, frame1) -> bool, got {value!r}"
    )


def _check_tile(tile: tuple[int, int] | None, overlap: object) -> None:
    if isinstance(overlap, bool) or not isinstance(overlap, int) or overlap < 0:
        raise OptionError(f"overlap must be a whole number of pixels, 0 or more, got {overlap!r}")
    if tile is not None and min(tile) < max(64, 2 * overlap + 1):
        raise OptionError(
            f"tile must be at least 64 and more than twice the overlap ({overlap}), got {tile[0]}x{tile[1]}"
        )
