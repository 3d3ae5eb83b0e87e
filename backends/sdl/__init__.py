"""SDL: space decoupled learning, images synthesised without flow, part of their features scaled by t; eleven models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vsvfi.hookspecs import hookimpl
from vsvfi.weights import registry
from vsvfi.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch

    from vsvfi.model import Model, ModelSpec


@hookimpl
def vsvfi_models() -> list[ModelSpec]:
    """The family's rows of models.yaml."""
    return registry.family("sdl")


@hookimpl
def vsvfi_build(
    spec: ModelSpec, device: torch.device, dtype: torch.dtype, weights: Mapping[str, torch.Tensor]
) -> Model | None:
    """Make one of them with the official checkpoint's tensors."""
    if spec.family != "sdl":
        return None
    from .model import SDL  # torch arrives here, not at import

    return SDL(spec, device, dtype, weights)


@hookimpl
def vsvfi_checkpoint(spec: ModelSpec) -> Checkpoint | None:
    """The official keys and shapes."""
    if spec.family != "sdl":
        return None
    from . import checkpoint

    return Checkpoint(shapes=checkpoint.expected(spec))
