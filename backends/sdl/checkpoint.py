"""Official SDL files: which keys and shapes they have, and how they get into network.SDLNet.

The files hold {"params": state_dict}; that wrapper, and a leading "module.", are taken off where files are read. The
network carries the published names, so nothing is renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from vsvfi.errors import WeightsError
from vsvfi.model import ModelSpec
from vsvfi.weights.checkpoint import misfit

from .network import SDLNet


def expected(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Official keys and their shapes."""
    return dict(published(spec.inputs))


def network(spec: ModelSpec, weights: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> SDLNet:
    """The network with these weights, for inference.

    Raises:
        WeightsError: keys or shapes are not those of this model; the message names some.
    """
    differs = misfit(published(spec.inputs), {key: tuple(value.shape) for key, value in weights.items()})
    if differs:
        raise WeightsError(f"these are not the weights of {spec.name}: {differs}")
    with torch.device("meta"):
        net = SDLNet(spec.inputs)
    # Copies, so that a caller's tensors stay his own.
    cast = {key: value.detach().to(device, dtype, copy=True) for key, value in weights.items()}
    net.load_state_dict(cast, strict=True, assign=True)
    return net.to(memory_format=torch.channels_last).requires_grad_(False).eval()


@cache
def published(images: int) -> dict[str, tuple[int, ...]]:
    """Official keys and their shapes of the network for one image or two."""
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in SDLNet(images).state_dict().items()}
