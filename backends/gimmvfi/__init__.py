"""GIMM-VFI: optical flow carried to any t by an implicit function, frames merged along it; and its flow estimators."""

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
    return registry.family("gimmvfi")


@hookimpl
def vsvfi_build(
    spec: ModelSpec, device: torch.device, dtype: torch.dtype, weights: Mapping[str, torch.Tensor]
) -> Model | None:
    """Make one of them with the official checkpoint's tensors."""
    if spec.family != "gimmvfi":
        return None
    if spec.task == "flow":
        from .estimator import FlowEstimator

        return FlowEstimator(spec, device, dtype, weights)
    from .model import GIMMVFI  # torch arrives here, not at import

    return GIMMVFI(spec, device, dtype, weights)


@hookimpl
def vsvfi_checkpoint(spec: ModelSpec) -> Checkpoint | None:
    """The official keys and shapes."""
    if spec.family != "gimmvfi":
        return None
    from . import checkpoint

    return Checkpoint(shapes=checkpoint.expected(spec), twins=checkpoint.twins(spec))
