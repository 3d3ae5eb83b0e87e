"""IFRNet equals the published networks: answers of the original code, all in the facts folder, a few beside us."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from vsvfi.backends.ifrnet import checkpoint
from vsvfi.backends.ifrnet.model import IFRNetMotion

from tests.backends import reference_ifrnet
from tests.backends.ifrnet import HERE, PUBLISHED, facts, frames, model, shapes, weights
from vsvfi.weights import registry

IMAGE, FLOW = 1e-4, 1e-3
"""Largest difference allowed, in image values and in pixels."""
PARAMETERS = {"ifrnet-s": 2_803_610, "ifrnet": 4_959_692, "ifrnet-l": 19_699_460}

each_size = pytest.mark.parametrize("name", PUBLISHED)


class Answers:
    """Published tensors by name, each taken at its own step in pixels."""

    def __init__(self, folder: Path, name: str) -> None:
        with np.load(folder / f"{PUBLISHED[name]}.npz") as file:
            self.tensors = {key: torch.from_numpy(file[key]) for key in file}
        self.facts = json.loads((folder / f"{PUBLISHED[name]}.json").read_text(encoding="utf-8"))["tensors"]

    def off(self, key: str, ours: Tensor) -> float:
        """Largest difference of (C, H, W) from the answer."""
        step = self.facts[key]["stride"]
        assert list(ours.shape) == self.facts[key]["full_shape"]
        taken = ours[..., ::step, ::step]
        assert taken.shape == self.tensors[key].shape
        return (taken - self.tensors[key]).abs().max().item()


@pytest.fixture
def whole(shared: Path) -> Path:
    """The folder of all answers."""
    folder = shared / "golden/ifrnet"
    if not folder.is_dir():
        pytest.skip(f"no published answers: {folder} is absent (set VSVFI_SHARED)")
    return folder


@torch.inference_mode()
def related(name: str, size: str, scale: float = 1.0) -> IFRNetMotion:
    made = model(name).configured(scale=scale)
    return made.relate(*(made.encode(image) for image in frames(size)))


@torch.inference_mode()
def between(name: str, size: str, t: float, scale: float = 1.0) -> Tensor:
    made = model(name).configured(scale=scale)
    return made.synthesize(related(name, size, scale), t)[0]


@each_size
def test_keys_and_shapes_are_the_published_ones(name: str) -> None:
    expected = checkpoint.expected(registry.known()[name])
    assert expected == shapes(name)
    assert list(expected) == list(shapes(name))
    assert sum(int(np.prod(shape)) for shape in expected.values()) == PARAMETERS[name]
    gopro = registry.known()[f"{name}-gopro"]
    assert checkpoint.expected(gopro) == expected


@each_size
def test_the_answers_of_the_clone(name: str) -> None:
    known = Answers(HERE, name)
    assert known.off("small/t0.25/image", between(name, "small", 0.25)) <= IMAGE
    assert known.off("odd/t0.5/image", between(name, "odd", 0.5)) <= IMAGE
    assert known.off("odd_scale0.8/t0.5/image", between(name, "odd", 0.5, 0.8)) <= IMAGE
    with torch.inference_mode():
        made = model(name).made(related(name, "small"), 0.5)
    assert known.off("small/t0.5/flow0", made.flow_t0[0]) <= FLOW


@each_size
def test_images_at_any_t_come_from_one_motion(whole: Path, name: str) -> None:
    known, motion = Answers(whole, name), related(name, "small")
    for t in (0.75, 0.25, 0.5):
        with torch.inference_mode():
            image = model(name).synthesize(motion, t)[0]
        assert known.off(f"small/t{t}/image", image) <= IMAGE, t


@each_size
@pytest.mark.parametrize("scale", [1.0, 0.8, 0.5])
def test_an_odd_size_is_padded_and_scaled_as_published(whole: Path, name: str, scale: float) -> None:
    key = "odd" if scale == 1 else f"odd_scale{scale}"
    assert Answers(whole, name).off(f"{key}/t0.5/image", between(name, "odd", 0.5, scale)) <= IMAGE


@each_size
@torch.inference_mode()
def test_what_leads_to_the_image(whole: Path, name: str) -> None:
    known, motion = Answers(whole, name), related(name, "small")
    made = model(name).made(motion, 0.5)
    assert known.off("small/t0.5/flow0", made.flow_t0[0]) <= FLOW
    assert known.off("small/t0.5/flow1", made.flow_t1[0]) <= FLOW
    assert known.off("small/t0.5/mask", made.mask[0]) <= IMAGE
    assert known.off("small/t0.5/residual", made.residual[0]) <= IMAGE
    for k in range(4):
        assert known.off(f"small/enc0_level{k + 1}", motion.features0[k][0, :8]) <= IMAGE


@pytest.mark.parametrize("key", ["odd/t0.5/flow0", "odd_scale0.8/t0.5/flow0"])
@each_size
@torch.inference_mode()
def test_flows_on_the_padded_grid(whole: Path, name: str, key: str) -> None:
    scale = 0.8 if "0.8" in key else 1.0
    made = model(name).configured(scale=scale).made(related(name, "odd", scale), 0.5)
    assert Answers(whole, name).off(key, made.flow_t0[0]) <= FLOW


@torch.inference_mode()
def test_a_batch_gives_what_its_pairs_give() -> None:
    (image0, image1), net = frames("small"), model("ifrnet-s")
    batch = net.interpolate(torch.cat([image0, image1]), torch.cat([image1, image0 * 0.5]), 0.25)
    assert Answers(HERE, "ifrnet-s").off("small/t0.25/image", batch[0]) <= IMAGE
    assert (batch[1] - net.interpolate(image1, image0 * 0.5, 0.25)[0]).abs().max().item() <= IMAGE


@torch.inference_mode()
def test_a_change_of_one_percent_is_seen() -> None:
    """The tolerances are tight enough to tell a wrong weight."""
    from tests.backends.ifrnet import built

    touched = {**weights("ifrnet-s")}
    touched["decoder3.convblock.1.conv2.0.weight"] = touched["decoder3.convblock.1.conv2.0.weight"] * 1.01
    image = built("ifrnet-s", touched).interpolate(*frames("small"), 0.25)[0]
    assert Answers(HERE, "ifrnet-s").off("small/t0.25/image", image) > 5 * IMAGE


@pytest.mark.parametrize("scale", [1.0, 0.5])
@torch.inference_mode()
def test_the_plain_forward_gives_what_the_stages_give(scale: float) -> None:
    image0, image1 = frames("small")
    plain = reference_ifrnet.interpolate(weights("ifrnet-s"), image0, image1, 0.3, scale)[0]
    assert (plain - between("ifrnet-s", "small", 0.3, scale)).abs().max().item() <= IMAGE
    assert facts("ifrnet-s")["repo"] == "ltkong218/IFRNet"
