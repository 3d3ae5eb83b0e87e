"""In-between video frames on demand, for VapourSynth and for plain tensors.

Public names are imported on first use, so that `import vsvfi` stays quick and pulls in neither torch nor vapoursynth.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .hookspecs import hookimpl as hookimpl
    from .interpolate import Interpolate as Interpolate
    from .loading import load as load
    from .model import Features as Features
    from .model import Model as Model
    from .model import ModelSpec as ModelSpec
    from .model import Motion as Motion
    from .transition import Stylize as Stylize
    from .transition import Transition as Transition
    from .transition import Translate as Translate

_HOME = {
    "Interpolate": "interpolate",
    "load": "loading",
    "hookimpl": "hookspecs",
    "Model": "model",
    "ModelSpec": "model",
    "Features": "model",
    "Motion": "model",
    "Transition": "transition",
    "Translate": "transition",
    "Stylize": "transition",
}

__all__ = [
    "Features",
    "Interpolate",
    "Model",
    "ModelSpec",
    "Motion",
    "Stylize",
    "Transition",
    "Translate",
    "__version__",
    "hookimpl",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
