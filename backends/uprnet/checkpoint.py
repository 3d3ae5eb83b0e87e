"""Official UPR-Net files: which keys and shapes they have, and how they get into network.UPRNet.

The network carries the published names, so nothing is renamed; a leading "module." is taken off where files are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from vsvfi.errors import WeightsError
from vsvfi.model import ModelSpec
from vsvfi.weights.checkpoint import misfit

from .network import WIDTHS, UPRNet


def expected(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Official keys and their shapes."""
    return dict(published(spec.variant))


def network(
    variant: str, weights: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype, search: torch.dtype
) -> UPRNet:
    """The network with these weights, for inference: synthesis in `dtype`, features and motion in `search`.

    Raises:
        WeightsError: keys or shapes are not those of this variant; the message names some.
    """
    differs = misfit(published(variant), {key: tuple(value.shape) for key, value in weights.items()})
    if differs:
        raise WeightsError(f"these are not the weights of UPR-Net {variant}: {differs}")
    with torch.device("meta"):
        net = UPRNet(WIDTHS[variant])
    # Copies, so that a caller's tensors stay his own.
    cast = {
        key: value.detach().to(device, dtype if key.startswith("synthesis_network.") else search, copy=True)
        for key, value in weights.items()
    }
    net.load_state_dict(cast, strict=True, assign=True)
    return net.to(memory_format=torch.channels_last).requires_grad_(False).eval()


@cache
def published(variant: str) -> dict[str, tuple[int, ...]]:
    """Official keys and their shapes."""
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in UPRNet(WIDTHS[variant]).state_dict().items()}
