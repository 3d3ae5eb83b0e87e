"""What GIMM-VFI's tests share: weights of the recipe, and models made of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from vsvfi.backends.gimmvfi.estimator import FlowEstimator
from vsvfi.backends.gimmvfi.model import GIMMVFI

from tests.golden import recipe
from vsvfi.weights import registry

HERE = Path(__file__).resolve().parents[1] / "golden/gimmvfi"
CPU = torch.device("cpu")
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
ESTIMATORS = {"raft-gimm": "r", "flowformer-gimm": "f"}
"""By name: the letter of the models that hold it."""
IMAGE, PIXELS = {"r": 1e-4, "f": 5e-4}, {"r": 1e-3, "f": 2e-3}
"""Of images in [0, 1], and of flows: what FlowFormer's own code differs by from one convolution to another is more."""
both = pytest.mark.parametrize("letter", ["r", "f"])


@cache
def facts(letter: str = "r") -> dict:
    """Which recipe made the published answers."""
    known: dict = json.loads((HERE / f"gimmvfi_{letter}.json").read_text(encoding="utf-8"))
    return known


def shapes(name: str = "gimmvfi_r") -> dict[str, tuple[int, ...]]:
    """The official file's keys."""
    keys = json.loads((HERE / f"{name}.keys.json").read_text(encoding="utf-8"))
    return {key: tuple(shape) for key, shape in keys.items()}


@cache
def weights(letter: str = "r") -> dict[str, Tensor]:
    """Of the recipe: what the published answers were made with."""
    made = recipe.fill_state_dict(shapes(f"gimmvfi_{letter}"), facts(letter)["gain_overrides"])
    return {key: torch.from_numpy(value) for key, value in made.items()}


@cache
def model(letter: str = "r", precision: str = "fp32") -> GIMMVFI:
    """With the weights of the recipe."""
    return GIMMVFI(registry.known()[f"gimmvfi-{letter}"], CPU, DTYPES[precision], weights(letter))


@cache
def estimator(name: str = "raft-gimm") -> FlowEstimator:
    """With the weights inside the same file."""
    return FlowEstimator(registry.known()[name], CPU, torch.float32, weights(ESTIMATORS[name]))


def frames(height: int, width: int, seed: int = 0, n: int = 1) -> tuple[Tensor, Tensor]:
    """As the published answers were made for."""
    made = [recipe.make_frames(height, width, seed=seed + k) for k in range(n)]
    first, second = (torch.stack([torch.from_numpy(pair[k]) for pair in made]) for k in (0, 1))
    return first, second


@cache
def answers(folder: Path, name: str) -> dict[str, Tensor]:
    """Published ones, by name."""
    with np.load(folder / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key].astype(np.float32)) for key in file.files}


def off(found: Tensor, answer: Tensor) -> float:
    """What 99.9 % of the values are within: where a splat's coverage ends, the published operator jumps."""
    assert found.shape == answer.shape
    return float((found - answer).abs().flatten().double().quantile(0.999))
