"""A tiny family of models, and its weights in every kind of file that authors publish; all deterministic."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import vsvfi
from vsvfi.model import ModelSpec
from vsvfi.weights.checkpoint import Checkpoint

SHAPES = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,), "time.weight": (2, 5), "count": ()}
WIDE = {**SHAPES, "conv.weight": (8, 3, 3, 3), "conv.bias": (8,)}
OTHER = {"up.weight": (3, 6), "down.weight": (6, 3)}


def fill(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Values from the key's own seed, as the recipe of the published answers has them."""
    made = {}
    for key, shape in shapes.items():
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "little")
        made[key] = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return made


def without_t(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same, ignoring t, as a training at t = 1/2 leaves it."""
    return {key: torch.zeros_like(value) if key == "time.weight" else value for key, value in weights.items()}


def spec(name: str, **facts: Any) -> ModelSpec:
    plain = {
        "family": "tiny", "variant": "tiny", "summary": "a test's", "license": "MIT", "commercial": True,
        "source": "https://example.org/tiny", "checkpoint": f"{name}_official.pth",
    }  # fmt: skip
    return ModelSpec(name=name, **{**plain, **facts})


SPECS = [
    spec("tiny", timesteps="half"),
    spec("tiny-any"),
    spec("tiny-wide", license="CC-BY-NC-4.0", commercial=False),
    spec("other", family="other"),
    spec("silent", family="silent"),
]


@contextmanager
def little_memory(most: int = 100 << 20) -> Iterator[None]:
    """Fail if more bytes than `most` are taken meanwhile, even if they are given back; looks on Linux only."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not os.access(reset, os.W_OK):
        yield
        return
    reset.write_text("5")  # the peak starts anew from what is taken now
    before = _peak(status)
    yield
    assert _peak(status) - before < most


def _peak(status: Path) -> int:
    return next(int(line.split()[1]) << 10 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


class Plugin:
    """`silent` is listed, but nothing is said of its weights."""

    @vsvfi.hookimpl
    def vsvfi_models(self) -> list[ModelSpec]:
        return SPECS

    @vsvfi.hookimpl
    def vsvfi_checkpoint(self, spec: ModelSpec) -> Checkpoint | None:
        if spec.family == "other":
            return Checkpoint(shapes=OTHER)
        if spec.family != "tiny":
            return None
        promised = {"ignores_t": spec.timesteps == "half"}
        return Checkpoint(shapes=WIDE if spec.name == "tiny-wide" else SHAPES, facts=facts, promised=promised)

    @vsvfi.hookimpl
    def vsvfi_convert(self, family: str, source: Path) -> dict[str, Tensor] | None:
        return fill(SHAPES) if family == "tiny" and source.suffix == ".foreign" else None


def facts(weights: Mapping[str, Tensor]) -> dict[str, bool]:
    return {"ignores_t": not bool(weights["time.weight"].any())}


def module(weights: Mapping[str, Tensor]) -> nn.Module:
    """One that has these weights, and other attributes besides."""
    top = nn.Module()
    for key, value in weights.items():
        *path, name = key.split(".")
        inner = top
        for part in path:
            if not hasattr(inner, part):
                inner.add_module(part, nn.Module())
            inner = getattr(inner, part)
        inner.register_buffer(name, value) if value.ndim < 2 else setattr(inner, name, nn.Parameter(value))
        inner.scratch = torch.zeros(3)
        setattr(inner, "sizes", [1, 2])  # noqa: B010, nn.Module's own setter takes modules and tensors only
    return top


def scripted(weights: Mapping[str, Tensor], file: Path) -> None:
    """As torch.jit.script(...).save() writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that TorchScript is on its way out
        torch.jit.save(torch.jit.script(module(weights)), str(file))


def _saved(wrap: Callable[[dict[str, Tensor]], object], **how: Any) -> Callable[[dict[str, Tensor], Path], None]:
    return lambda weights, file: torch.save(wrap(dict(weights)), file, **how)


def _module(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"module.{key}": value for key, value in weights.items()}


def _parameters(weights: dict[str, Tensor]) -> dict[str, nn.Parameter]:
    return {key: nn.Parameter(value) for key, value in weights.items()}


OLD = {"_use_new_zipfile_serialization": False}
KINDS: dict[str, Callable[[dict[str, Tensor], Path], None]] = {
    "bare": _saved(lambda weights: weights),
    "old pickle": _saved(lambda weights: weights, **OLD),
    "state_dict": _saved(lambda weights: {"state_dict": weights, "epoch": 7, "best": 31.5}),
    "params": _saved(lambda weights: {"params": weights}),
    "params_ema before params": _saved(
        lambda weights: {"params": {k: v + 1 for k, v in weights.items()}, "params_ema": weights}
    ),
    "model, twice": _saved(lambda weights: {"model": {"state_dict": weights}, "step": torch.tensor(3)}),
    "network": _saved(lambda weights: {"network": weights}, **OLD),
    "module.": _saved(_module),
    "module. in state_dict": _saved(lambda weights: {"state_dict": _module(weights)}, **OLD),
    "parameters": _saved(_parameters),
    "a module's own": _saved(lambda weights: module(weights).state_dict()),
    "a module's own, old": _saved(lambda weights: module(weights).state_dict(), **OLD),
    "TorchScript": scripted,
    "safetensors": lambda weights, file: save_file({k: v.contiguous() for k, v in weights.items()}, file),
    "safetensors, module.": lambda weights, file: save_file(_module(weights), file),
}
"""What holds the same weights, by the kind of file."""
