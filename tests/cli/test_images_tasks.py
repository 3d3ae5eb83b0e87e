"""`vsvfi images` with models of every task: the files that the published script writes, byte for byte."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.backends import sdl
from tests.backends.test_sdl_golden import FACTS, HERE, TASKS, agrees, answers, picture

from .test_commands import run

SCRIPT = {
    "vfi": ("sdl-vfi-psnr", ["--num", "3"], 1),
    "morphing": ("sdl-dog2dog-scale", ["--num", "3", "--size", "100"], 1),
    "i2i": ("sdl-aging-scale", ["--num", "3", "--size", "70"], 0),
    "i2i-extend": ("sdl-aging-scale", ["--num", "3", "--size", "70", "--extend-t"], 0),
    "style_transfer": ("sdl-style-transfer-arbitrary", ["--num", "2"], 0),
}
"""Task of the script -> model, options, and the number our first made picture has: A itself comes before it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures as the golden set's, and installed weights."""
    where = tmp_path_factory.mktemp("pictures")
    pictures = {"a": picture(4), "b": picture(4, 1), "c": picture(5), "style": picture(6, 0, (90, 140))}
    for name, tensor in pictures.items():
        data = (tensor[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        cv2.imwrite(str(where / f"{name}.png"), data[..., ::-1])
    for name, _, _ in SCRIPT.values():
        save_file(sdl.weights(1 if "aging" in name else 2), where / f"{name}.safetensors")
    return where


@pytest.fixture(autouse=True)
def _installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSVFI_MODELS", str(folder))


def made(folder: Path, out: Path, task: str) -> list[np.ndarray]:
    """The pictures the command makes for a task, without A and B."""
    model, options, first = SCRIPT[task]
    second = {"vfi": ["b.png"], "morphing": ["c.png"], "style_transfer": ["style.png"]}.get(task, [])
    run("images", *(folder / name for name in ("a.png", *second)), "--model", model, *options, "--out", out)
    files = sorted(out.iterdir())
    pictures = [np.asarray(cv2.imread(str(file)))[..., ::-1] for file in files]
    return pictures[first : len(pictures) - first]


@pytest.mark.parametrize("task", SCRIPT)
def test_the_script_s_pictures(folder: Path, tmp_path: Path, task: str) -> None:
    found = made(folder, tmp_path / "out", task)
    expected = [file for file in TASKS if file.split("/")[0] == task]
    assert len(found) == len(expected)
    step = FACTS["steps"]["tasks"]
    for ours, file in zip(found, expected, strict=True):
        if file in step:
            agrees(np.ascontiguousarray(ours[:: step[file], :: step[file]]), answers(HERE, "tasks")[file])


@pytest.mark.parametrize("task", SCRIPT)
def test_all_the_script_s_pictures(shared: Path, folder: Path, tmp_path: Path, task: str) -> None:
    whole = answers(shared / "golden/sdl", "tasks")
    found = made(folder, tmp_path / "out", task)
    expected = [file for file in TASKS if file.split("/")[0] == task]
    for ours, file in zip(found, expected, strict=True):
        agrees(ours, whole[file])


def test_wrong_calls(folder: Path, tmp_path: Path) -> None:
    a, b = folder / "a.png", folder / "b.png"
    out = ("--out", tmp_path / "x")
    aging = ("--model", "sdl-aging-scale")
    assert "sdl-aging-scale takes one picture, A; got 2" in run("images", a, b, *aging, *out, expect=2)
    assert "flow takes two pictures, A and B; got 1" in run("images", a, *out, expect=2)
    assert "flow takes no amounts below 0; leave --extend-t out" in run("images", a, b, "--extend-t", *out, expect=2)
    assert not (tmp_path / "x").exists()
