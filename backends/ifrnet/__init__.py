"""IFRNet: intermediate feature refinement, a coarse-to-fine decoder that warps backward; six models."""

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
    return registry.family("ifrnet")


@hookimpl
def vsvfi_build(
    spec: ModelSpec, device: torch.device, dtype: torch.dtype, weights: Mapping[str, torch.Tensor]
) -> Model | None:
    """Make one of them with the official checkpoint's tensors."""
    if spec.family != "ifrnet":
        return None
    from .model import IFRNet  # torch arrives here, not at import

    return IFRNet(spec, device, dtype, weights)


@hookimpl
def vsvfi_checkpoint(spec: ModelSpec) -> Checkpoint | None:
    """The official keys and shapes; trainings of one size differ in whether t counts."""
    if spec.family != "ifrnet":
        return None
    from . import checkpoint

    def facts(weights: Mapping[str, torch.Tensor]) -> dict[str, bool]:
        return {"ignores_t": checkpoint.ignores_t(weights)}

    return Checkpoint(shapes=checkpoint.expected(spec), facts=facts, promised={"ignores_t": spec.timesteps == "half"})
