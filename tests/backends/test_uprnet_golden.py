"""UPR-Net equals the published network: answers of the original code, all in the facts folder, a few beside us."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from vsvfi.backends.uprnet import checkpoint
from vsvfi.backends.uprnet.model import UPRMotion

from tests.backends import reference_uprnet
from tests.backends.uprnet import HERE, VARIANTS, facts, frames, model, shapes, weights
from tests.golden import recipe
from vsvfi.weights import registry

IMAGE, FLOW = 1e-4, 1e-3
"""Largest difference allowed, in image values and in pixels."""

CASES = {
    "small/pyr3/t0.25": (3, 0),
    "small/pyr3/t0.5": (3, 0),
    "small/pyr3/t0.75": (3, 0),
    "small/pyr4_skip1/t0.5": (4, 1),
    "small/pyr4_skip2/t0.5": (4, 2),
    "small/pyr3_skip3/t0.5": (3, 3),
    "small/pyr5_skip0/t0.5": (5, 0),
    "odd/demo/t0.5": (None, None),
    "odd/pyr3/t0.5": (3, 0),
}
"""Name of the answer -> (levels, skipped levels); None: by the rule for the size."""


class Answers:
    """Published tensors of one variant by name, each taken at its own step in pixels."""

    def __init__(self, folder: Path, variant: str, tensors: dict) -> None:
        with np.load(folder / f"upr-{variant}.npz") as file:
            self.tensors = {name: torch.from_numpy(file[name]) for name in file}
        self.facts = tensors

    def off(self, name: str, ours: Tensor) -> float:
        """Largest difference of (C, H, W) from the answer."""
        step = self.facts[name]["stride"]
        assert list(ours.shape) == self.facts[name]["full_shape"]
        answer = self.tensors[name]
        taken = ours[..., ::step, ::step]
        assert taken.shape == answer.shape
        return (taken - answer).abs().max().item()


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def small(variant: str) -> Answers:
    """Those that every clone has."""
    return Answers(HERE, variant, facts(variant)["tensors"])


@pytest.fixture(scope="module")
def whole(variant: str, shared: Path) -> Answers:
    """All of them."""
    folder = shared / "golden/uprnet"
    if not folder.is_dir():
        pytest.skip(f"no published answers: {folder} is absent (set VSVFI_SHARED)")
    return Answers(folder, variant, json.loads((folder / f"upr-{variant}.json").read_text(encoding="utf-8"))["tensors"])


@cache
def related(variant: str, size: str, levels: int | None = 3, skipped: int | None = 0) -> UPRMotion:
    """One motion for all t."""
    made = model(variant).configured(levels=levels, skipped_levels=skipped)
    with torch.inference_mode():
        return made.relate(*(made.encode(image) for image in frames(size)))


@torch.inference_mode()
def image(variant: str, case: str) -> Tensor:
    size, _, t = case.split("/")
    return model(variant).synthesize(related(variant, size, *CASES[case]), float(t[1:]))[0]


def test_keys_and_shapes_are_the_published_ones(variant: str) -> None:
    expected = checkpoint.expected(registry.known()[f"uprnet-{variant}"])
    assert expected == shapes(variant)
    assert list(expected) == list(shapes(variant))
    parameters = {"base": 1_653_961, "large": 3_701_865, "llarge": 6_563_721}
    assert sum(np.prod(shape) for shape in shapes(variant).values()) == parameters[variant]


@pytest.mark.parametrize("case", ["odd/demo/t0.5", "small/pyr3/t0.25", "small/pyr4_skip2/t0.5"])
def test_images_of_the_clone(small: Answers, variant: str, case: str) -> None:
    assert small.off(f"{case}/image", image(variant, case)) <= IMAGE


def test_flows_of_the_clone(small: Answers, variant: str) -> None:
    motion = related(variant, "small")
    assert small.off("small/pyr3/bi_flow", full_size(motion)) <= FLOW
    assert small.off("small/pyr3/flow_level1", motion.flows[1][0]) <= FLOW


@pytest.mark.parametrize("case", CASES)
def test_every_image(whole: Answers, variant: str, case: str) -> None:
    assert whole.off(f"{case}/image", image(variant, case)) <= IMAGE


@pytest.mark.parametrize("case", [case for case in CASES if case.endswith("t0.5") and case != "odd/pyr3/t0.5"])
def test_every_flow(whole: Answers, variant: str, case: str) -> None:
    size, name, _ = case.split("/")
    assert whole.off(f"{size}/{name}/bi_flow", full_size(related(variant, size, *CASES[case]))) <= FLOW


def test_flows_and_features_of_every_level(whole: Answers, variant: str) -> None:
    motion = related(variant, "small")
    for level, flow in zip((2, 1, 0), motion.flows, strict=True):
        assert flow.dtype == torch.float32
        assert whole.off(f"small/pyr3/flow_level{level}", flow[0]) <= FLOW
    finest = motion.features0.levels[-1]
    for stage, features in enumerate((finest.full[:, 3:], finest.half, finest.quarter)):
        assert whole.off(f"small/pyr3/feat0_stage{stage}", features[0, :4]) <= IMAGE


@torch.inference_mode()
def test_a_batch_gives_what_its_pairs_give_in_one_call(whole: Answers, variant: str) -> None:
    image0, image1 = frames("small")
    made = model(variant).configured(levels=3)
    images = made.interpolate(torch.cat([image0, image1]), torch.cat([image1, image0]), 0.25)
    assert whole.off("small/pyr3/t0.25/image", images[0]) <= IMAGE
    assert (images[1] - made.interpolate(image1, image0, 0.25)[0]).abs().max().item() <= IMAGE


@torch.inference_mode()
@pytest.mark.parametrize(
    "case", ["small/pyr3/t0.25", "small/pyr4_skip2/t0.5", "small/pyr3_skip3/t0.5", "odd/demo/t0.5"]
)
def test_the_plain_forward_gives_the_published_answers(whole: Answers, variant: str, case: str) -> None:
    size, _, t = case.split("/")
    levels, skipped = CASES[case]
    plain = reference_uprnet.interpolate(weights(variant), *frames(size), float(t[1:]), levels, skipped or 0)
    assert whole.off(f"{case}/image", plain[0]) <= IMAGE


@torch.inference_mode()
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (65, 130), (230, 50)], ids=str)
def test_other_sizes_equal_the_plain_forward(size: tuple[int, int]) -> None:
    image0, image1 = (torch.from_numpy(image)[None] for image in recipe.make_frames(*size, seed=3))
    plain = reference_uprnet.interpolate(weights("base"), image0, image1, 0.4)
    ours = model("base").interpolate(image0, image1, 0.4)
    assert ours.shape == image0.shape
    assert (ours - plain).abs().max().item() <= IMAGE


def full_size(motion: UPRMotion) -> Tensor:
    return functional.interpolate(motion.flows[-1], scale_factor=4.0, mode="bilinear", align_corners=False)[0]
