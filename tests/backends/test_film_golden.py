"""FILM equals the published network: answers of the original code, all in the facts folder, a few beside us."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from vsvfi.backends.film import checkpoint

from tests.backends import reference_film
from tests.backends.film import FACTS, HERE, SHAPES, frames, model, related, weights
from tests.golden import recipe
from vsvfi.weights import registry

IMAGE, FLOW = 1e-4, 1e-3
"""Largest difference allowed, in image values and in pixels."""


class Answers:
    """Published tensors by name, each taken at its own step in pixels."""

    def __init__(self, folder: Path, facts: dict) -> None:
        with np.load(folder / "film_net.npz") as file:
            self.tensors = {name: torch.from_numpy(file[name]) for name in file}
        self.facts = facts["tensors"]

    def off(self, name: str, ours: Tensor) -> float:
        """Largest difference of (C, H, W) from the answer."""
        step = self.facts[name]["stride"]
        assert list(ours.shape) == self.facts[name]["full_shape"]
        answer = self.tensors[name]
        taken = ours[..., ::step, ::step]
        assert taken.shape == answer.shape
        return (taken - answer).abs().max().item()


@pytest.fixture(scope="module")
def small() -> Answers:
    """Those that every clone has."""
    return Answers(HERE, FACTS)


@pytest.fixture(scope="module")
def whole(shared: Path) -> Answers:
    """All of them."""
    folder = shared / "golden/film"
    if not folder.is_dir():
        pytest.skip(f"no published answers: {folder} is absent (set VSVFI_SHARED)")
    return Answers(folder, json.loads((folder / "film_net.json").read_text(encoding="utf-8")))


@torch.inference_mode()
def raw(size: str, t: float) -> Tensor:
    return model().raw(related(size), t)[0]


def between(image0: Tensor, image1: Tensor, t: float) -> Tensor:
    return model().raw(model().relate(model().encode(image0), model().encode(image1)), t)


def test_keys_and_shapes_are_the_published_ones() -> None:
    for spec in registry.family("film"):
        expected = checkpoint.expected(spec)
        assert expected == SHAPES
        assert list(expected) == list(SHAPES)
    assert sum(np.prod(shape) for shape in SHAPES.values()) == 34_436_667


def test_the_recipe_is_the_one_of_the_facts_folder(whole: Answers, shared: Path) -> None:
    keys = json.loads((shared / "golden/film/film_net.keys.json").read_text(encoding="utf-8"))
    assert {key: tuple(shape) for key, shape in keys["shapes"].items()} == SHAPES
    theirs: dict = {}
    exec((shared / "golden/recipe.py").read_text(encoding="utf-8"), theirs)
    key = "fuse.convs.2.1.0.bias"
    assert np.array_equal(theirs["fill"](key, (128,), 1.35), recipe.fill(key, (128,), 1.35))
    assert np.array_equal(theirs["make_frames"](9, 14)[1], recipe.make_frames(9, 14)[1])


@pytest.mark.parametrize(("name", "t"), [("odd/t0.5/image", 0.5), ("small/t0.25/image", 0.25)])
def test_images_of_the_clone(small: Answers, name: str, t: float) -> None:
    assert small.off(name, raw(name.split("/")[0], t)) <= IMAGE


def test_flows_and_features_of_the_clone(small: Answers) -> None:
    motion = related("small")
    assert small.off("small/forward_flow_pyramid_0", motion.flow01[0][0]) <= FLOW
    assert small.off("small/backward_flow_pyramid_0", motion.flow10[0][0]) <= FLOW
    assert small.off("small/features0_level2", _four(motion.features0.features[2])) <= IMAGE


@pytest.mark.parametrize("t", [0.25, 0.5, 0.75])
def test_images_at_any_t_come_from_one_motion(whole: Answers, t: float) -> None:
    assert whole.off(f"small/t{t}/image", raw("small", t)) <= IMAGE


def test_an_odd_size_is_padded_as_published(whole: Answers) -> None:
    assert whole.off("odd/t0.5/image", raw("odd", 0.5)) <= IMAGE


@torch.inference_mode()
def test_the_network_takes_odd_sizes_unpadded(whole: Answers) -> None:
    assert whole.off("odd_unpadded/t0.5/image", model().net(*frames("odd"), 0.5)[0]) <= IMAGE


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_flows_of_every_level(whole: Answers, direction: str) -> None:
    flows = related("small").flow01 if direction == "forward" else related("small").flow10
    for level, flow in enumerate(flows):
        assert flow.dtype == torch.float32
        assert whole.off(f"small/{direction}_flow_pyramid_{level}", flow[0]) <= FLOW


@torch.inference_mode()
def test_features_of_every_level(whole: Answers) -> None:
    for level, features in enumerate(related("small").features0.features):
        assert whole.off(f"small/features0_level{level}", _four(features)) <= IMAGE


@torch.inference_mode()
@pytest.mark.parametrize("quarter", [1, 3])
def test_recursion_as_published(whole: Answers, quarter: int) -> None:
    assert whole.off(f"small/recursive/quarter{quarter}", model().halved(related("small"), quarter / 4)[0]) <= IMAGE


def test_recursion_of_the_clone(small: Answers) -> None:
    with torch.inference_mode():
        assert small.off("small/recursive/quarter3", model().halved(related("small"), 0.75)[0]) <= IMAGE


@torch.inference_mode()
def test_a_batch_gives_what_its_pairs_give(whole: Answers) -> None:
    image0, image1 = frames("small")
    images = between(torch.cat([image0, image1]), torch.cat([image1, image0]), 0.25)
    assert whole.off("small/t0.25/image", images[0]) <= IMAGE
    assert (images[1] - between(image1, image0, 0.25)[0]).abs().max().item() <= IMAGE


@torch.inference_mode()
@pytest.mark.parametrize("t", [0.25, 0.5])
def test_the_plain_forward_gives_the_published_answers(whole: Answers, t: float) -> None:
    assert whole.off(f"small/t{t}/image", reference_film.interpolate(weights(), *frames("small"), t)[0]) <= IMAGE


@torch.inference_mode()
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (65, 130)], ids=str)
def test_other_sizes_equal_the_plain_forward(size: tuple[int, int]) -> None:
    image0, image1 = (torch.from_numpy(image)[None] for image in recipe.make_frames(*size, seed=3))
    plain = reference_film.padded(weights(), image0, image1, 0.4)
    ours = between(image0, image1, 0.4)
    assert ours.shape == image0.shape
    assert (ours - plain).abs().max().item() <= IMAGE


def _four(features: Tensor) -> Tensor:
    """The channels that the answers hold."""
    return features[0, :: features.shape[1] // 4]
