"""Models for other tasks than interpolation: what they take is checked, and who else takes them says what to use."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
import torch
import vapoursynth as vs

import vsvfi
from vsvfi import loading, plugins
from vsvfi.errors import OptionError, ShapeError
from vsvfi.model import Model, ModelSpec, Task

FACTS: dict[str, Any] = {"family": "f", "variant": "v", "summary": "s", "license": "MIT", "source": "here"}


def spec(task: Task = "interpolate", **facts: Any) -> ModelSpec:
    return ModelSpec(name="face", task=task, commercial=True, **{**FACTS, **facts})


class First(Model):
    """Answers with the first image."""

    def encode(self, image):
        return image

    def relate(self, features0, features1):
        return features0

    def synthesize(self, motion, t):
        return motion


@pytest.mark.parametrize(
    ("task", "range", "taken", "refused"),
    [
        ("interpolate", (0.0, 1.0), (0.001, 0.5, 0.999), (0.0, 1.0, -0.5, 1.5)),
        ("transition", (0.0, 1.0), (0.001, 0.5, 0.999), (0.0, 1.0)),
        ("translate", (-1.0, 1.0), (-1.0, 0.0, 1.0), (-1.001, 1.001)),
        ("stylize", (0.0, 1.0), (0.0, 1.0), (-0.001, 1.001)),
    ],
)
def test_times(task: Task, range: tuple[float, float], taken: tuple[float, ...], refused: tuple[float, ...]) -> None:
    made = spec(task, timestep_range=range)
    assert all(map(made.admits, taken))
    assert not any(map(made.admits, (*refused, float("nan"))))
    image = torch.zeros(1, 3, 16, 16)
    model, second = First(made), image if made.inputs == 2 else None
    for t in taken:
        assert model.interpolate(image, second, t).shape == (1, 3, 16, 16)
    for t in refused:
        with pytest.raises(OptionError, match="t must"):
            model.interpolate(image, second, t)


def test_images_and_sizes() -> None:
    face = First(spec("translate", multiple=32, square_sides=(32, 512)))
    small = torch.zeros(1, 3, 64, 64)
    assert face.interpolate(small).shape == small.shape
    with pytest.raises(OptionError, match="face takes 1 image, got 2"):
        face.interpolate(small, small)
    wanted = "face takes squares with sides of 32 to 512 in steps of 32, got 64x32; vsvfi.fitting.fitted makes them"
    with pytest.raises(ShapeError, match=re.escape(wanted)):
        face.interpolate(small[..., :32, :])
    with pytest.raises(ShapeError, match="sides of 512, got 64x64"):
        First(spec("translate", multiple=32, square_sides=(512, 512))).interpolate(small)
    with pytest.raises(OptionError, match="face takes 2 images, got 1"):
        First(spec("stylize")).interpolate(small)
    with pytest.raises(OptionError, match="face finds flow and makes no images; relate gives its flow01 and flow10"):
        First(spec("flow")).interpolate(small, small)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("transition", "face makes transitions between two images; use vsvfi.Transition"),
        ("translate", "face translates single images; use vsvfi.Translate"),
        ("stylize", "face paints one image in the style of another; use vsvfi.Stylize"),
        ("flow", "face finds flow and makes no images; use vsvfi.load"),
    ],
)
def test_interpolate_says_what_to_use(task: Task, message: str) -> None:
    class Faces:
        @vsvfi.hookimpl
        def vsvfi_models(self):
            return [spec(task)]

        @vsvfi.hookimpl
        def vsvfi_build(self, spec, device, dtype):
            return First(spec, device, dtype) if spec.name == "face" else None

    clip, plugin = vs.core.std.BlankClip(width=64, height=64, length=3), Faces()
    plugins.register(plugin, "faces")
    try:
        for model in ("face", vsvfi.load("face", device="cpu")):
            with pytest.raises(vs.Error, match=re.escape(f"Interpolate: {message}")):
                vsvfi.Interpolate(clip, model)
    finally:
        plugins.unregister(plugin)


def test_tasks_are_told_apart_both_ways() -> None:
    loading.check_task(spec("translate"), "translate")
    with pytest.raises(OptionError, match=r"face makes frames in between; use vsvfi\.Interpolate"):
        loading.check_task(spec(), "transition")


def test_auto_takes_models_that_interpolate(monkeypatch: pytest.MonkeyPatch) -> None:
    best = {"quality": 99.0, "cost": 0.1}
    known = {"flow": plugins.spec("flow"), "face": spec("transition", **best)}
    monkeypatch.setattr(plugins, "specs", lambda: known)
    assert loading.choose("cpu", (64, 64)).name == "flow"
    known["face"] = dataclasses.replace(known["face"], task="interpolate")
    assert loading.choose("cpu", (64, 64)).name == "face"
