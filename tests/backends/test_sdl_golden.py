"""SDL equals the published network and script: answers of the original code, all in the facts folder, a few here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from vsvfi.backends.sdl import checkpoint
from vsvfi.backends.sdl.network import SDLNet

from tests.backends import reference_sdl
from tests.backends.sdl import FACTS, HERE, frames, model, shapes, weights
from vsvfi.fitting import fitted
from vsvfi.weights import registry

IMAGE = 2e-5
"""Largest difference allowed, in image values."""

type Answer = np.ndarray
type Answers = Mapping[str, Answer]

RAW = {"t0.25": 0.25, "t0.5": 0.5, "t0.75": 0.75, "t-0.5": -0.5, "t0": 0.0, "t1": 1.0, "t1.5": 1.5}
"""Name of an answer -> t."""


@pytest.fixture(scope="module")
def whole(shared: Path) -> Path:
    """The folder that has all of them."""
    folder = shared / "golden/sdl"
    if not folder.is_dir():
        pytest.skip(f"no published answers: {folder} is absent (set VSVFI_SHARED)")
    return folder


def answers(folder: Path, name: str) -> dict[str, Answer]:
    with np.load(folder / f"{name}.npz") as file:
        return dict(file)


def taken(ours: Tensor, step: int = 1) -> Answer:
    """Every few pixels of (1, 3, H, W)."""
    return ours[0, :, ::step, ::step].numpy()


def off(ours: Answer, answer: Answer) -> float:
    assert ours.shape == answer.shape
    return float(np.abs(ours - answer).max())


@cache
def net(images: int, split: float = 0.5) -> SDLNet:
    made = SDLNet(images, split)
    made.load_state_dict(weights(images))
    return made.to(memory_format=torch.channels_last).requires_grad_(False).eval()


@cache
def inputs(name: str) -> Tensor:
    """Of the answers that are the network's own: nothing is limited to [0, 1] there."""
    if name == "i2i":
        return frames(128, 128, 3)[0]
    return torch.cat(frames(*{"vfi": (128, 192, 0), "vfi_split_batch": (64, 96, 2)}[name]), 1)


