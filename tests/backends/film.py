"""What FILM's tests share: weights of the recipe, weights that blend, and models made of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from vsvfi.backends.film.model import Film, FilmMotion

from tests.golden import recipe
from vsvfi.weights import registry

HERE = Path(__file__).resolve().parents[1] / "golden/film"
FACTS = json.loads((HERE / "film_net.json").read_text(encoding="utf-8"))
SHAPES = {
    key: tuple(shape)
    for key, shape in json.loads((HERE / "film_net.keys.json").read_text(encoding="utf-8"))["shapes"].items()
}
SIZES = {"small": (128, 192), "odd": (117, 203)}
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@cache
def weights() -> dict[str, Tensor]:
    """Of the recipe: what the published answers were made with."""
    return {k: torch.from_numpy(v) for k, v in recipe.fill_state_dict(SHAPES, FACTS["overrides"]).items()}


@cache
def blending(flow: float = 0.0) -> dict[str, Tensor]:
    """Weights that find the same flow everywhere, `flow` pixels to the right, and mix both warped frames evenly."""
    made = {key: torch.zeros(shape) for key, shape in SHAPES.items()}
    # Four coarse levels add it, and each level doubles what comes from below: (1 + 2 + 4 + 8) * 8 in all.
    made["predict_flow._predictor._convs.4.0.bias"][0] = flow / 120
    for k in range(3):
        made["fuse.convs.3.1.0.weight"][k, k, 1, 1] = 1  # frame 0; its 64 features follow, then frame 1
        made["fuse.convs.3.1.0.weight"][k + 3, k + 67, 1, 1] = 1
        made["fuse.output_conv.weight"][k, (k, k + 3), 0, 0] = 0.5
    for k in range(6):
        made["fuse.convs.3.2.0.weight"][k, k, 1, 1] = 1
    return made


@cache
def model(precision: str = "fp32") -> Film:
    """With the weights of the recipe."""
    return built(weights(), precision)


def built(weights: dict[str, Tensor], precision: str = "fp32", kind: type[Film] = Film) -> Film:
    """film-style with these weights."""
    return kind(registry.known()["film-style"], torch.device("cpu"), DTYPES[precision], weights)


def frames(size: str) -> tuple[Tensor, Tensor]:
    """The two frames the published answers were made of, (1, 3, H, W)."""
    image0, image1 = recipe.make_frames(*SIZES[size])
    return torch.from_numpy(image0)[None], torch.from_numpy(image1)[None]


@cache
def related(size: str, precision: str = "fp32") -> FilmMotion:
    """What `relate` knows of them."""
    with torch.inference_mode():
        features = [model(precision).encode(image.to(DTYPES[precision])) for image in frames(size)]
        return model(precision).relate(*features)
