"""What SDL's tests share: weights of the recipe, weights that blend, and models made of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from vsvfi.backends.sdl.model import SDL

from tests.golden import recipe
from vsvfi.weights import registry

HERE = Path(__file__).resolve().parents[1] / "golden/sdl"
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
FACTS: dict = json.loads((HERE / "metadata.json").read_text(encoding="utf-8"))
"""Which recipe made the published answers, and which part of them lies beside."""


@cache
def shapes(images: int) -> dict[str, tuple[int, ...]]:
    """The official file's keys, of the network for two images or for one."""
    name = {1: "i2i.keys.json", 2: "vfi.keys.json"}[images]
    keys = json.loads((HERE / name).read_text(encoding="utf-8"))
    return {key: tuple(shape) for key, shape in keys["shapes"].items()}


@cache
def weights(images: int = 2) -> dict[str, Tensor]:
    """Of the recipe: what the published answers were made with."""
    made = recipe.fill_state_dict(shapes(images), FACTS["gain_overrides"])
    return {key: torch.from_numpy(value) for key, value in made.items()}


@cache
def blending(images: int = 2) -> dict[str, Tensor]:
    """Weights that mix: (1 - t) of the first image and t of the second, or of the first image's negative.

    Three channels carry what is added, scaled by t, three carry the first image.
    """
    made = {key: torch.zeros(shape) for key, shape in shapes(images).items()}
    for key, value in made.items():
        if value.ndim == 1 and key.endswith(".weight"):
            value.fill_(1)  # a PReLU that does nothing
    scaled, plain = 0, 16  # first channels: those of up5 that t scales, and those that it does not
    for c in range(3):
        kept = made["head.0.weight"]
        if images == 2:
            _centre(kept)[scaled + c, [c, 3 + c]] = torch.tensor([-1.0, 1.0])
        else:
            _centre(kept)[scaled + c, c] = -2.0
            made["head.0.bias"][scaled + c] = 1.0
        _centre(kept)[plain + c, c] = 1.0
        for first in (scaled + c, plain + c):
            _centre(made["head.2.weight"])[first, first] = 1.0
            _centre(made["up5.decouple.0.weight"])[first, 32 + first] = 1.0
            _centre(made["up5.merge.0.weight"])[c, first] = 1.0
        _centre(made["tail.0.weight"])[c, c] = 1.0
        _centre(made["gridnet.lateral_final.conv.weight"])[c, c] = 1.0
    return made


def _centre(weight: Tensor) -> Tensor:
    return weight[:, :, 1, 1]


@cache
def model(name: str = "sdl-vfi-psnr", precision: str = "fp32") -> SDL:
    """With the weights of the recipe."""
    return built(weights(registry.known()[name].inputs), name, precision)


def built(weights: dict[str, Tensor], name: str = "sdl-vfi-psnr", precision: str = "fp32") -> SDL:
    """One of the eleven with these weights."""
    return SDL(registry.known()[name], torch.device("cpu"), DTYPES[precision], weights)


def frames(height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """The two frames that published answers were made of, (1, 3, H, W)."""
    image0, image1 = recipe.make_frames(height, width, seed)
    return torch.from_numpy(image0)[None], torch.from_numpy(image1)[None]
