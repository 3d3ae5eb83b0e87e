"""Official IFRNet files: which keys and shapes they have, and how they get into network.IFRNet.

The network carries the published names, so nothing is renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from vsvfi.errors import WeightsError
from vsvfi.model import ModelSpec
from vsvfi.weights.checkpoint import misfit

from .network import SIZES, IFRNet


def expected(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Official keys and their shapes; trainings of one size differ in values only."""
    return dict(published(spec.variant))


def network(spec: ModelSpec, weights: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> IFRNet:
    """The network with these weights, for inference.

    Raises:
        WeightsError: keys or shapes are not this size's; the message names some.
    """
    differs = misfit(expected(spec), {key: tuple(value.shape) for key, value in weights.items()})
    if differs:
        raise WeightsError(f"these are not {spec.name}'s weights: {differs}")
    with torch.device("meta"):
        net = IFRNet(SIZES[spec.variant])
    # Copies, so that a caller's tensors stay his own.
    cast = {key: value.detach().to(device, dtype, copy=True) for key, value in weights.items()}
    net.load_state_dict(cast, strict=True, assign=True)
    return net.to(memory_format=torch.channels_last).requires_grad_(False).eval()


def ignores_t(weights: Mapping[str, Tensor]) -> bool:
    """Whether nothing is multiplied with t, the last input channel of decoder 4: then every t gives the frame at 1/2.

    So it is said to be with what was trained on Vimeo-90K, where t is 1/2 throughout.
    """
    return not bool(weights["decoder4.convblock.0.0.weight"][:, -1].any())


@cache
def published(size: str) -> dict[str, tuple[int, ...]]:
    """Official keys and their shapes of "s", "base" or "l"."""
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in IFRNet(SIZES[size]).state_dict().items()}
