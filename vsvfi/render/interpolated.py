"""The one place where a render asks for in-between frames: settings to `vsvfi.Interpolate`, its errors to ours."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vapoursynth as vs

from ..errors import OptionError, RenderError

if TYPE_CHECKING:
    from .settings import Settings
    from .source import Source


def interpolated(source: Source, settings: Settings) -> vs.VideoNode:
    """The clip as `vsvfi.Interpolate` makes it.

    Raises:
        OptionError: an option of the filter cannot be used.
        RenderError: it refuses the clip, the model or the device.
    """
    from ..interpolate import Interpolate

    rate: dict[str, Any] = {"fps": settings.fps} if settings.fps is not None else {}
    if settings.factor is not None:
        rate["factor"] = settings.factor
    try:
        with tempfile.TemporaryDirectory(prefix="vsvfi-") as folder:
            if source.fps is None:
                rate["timecodes"] = _write_timecodes(source, Path(folder) / "timecodes.txt")
            return Interpolate(
                source.clip,
                settings.model,
                scene_change=settings.scene_change,
                device=settings.device,
                precision=settings.precision,
                scale=settings.scale,
                tile=settings.tile,
                protect=settings.protect,
                **rate,
            )
    except vs.Error as error:
        kind = OptionError if isinstance(error.__cause__, (OptionError, LookupError)) else RenderError
        raise kind(str(error)) from error


def _write_timecodes(source: Source, path: Path) -> Path:
    """A v2 file of the clip's times; in nanoseconds: finer than containers count, and still small fractions."""
    begin = source.times[0]
    lines = [f"{float((time - begin) * 1000):.6f}" for time in source.times]
    path.write_text("# timecode format v2\n" + "\n".join(lines) + "\n", encoding="ascii")
    return path
