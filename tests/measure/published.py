"""The networks that are measured: weights for each, and its published forward written plainly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import Tensor

from tests.backends import (
    film,
    gimmvfi,
    ifrnet,
    reference_film,
    reference_gimmvfi,
    reference_ifrnet,
    reference_sdl,
    reference_uprnet,
    sdl,
    uprnet,
)
from tests.golden import recipe
from vsvfi import plugins
from vsvfi.model import ModelSpec

type Plain = Callable[[Mapping[str, Tensor], Tensor, Tensor, float], Tensor]

PLAIN: Mapping[str, Plain] = {
    "ifrnet": reference_ifrnet.interpolate,
    "uprnet": reference_uprnet.interpolate,
    "film": reference_film.padded,
    "sdl": reference_sdl.interpolate,
    "gimmvfi": reference_gimmvfi.interpolate,
}
"""By family: the frame at t of two, from nothing, with official weights and on their device.

They make tensors of their own: call them within `torch.device` of that device.
"""


@cache
def weights(name: str) -> Mapping[str, Tensor]:
    """Those of the parity tests, whose flows are of some pixels; of other networks what the recipe gives."""
    spec = plugins.spec(name)
    if spec.family == "ifrnet":
        return ifrnet.weights(name.removesuffix("-gopro"))
    if spec.family == "uprnet":
        return uprnet.weights(spec.variant)
    if spec.family == "film":
        return film.weights()
    if spec.family == "sdl":
        return sdl.weights(spec.inputs)
    if spec.family == "gimmvfi":
        return gimmvfi.weights(spec.variant[0])
    return {key: torch.from_numpy(value) for key, value in recipe.fill_state_dict(shapes(spec)).items()}


def shapes(spec: ModelSpec) -> Mapping[str, tuple[int, ...]]:
    """Official keys and shapes."""
    checkpoint = plugins.checkpoint(spec)
    assert checkpoint is not None, "every network of ours says what its weights are"
    return checkpoint.shapes
