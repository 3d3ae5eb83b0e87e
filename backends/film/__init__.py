"""FILM: features shared across scales, for large motion; one network, three trainings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vsvfi.hookspecs import hookimpl
from vsvfi.weights import registry
from vsvfi.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from vsvfi.model import Model, ModelSpec


@hookimpl
def vsvfi_models() -> list[ModelSpec]:
    """The family's rows of models.yaml."""
    return registry.family("film")


@hookimpl
def vsvfi_build(
    spec: ModelSpec, device: torch.device, dtype: torch.dtype, weights: Mapping[str, torch.Tensor]
) -> Model | None:
    """Make one of them with the official checkpoint's tensors."""
    if spec.family != "film":
        return None
    from .model import Film  # torch arrives here, not at import

    return Film(spec, device, dtype, weights)


@hookimpl
def vsvfi_checkpoint(spec: ModelSpec) -> Checkpoint | None:
    """The official keys and shapes."""
    if spec.family != "film":
        return None
    from . import checkpoint

    return Checkpoint(shapes=checkpoint.expected(spec))


@hookimpl
def vsvfi_convert(family: str, source: Path) -> Mapping[str, torch.Tensor] | None:
    """The published TensorFlow SavedModels."""
    if family != "film":
        return None
    from .convert import convert

    return convert(source)
