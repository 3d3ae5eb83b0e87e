"""GIMM-VFI: optical flow carried to any t by an implicit function, frames merged along it; and its flow estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vsvfi.hookspecs import hookimpl
from vsvfi.weights import registry
from vsvfi.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch

    from vsvfi.model import Model, ModelSpec

_VARIANTS = ("r", "r-p", "raft")
"""Those built on RAFT; the rows of FlowFormer's are known, but nothing here runs them."""


@hookimpl
def vsvfi_models() -> list[ModelSpec]:
    """The family's rows of models.yaml that can be made."""
    return [spec for spec in registry.family("gimmvfi") if spec.variant in _VARIANTS]


@hookimpl
def vsvfi_build(
    spec: ModelSpec, device: torch.device, dtype: torch.dtype, weights: Mapping[str, torch.Tensor]
) -> Model | None:
    """Make one of them with the official checkpoint's tensors."""
    if spec.family != "gimmvfi":
        return None
    if spec.task == "flow":
        from .estimator import RAFTFlow

        return RAFTFlow(spec, device, dtype, weights)
    from .model import GIMMVFI  # torch arrives here, not at import

    return GIMMVFI(spec, device, dtype, weights)


@hookimpl
def vsvfi_checkpoint(spec: ModelSpec) -> Checkpoint | None:
    """The official keys and shapes."""
    if spec.family != "gimmvfi" or spec.variant not in _VARIANTS:
        return None
    from . import checkpoint

    return Checkpoint(shapes=checkpoint.expected(spec))
