"""What IFRNet's tests share: weights of the recipe, weights that blend, and models made of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from vsvfi.backends.ifrnet.model import IFRNet

from tests.golden import recipe
from vsvfi.weights import registry

HERE = Path(__file__).resolve().parents[1] / "golden/ifrnet"
PUBLISHED = {"ifrnet-s": "IFRNet_S", "ifrnet": "IFRNet", "ifrnet-l": "IFRNet_L"}
"""Models and the published names of their sizes."""
SIZES = {"small": (128, 192), "odd": (117, 203)}
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@cache
def facts(name: str) -> dict:
    """What a clone knows of the published answers of one size."""
    found: dict = json.loads((HERE / f"{PUBLISHED[name]}.json").read_text(encoding="utf-8"))
    return found


@cache
def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Published keys and shapes."""
    keys = json.loads((HERE / f"{PUBLISHED[name]}.keys.json").read_text(encoding="utf-8"))["shapes"]
    return {key: tuple(shape) for key, shape in keys.items()}


@cache
def weights(name: str) -> dict[str, Tensor]:
    """Of the recipe: what the published answers were made with. They heed t."""
    filled = recipe.fill_state_dict(shapes(name), facts(name)["recipe"]["overrides"])
    return {key: torch.from_numpy(value) for key, value in filled.items()}


@cache
def blending(heed: float = 0.0) -> dict[str, Tensor]:
    """Weights of ifrnet-s that find no motion and mix both frames: evenly, or, with `heed`, by t.

    t goes down one channel of all decoders: the mask is sigmoid(heed * (1/2 - t)).
    """
    made = {key: torch.zeros(shape) for key, shape in shapes("ifrnet-s").items()}
    for key, value in made.items():
        if key.endswith((".1.weight", ".prelu.weight")) and value.ndim == 1:
            value.fill_(1)  # slopes of 1: nothing is cut off
    first = made["decoder4.convblock.0.0.weight"]
    first[0, -1, 1, 1] = -heed
    made["decoder4.convblock.0.0.bias"][0] = heed / 2
    for k in (4, 3, 2, 1):
        made[f"decoder{k}.convblock.2.weight"][0, 4] = 1 / 4  # a pixel of the doubled size lies under four taps
        if k < 4:
            made[f"decoder{k}.convblock.0.0.weight"][0, 0, 1, 1] = 1
    return made


def built(name: str, weights: dict[str, Tensor], precision: str = "fp32") -> IFRNet:
    """A model with these weights."""
    return IFRNet(registry.known()[name], torch.device("cpu"), DTYPES[precision], weights)


@cache
def model(name: str, precision: str = "fp32") -> IFRNet:
    """With the weights of the recipe."""
    return built(name, weights(name), precision)


@cache
def frames(size: str) -> tuple[Tensor, Tensor]:
    """The two frames the published answers were made of, (1, 3, H, W)."""
    image0, image1 = recipe.make_frames(*SIZES[size])
    return torch.from_numpy(image0)[None], torch.from_numpy(image1)[None]
