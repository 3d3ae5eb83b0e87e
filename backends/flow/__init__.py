"""The classical backend: dense optical flow both ways, splatted to t; no weights, works as installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vsvfi.hookspecs import hookimpl
from vsvfi.weights import registry

if TYPE_CHECKING:
    from vsvfi.model import Model, ModelSpec


@hookimpl
def vsvfi_models() -> list[ModelSpec]:
    """One model, `flow`."""
    return registry.family("flow")


@hookimpl
def vsvfi_build(spec: ModelSpec) -> Model | None:
    """Make `flow`."""
    if spec.family != "flow":
        return None
    from .model import Flow  # OpenCV and numba arrive here, not at import

    return Flow(spec)
