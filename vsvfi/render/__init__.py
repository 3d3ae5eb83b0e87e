"""From a video file to a video file: `render` in job.py reads (source), filters, encodes and muxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .job import RenderStopped as RenderStopped
    from .job import render as render
    from .settings import Progress as Progress
    from .settings import Report as Report
    from .settings import Settings as Settings

__all__ = ["Progress", "RenderStopped", "Report", "Settings", "render"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The command line reads settings.py for its defaults and must not load libav and VapourSynth for that.
    from . import job, settings

    return getattr(settings if hasattr(settings, name) else job, name)