@torch.inference_mode()
def raw(name: str, t: float, split: float = 0.5) -> Tensor:
    x = inputs(name)
    made = net(x.shape[1] // 3, split)
    return made.synthesize(made.relate(x), torch.tensor(t))


@pytest.mark.parametrize("images", [1, 2])
def test_keys_and_shapes_are_the_published_ones(images: int) -> None:
    [spec, *_] = [spec for spec in registry.family("sdl") if spec.inputs == images]
    expected = checkpoint.expected(spec)
    assert list(expected.items()) == list(shapes(images).items())
    assert len(expected) == 275
    assert sum(np.prod(shape) for shape in expected.values()) == {1: 30_557_312, 2: 30_558_176}[images]


@pytest.mark.parametrize(("name", "case"), [("vfi", "t0.25"), ("vfi", "t0.5"), ("i2i", "t-0.5"), ("i2i", "t0.5")])
def test_answers_of_the_clone(name: str, case: str) -> None:
    step = FACTS["steps"][name][case]
    assert off(taken(raw(name, RAW[case]), step), answers(HERE, name)[case]) <= IMAGE


@pytest.mark.parametrize(
    ("name", "case"),
    [
        *(("vfi", f"t{t}") for t in ("0.25", "0.5", "0.75")),
        *(("i2i", f"t{t}") for t in ("-0.5", "0", "0.5", "1", "1.5")),
    ],
)
def test_every_answer_of_the_network(whole: Path, name: str, case: str) -> None:
    answer = answers(whole, name)[case]
    assert off(taken(raw(name, RAW[case])), answer) <= IMAGE
    assert (answer < 0).any(), "a stray clamp would show"


@pytest.mark.parametrize("split", [0.25, 0.3, 0.5, 0.75])
def test_other_splits(whole: Path, split: float) -> None:
    answer = answers(whole, "vfi_split_batch")[f"split{split}_t0.5"]
    assert off(taken(raw("vfi_split_batch", 0.5, split)), answer) <= IMAGE


@pytest.mark.parametrize("t", [0, 1])
def test_the_ends(whole: Path, t: int) -> None:
    assert off(taken(raw("vfi_split_batch", t)), answers(whole, "vfi_split_batch")[f"split0.5_t{t}"]) <= IMAGE


@torch.inference_mode()
def test_a_batch_with_a_t_for_each(whole: Path) -> None:
    image0, image1 = frames(64, 96, 2)
    both = torch.cat([torch.cat([image0, image1], 1), torch.cat([image1, image0], 1)])
    made = net(2).synthesize(net(2).relate(both), torch.tensor([0.25, 0.75]))
    assert off(made.numpy(), answers(whole, "vfi_split_batch")["batch_t0.25_t0.75_swapped"]) <= IMAGE


@torch.inference_mode()
@pytest.mark.parametrize("name", ["vfi", "i2i"])
def test_every_layer_that_is_known(whole: Path, name: str) -> None:
    """What lies between, where the rewriting leaves it: some channels and pixels of each, at t = 1/2."""
    found: dict[str, Tensor] = {}
    made = net(inputs(name).shape[1] // 3)
    hooks = [
        module.register_forward_hook(lambda module, given, out, key=key: found.update({key: out.clone()}))
        for key, module in made.named_modules()
    ]
    made.synthesize(made.relate(inputs(name)), torch.tensor(0.5))
    for hook in hooks:
        hook.remove()
    checked = 0
    for key, answer in answers(whole, name).items():
        layer = key.removeprefix("mid_")
        if key == layer or layer not in found:
            continue
        ours = found[layer][0]
        ours = ours[:: ours.shape[0] // 8]
        step = 4 if min(ours.shape[1:]) >= 32 else 1
        assert off(ours[:, ::step, ::step].numpy(), answer) <= IMAGE * max(1.0, float(np.abs(answer).max())), layer
        checked += 1
    assert checked == 14


@torch.inference_mode()
def test_an_odd_size_is_mirrored_and_cropped_as_published() -> None:
    image0, image1 = frames(117, 203, 1)
    made, kept = model(), answers(HERE, "vfi_odd")
    padded = made.encode(image0).image
    assert padded.shape == (1, 3, 128, 224)
    assert np.array_equal(padded[0, :, -16:, -32:].numpy(), kept["padded0_bottom_right"])
    ours = made.interpolate(image0, image1, 0.25)
    step = FACTS["steps"]["vfi_odd"]["t0.25"]
    assert off(taken(ours, step), kept["t0.25"].clip(0, 1)) <= IMAGE


@pytest.mark.parametrize("t", [0.25, 0.5])
def test_every_odd_answer(whole: Path, t: float) -> None:
    answer = answers(whole, "vfi_odd")[f"t{t}"]
    assert off(taken(model().interpolate(*frames(117, 203, 1), t)), answer.clip(0, 1)) <= IMAGE


@cache
def picture(seed: int, which: int = 0, size: tuple[int, int] = (117, 203)) -> Tensor:
    """As the script reads it from a file of 8 bits."""
    return (frames(*size, seed)[which] * 255).round() / 255


@cache
def scripted(task: str, t: float) -> Answer:
    """What the published script writes for its task and t, (H, W, 3) bytes."""
    first, second = picture(4), picture(4, 1)
    if task == "vfi":
        made = model("sdl-vfi-psnr").interpolate(first, second, t)
    elif task == "morphing":
        transition = model("sdl-dog2dog-scale")
        made = transition.interpolate(*fitted(transition.spec, first, picture(5), size=100), t)
    elif task.startswith("i2i"):
        face = model("sdl-aging-scale")
        made = face.interpolate(fitted(face.spec, first, size=70)[0], t=t)
    else:
        painter = model("sdl-style-transfer-arbitrary")
        made = painter.interpolate(*fitted(painter.spec, first, picture(6, 0, (90, 140))), t)
    return (made[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


TASKS = {
    **{f"vfi/0{k}_sdl.png": k / 4 for k in (1, 2, 3)},
    **{f"morphing/0{k}_sdl.png": k / 4 for k in (1, 2, 3)},
    **{f"i2i/0{k}_sdl.png": k / 4 for k in range(4)},
    **{f"i2i-extend/0{k}_sdl.png": (k - 3) / 4 for k in range(7)},
    **{f"style_transfer/0{k}_sdl.png": k / 3 for k in (1, 2)},
    "vfi-dir/001.png": 0.5,
}
"""File that the script writes -> t."""


def agrees(ours: Answer, answer: Answer) -> None:
    """Byte for byte, but for a value in a thousand that lies on the edge between two bytes."""
    assert ours.shape == answer.shape
    differing = np.abs(ours.astype(int) - answer)
    assert differing.max() <= 1
    assert (differing > 0).mean() <= 1e-3


@pytest.mark.parametrize("file", FACTS["steps"]["tasks"])
def test_tasks_of_the_script_in_the_clone(file: str) -> None:
    step = FACTS["steps"]["tasks"][file]
    agrees(scripted(file.split("/")[0], TASKS[file])[::step, ::step], answers(HERE, "tasks")[file])


@pytest.mark.parametrize("file", TASKS)
def test_every_task_of_the_script(whole: Path, file: str) -> None:
    task = file.split("/")[0].removesuffix("-dir")
    agrees(scripted(task, TASKS[file]), answers(whole, "tasks")[file])


@torch.inference_mode()
@pytest.mark.parametrize("columns", [6, 4, 2])
def test_the_plain_forward_gives_the_published_answers(whole: Path, columns: int) -> None:
    x = torch.cat(frames(64, 96, 2), 1)
    plain = reference_sdl.forward(weights(), x, torch.tensor([0.5]), columns=columns)
    name, key = ("vfi_split_batch", "split0.5_t0.5") if columns == 6 else ("vfi_grid", f"ncol{columns}_t0.5")
    assert off(taken(plain), answers(whole, name)[key]) <= IMAGE


@torch.inference_mode()
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (65, 130), (230, 50)], ids=str)
def test_other_sizes_equal_the_plain_forward(size: tuple[int, int]) -> None:
    image0, image1 = frames(*size, 3)
    plain = reference_sdl.interpolate(weights(), image0, image1, 0.4)
    ours = model().interpolate(image0, image1, 0.4)
    assert ours.shape == image0.shape
    assert (ours - plain.clamp(0, 1)).abs().max().item() <= IMAGE
