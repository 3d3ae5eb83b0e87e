"""Official files: which keys and shapes they have, and how they get into our networks.

GIMM-VFI's hold {"state_dict": ...}, RAFT's and FlowFormer's a flat dict with "module." before every key; both wrappers
are taken off where files are read. The single-file conversions in safetensors hold the same keys. The norm of a strided
shortcut is registered twice in RAFT, as norm3 and as downsample.1: the same tensor; where a file has two, downsample.1
counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from vsvfi.errors import WeightsError
from vsvfi.model import ModelSpec
from vsvfi.weights.checkpoint import misfit

from .flowformer import FlowFormer
from .network import Network
from .raft import RAFT

_OURS = "gimm."
_MOTION = ("g_filter", "alpha_v", "alpha_fe", "cnn_encoder.", "res_conv.", "hyponet.")
_SYNTHESIS = ("amt_init_decoder.", "amt_final_decoder.", "amt_update4_", "amt_comb_block.")
_HYPONET = "hyponet."
_ESTIMATOR = "flow_estimator."
_ON_FLOWFORMER = ("f", "f-p", "flowformer")
"""Variants; the others are on RAFT."""
_SINGLE = (_OURS, "context_encoder.", "memory_encoder.feat_encoder.", "memory_encoder.channel_", "memory_decoder.")
"""What stays in single precision: motion at t, a thirtieth of the work, computes with flow of some hundred pixels; and
of FlowFormer all but the tokens, since 32 steps carry what features lack in half precision to a pixel and more."""
_FIRST, _SECOND = ".downsample.1.", ".norm3."


def expected(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Official keys and their shapes."""
    return dict(_published(spec.variant in _ON_FLOWFORMER, spec.task == "flow"))


def twins(spec: ModelSpec) -> tuple[tuple[str, str], ...]:
    """The keys of a strided shortcut's norm, and those that hold the same."""
    return tuple((key, key.replace(_FIRST, _SECOND)) for key in expected(spec) if _FIRST in key)


def network(spec: ModelSpec, weights: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> Network:
    """A whole model with these weights, for inference.

    Raises:
        WeightsError: keys or shapes are not those of this model; the message names some.
    """
    _check(spec, weights)
    with torch.device("meta"):
        net = Network(_inside(spec))
    ours = {_ours(key): _folded(value) if key.startswith(_HYPONET) else value for key, value in weights.items()}
    return _filled(net, ours, device, dtype)


def estimator(
    spec: ModelSpec, weights: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype
) -> RAFT | FlowFormer:
    """RAFT or FlowFormer with its own file's weights, or with those inside a whole model's file, trained further.

    Raises:
        WeightsError: as for `network`.
    """
    if any(key.startswith(_ESTIMATOR) for key in weights):
        weights = {key.removeprefix(_ESTIMATOR): v for key, v in weights.items() if key.startswith(_ESTIMATOR)}
    _check(spec, weights)
    with torch.device("meta"):
        net = _inside(spec)()
    return _filled(net, weights, device, dtype)


def _inside(spec: ModelSpec) -> type[RAFT | FlowFormer]:
    return FlowFormer if spec.variant in _ON_FLOWFORMER else RAFT


def _check(spec: ModelSpec, weights: Mapping[str, Tensor]) -> None:
    differs = misfit(expected(spec), {key: tuple(value.shape) for key, value in weights.items()})
    if differs:
        raise WeightsError(f"these are not the weights of {spec.name}: {differs}")


def _folded(layer: Tensor) -> Tensor:
    """(inputs + 1, outputs), a bias last: weights of length 1, as the published code makes them at each call."""
    return torch.cat([functional.normalize(layer[:-1], dim=0), layer[-1:]])


def _filled[M: nn.Module](net: M, weights: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> M:
    # Copies, so that a caller's tensors stay his own; counters of batches stay whole numbers.
    cast = {}
    for key, value in weights.items():
        if _SECOND not in key:
            single = key.removeprefix(_ESTIMATOR).startswith(_SINGLE) or not value.is_floating_point()
            layout = torch.channels_last if value.dim() == 4 else torch.preserve_format
            wanted = value.dtype if single else dtype
            cast[key] = value.detach().to(device, wanted, copy=True, memory_format=layout)
    net.load_state_dict(cast, strict=True, assign=True)
    return net.requires_grad_(False).eval()


@cache
def _published(on_flowformer: bool, alone: bool) -> dict[str, tuple[int, ...]]:
    inside = FlowFormer if on_flowformer else RAFT
    with torch.device("meta"):
        net: nn.Module = inside() if alone else Network(inside)
    found: dict[str, tuple[int, ...]] = {}
    for key, value in net.state_dict().items():
        name = key.removeprefix(_OURS).removeprefix("synthesis.")
        found[name] = tuple(value.shape)
        if _FIRST in name and ".cnet." in f".{name}":
            found[name.replace(_FIRST, _SECOND)] = tuple(value.shape)
    return found


def _ours(key: str) -> str:
    if key.startswith(_MOTION):
        return f"{_OURS}{key}"
    return f"synthesis.{key}" if key.startswith(_SYNTHESIS) else key
