"""What a plugin may implement: two hooks. A plugin is a module named in the entry-point group `vsvfi`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from .model import Model, ModelSpec
    from .weights.checkpoint import Checkpoint

PROJECT = "vsvfi"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def vsvfi_models() -> list[ModelSpec]:  # type: ignore[empty-body]
    """The models this plugin offers; asked once, when the plugins are found, so plain data, no torch.

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
    """Make a model, or return None if the spec is another plugin's: the one that listed it is asked first.

    Args:
        spec: one of those `vsvfi_models` gave.
        device: where it is to compute.
        dtype: torch.float32, torch.float16 or torch.bfloat16, one of the spec's precisions.
        weights: the state_dict, under the official checkpoint's keys; None where the spec has no checkpoint.

    A plugin leaves out of its signature what it does not need. One that leaves out `device` and `dtype`, computes on
    arrays and passes neither to `Model.__init__` keeps torch out of its users' processes.
    """


@hookspec(firstresult=True)
def vsvfi_checkpoint(spec: ModelSpec) -> Checkpoint | None:
    """Say which keys and shapes a model's published weights have, or return None if the spec is another plugin's.

    Optional. `vsvfi models install` holds a file against it, and tells by it which model a file is; without it a file
    is installed unchecked, and the model finds out.

    Args:
        spec: one of those `vsvfi_models` gave; it has a `checkpoint`.
    """


@hookspec(firstresult=True)
def vsvfi_convert(family: str, source: Path) -> Mapping[str, torch.Tensor] | None:
    """Read weights that are in no format of torch, for `vsvfi models convert`, or return None if it is not this family.

    Optional.

    Args:
        family: of a spec.
        source: the file or folder; untrusted, so nothing in it may be run.

    Returns:
        The state_dict, under the official checkpoint's keys.
    """
