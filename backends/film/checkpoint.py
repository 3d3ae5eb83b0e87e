"""Official FILM files: which keys and shapes they have, and how they get into network.Film.

The network carries the published names, so nothing is renamed. The TensorFlow originals come through convert.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from vsvfi.errors import WeightsError
from vsvfi.model import ModelSpec
from vsvfi.weights.checkpoint import misfit

from .network import Film


def expected(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Official keys and their shapes: the same for all three trainings, which differ in values only."""
    return dict(published())


def to_ours(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official keys are the network's own.

    Raises:
        WeightsError: keys or shapes are not FILM's; the message names some.
    """
    differs = misfit(published(), {key: tuple(value.shape) for key, value in weights.items()})
    if differs:
        raise WeightsError(f"these are not FILM's weights: {differs}")
    return dict(weights)


def network(weights: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> Film:
    """The network with these weights, for inference.

    Raises:
        WeightsError: keys or shapes are not FILM's.
    """
    ours = to_ours(weights)
    with torch.device("meta"):
        net = Film()
    # Copies, so that a caller's tensors stay his own.
    cast = {key: value.detach().to(device, dtype, copy=True) for key, value in ours.items()}
    net.load_state_dict(cast, strict=True, assign=True)
    return net.to(memory_format=torch.channels_last).requires_grad_(False).eval()


@cache
def published() -> dict[str, tuple[int, ...]]:
    """Official keys and their shapes."""
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in Film().state_dict().items()}
