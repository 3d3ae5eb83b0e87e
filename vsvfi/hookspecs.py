"""What a plugin may implement: two hooks. A plugin is a module named in the entry-point group `vsvfi`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import torch

    from .model import Model, ModelSpec

PROJECT = "vsvfi"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def vsvfi_models() -> list[ModelSpec]:  # type: ignore[empty-body]
    """The models this plugin offers; called often, so plain data, no torch.

    Returns:
        One spec a model. A name another plugin registered earlier is ignored with a warning.
    """


@hookspec(firstresult=True)
def vsvfi_build(
    spec: ModelSpec,
    device: torch.device,
    dtype: torch.dtype,
    weights: Mapping[str, torch.Tensor] | None,
) -> Model | None:
    """Make a model, or return None if the spec is another plugin's; the first answer that is not None wins.

    Args:
        spec: one of those `vsvfi_models` gave.
        device: where it is to compute.
        dtype: torch.float32, torch.float16 or torch.bfloat16, one of the spec's precisions.
        weights: the state_dict, under the official checkpoint's keys; None where the spec has no checkpoint.
            A plugin that needs no weights may leave this argument out of its signature.
    """
