"""What UPR-Net's tests share: weights of the recipe, weights that blend, and models made of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from vsvfi.backends.uprnet.model import UPRNet

from tests.golden import recipe
from vsvfi.weights import registry

HERE = Path(__file__).resolve().parents[1] / "golden/uprnet"
VARIANTS = ("base", "large", "llarge")
SIZES = {"small": (128, 192), "odd": (117, 203)}
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@cache
def facts(variant: str) -> dict:
    """Which recipe made the published answers, and which part of them lies beside."""
    found: dict = json.loads((HERE / f"upr-{variant}.json").read_text(encoding="utf-8"))
    return found


@cache
def shapes(variant: str) -> dict[str, tuple[int, ...]]:
    """The official file's keys."""
    keys = json.loads((HERE / f"upr-{variant}.keys.json").read_text(encoding="utf-8"))
    return {key: tuple(shape) for key, shape in keys["shapes"].items()}


@cache
def weights(variant: str) -> dict[str, Tensor]:
    """Of the recipe: what the published answers were made with."""
    made = recipe.fill_state_dict(shapes(variant), facts(variant)["overrides"])
    return {key: torch.from_numpy(value) for key, value in made.items()}


@cache
def blending(variant: str = "base", flow: float = 0.0) -> dict[str, Tensor]:
    """Weights that find one flow everywhere, `flow` pixels to the right from 0 to 1, and trust both frames alike."""
    made = {key: torch.zeros(shape) for key, shape in shapes(variant).items()}
    made["motion_estimator.conv_layer6.0.bias"] = torch.tensor([flow, 0, -flow, 0])
    return made


@cache
def model(variant: str, precision: str = "fp32") -> UPRNet:
    """With the weights of the recipe."""
    return built(weights(variant), variant, precision)


def built(weights: dict[str, Tensor], variant: str = "base", precision: str = "fp32") -> UPRNet:
    """One of the three with these weights."""
    return UPRNet(registry.known()[f"uprnet-{variant}"], torch.device("cpu"), DTYPES[precision], weights)


def frames(size: str) -> tuple[Tensor, Tensor]:
    """The two frames the published answers were made of, (1, 3, H, W)."""
    image0, image1 = recipe.make_frames(*SIZES[size])
    return torch.from_numpy(image0)[None], torch.from_numpy(image1)[None]
