"""Transition, Translate and Stylize: which frames there are, of what, at which t; and SDL's networks through vspipe."""

from __future__ import annotations

import random
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import vapoursynth as vs
from safetensors.torch import save_file

import vsvfi
from tests.backends import sdl
from vsvfi.model import Features, Model, ModelSpec, Motion
from vsvfi.testing.pictures import texture

from .conftest import all_data
from .models import Both, Held, spec

FPS = Fraction(24)


class Mix(Model):
    """first + t * (second - first), of one image first * (1 - t / 2); remembers its calls and what sizes came."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec, torch.device("cpu"), torch.float32)
        self.calls: list[tuple[str, object]] = []

    def encode(self, image) -> Features:
        image = self.padded(image).image
        self.calls.append(("encode", tuple(image.shape[-2:])))
        return Held(image)

    def relate(self, features0, features1) -> Motion:
        self.calls.append(("relate", features0 is features1))
        return Both(features0.image, features1.image)

    def synthesize(self, motion, t):
        self.calls.append(("synthesize", t))
        return motion.first * (1 - t / 2) if self.spec.inputs == 1 else torch.lerp(motion.first, motion.second, t)


def mix(task: str, **facts) -> Mix:
    return Mix(spec(f"mix-{task}", task=task, **facts))


def plain(value: int, length: int, format: int = vs.GRAY8, size: tuple[int, int] = (32, 24)) -> vs.VideoNode:
    planes = vs.core.get_video_format(format).num_planes
    return vs.core.std.BlankClip(
        format=format, width=size[0], height=size[1], length=length, color=[value] * planes, fpsnum=24, fpsden=1
    )


def values(clip: vs.VideoNode) -> list[int]:
    return [int(np.asarray(frame[0])[5, 5]) for frame in clip.frames()]


def test_a_transition_has_both_clips_and_frames_between() -> None:
    a, b = plain(0, 3), plain(200, 2)
    out = vsvfi.Transition(a, b, mix("transition"), 4, dither="none")
    assert out.num_frames == 9
    assert out.fps == FPS
    assert values(out) == [0, 0, 0, 40, 80, 120, 160, 200, 200]
    made = out.get_frame(4).props
    assert made["VsvfiTimestep"] == pytest.approx(0.4)
    assert made["VsvfiSource"] == 2
    assert made["VsvfiScene"] == "motion"
    assert (made["_DurationNum"], made["_DurationDen"]) == (1, 24)
    assert "_AbsoluteTime" not in made


def test_an_eased_transition_is_slow_at_both_ends() -> None:
    found = values(vsvfi.Transition(plain(0, 1), plain(255, 1), mix("transition"), 3, curve="eased", dither="none"))
    assert found == [0, 40, 128, 215, 255]


@pytest.mark.parametrize("model", ["flow", "test-blend"])
def test_a_model_that_interpolates_makes_transitions_too(model: str) -> None:
    out = vsvfi.Transition(plain(16, 2, vs.YUV420P8), plain(216, 2, vs.YUV420P8), model, 4)
    assert out.num_frames == 8
    assert values(out)[0] == 16
    assert values(out)[-1] == 216
    assert values(out) == sorted(values(out))


def test_both_ends_are_encoded_and_related_once() -> None:
    model = mix("transition")
    list(vsvfi.Transition(plain(0, 3), plain(200, 3), model, 20).frames())
    assert [name for name, _ in model.calls].count("encode") == 2
    assert [name for name, _ in model.calls].count("relate") == 1


def test_any_order_gives_the_same_bytes() -> None:
    out = vsvfi.Transition(plain(10, 2, vs.YUV420P10), plain(700, 2, vs.YUV420P10), mix("transition"), 9)
    order = list(range(out.num_frames))
    random.Random(1).shuffle(order)
    shuffled = {n: [bytes(out.get_frame(n)[p]) for p in range(3)] for n in order}
    again = vsvfi.Transition(plain(10, 2, vs.YUV420P10), plain(700, 2, vs.YUV420P10), mix("transition"), 9)
    assert [shuffled[n] for n in range(out.num_frames)] == [[bytes(f[p]) for p in range(3)] for f in again.frames()]


def test_models_of_squares_get_squares_and_frames_come_back_in_their_size() -> None:
    model = mix("transition", square_sides=(32, 512), multiple=32)
    a, b = plain(0, 1, size=(70, 50)), plain(200, 1, size=(70, 50))
    out = vsvfi.Transition(a, b, model, 1, size=64, dither="none")
    assert (out.width, out.height) == (70, 50)
    assert values(out) == [0, 100, 200]
    assert {size for name, size in model.calls if name == "encode"} == {(64, 64)}


def test_every_frame_is_translated_by_its_amount() -> None:
    model = mix("translate", timestep_range=(-1.0, 1.0))
    # Gray is limited: 16 is black, so 200 steps above it.
    out = vsvfi.Translate(plain(216, 5), model, lambda n: n / 4, dither="none")
    assert values(out) == [216, 191, 166, 141, 116]
    assert [name for name, _ in model.calls].count("encode") == 5
    assert all(one for name, one in model.calls if name == "relate")
    still = vsvfi.Translate(plain(116, 3), model, -1, dither="none")
    assert values(still) == [166] * 3
    assert still.get_frame(1).props["VsvfiTimestep"] == -1.0
    assert still.get_frame(1).props["VsvfiSource"] == 1
    assert still.get_frame(1).props["_AbsoluteTime"] == pytest.approx(1 / 24)


def test_an_amount_function_is_asked_once_for_a_frame() -> None:
    asked: list[int] = []

    def amount(n: int) -> float:
        asked.append(n)
        return 0.5

    list(vsvfi.Translate(plain(100, 6), mix("translate", timestep_range=(0.0, 1.0)), amount).frames())
    assert sorted(asked) == list(range(6))


def test_a_style_of_one_frame_is_encoded_once_and_a_moving_one_for_each() -> None:
    model = mix("stylize", timestep_range=(0.0, 1.0))
    assert values(vsvfi.Stylize(plain(0, 4), plain(200, 2), 0.5, model, dither="none")) == [100] * 4
    assert [name for name, _ in model.calls].count("encode") == 5
    moving = plain(0, 1) + plain(100, 1) + plain(200, 1) + plain(40, 1)
    other = mix("stylize", timestep_range=(0.0, 1.0))
    assert values(vsvfi.Stylize(plain(0, 4), moving, 1, other, dither="none")) == [0, 100, 200, 40]


def test_a_style_may_be_a_picture_and_of_another_size(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (99, 45), (200, 100, 50)).save(tmp_path / "style.png")
    out = vsvfi.Stylize(
        plain(0, 2, vs.RGB24), tmp_path / "style.png", 1.0, mix("stylize", timestep_range=(0.0, 1.0)), dither="none"
    )
    frame = out.get_frame(1)
    assert [int(np.asarray(frame[p])[3, 3]) for p in range(3)] == [200, 100, 50]


def amounts() -> Mix:
    return mix("translate", timestep_range=(0.0, 1.0))


def squares() -> Mix:
    return mix("transition", square_sides=(32, 512), multiple=32)


ERRORS = {
    "Transition: a must be a VapourSynth clip": lambda a, m: vsvfi.Transition(None, a, m),
    "Transition: a and b must have one size, got 32x24 and 64x24; convert": (
        lambda a, m: vsvfi.Transition(a, plain(0, 1, size=(64, 24)), m)
    ),
    "Transition: a and b must have one format, got Gray8 and RGB24": (
        lambda a, m: vsvfi.Transition(a, plain(0, 1, vs.RGB24), m)
    ),
    "Transition: a and b must have one rate, got 24/1 and 25/1": (
        lambda a, m: vsvfi.Transition(a, a.std.AssumeFPS(fpsnum=25), m)
    ),
    "Transition: length must be a whole number of frames, at least 1, got 0": (
        lambda a, m: vsvfi.Transition(a, a, m, 0)
    ),
    "Transition: curve must be one of 'linear', 'eased', got 'round'": (
        lambda a, m: vsvfi.Transition(a, a, m, curve="round")
    ),
    "Transition: mix-transition takes frames of any size; leave size out": (
        lambda a, m: vsvfi.Transition(a, a, m, size=64)
    ),
    "Transition: size must be a multiple of 32 from 32 to 512 for mix-transition, got 100": (
        lambda a, m: vsvfi.Transition(a, a, squares(), size=100)
    ),
    "Transition: sdl-aging-scale translates single images; use vsvfi.Translate": (
        lambda a, m: vsvfi.Transition(a, a, "sdl-aging-scale")
    ),
    "Translate: mix-transition ": lambda a, m: vsvfi.Translate(a, m),
    "Translate: amount must be from 0 to 1 for mix-translate, or a function of the frame's number, got 1.5": (
        lambda a, m: vsvfi.Translate(a, amounts(), 1.5)
    ),
    "Stylize: style must be a clip or the path of a picture, got 7": (
        lambda a, m: vsvfi.Stylize(a, 7, model=mix("stylize"))
    ),
    "Stylize: cannot read no/such.png; give a picture": (
        lambda a, m: vsvfi.Stylize(a, "no/such.png", model=mix("stylize"))
    ),
}


@pytest.mark.parametrize("message", ERRORS)
def test_wrong_calls_say_what_to_do(message: str) -> None:
    with pytest.raises(vs.Error) as caught:
        ERRORS[message](plain(0, 2), mix("transition"))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        (lambda n: 1 / (1 - n) if n else 0.5, r"Translate: frame 1: amount\(1\) failed: ZeroDivisionError"),
        (lambda n: n, r"Translate: frame 2: amount must be from 0 to 1 for mix-translate, got 2"),
        (lambda n: "much", r"Translate: frame 0: amount must be from 0 to 1 for mix-translate, got 'much'"),
    ],
)
def test_a_function_that_fails_is_named_with_its_frame(amount, message: str) -> None:
    with pytest.raises(vs.Error, match=message):
        list(vsvfi.Translate(plain(0, 4), amounts(), amount).frames())


def test_a_picture_bomb_is_not_decoded(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b""))
    with pytest.raises(vs.Error, match=r"Stylize: .*bomb\.png"):
        vsvfi.Stylize(plain(0, 2), tmp_path / "bomb.png", model=mix("stylize"))


SCRIPT = """
import vapoursynth as vs, vsvfi
a, b = (vs.core.std.BlankClip(format=vs.YUV420P10, width=70, height=50, length=2, color=c, fpsnum=24, fpsden=1)
        for c in ([200, 400, 600], [800, 600, 400]))
{call}.set_output()
"""
CALLS = {
    "sdl-dog2dog-scale": ("vsvfi.Transition(a, b, length=3, size=64)", 7),
    "sdl-aging-scale": ("vsvfi.Translate(a, amount=lambda n: n - 0.5, size=64)", 2),
    "sdl-style-transfer-arbitrary": ("vsvfi.Stylize(a, b, 0.5)", 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_through_vspipe(name: str, tmp_path: Path, monkeypatch) -> None:
    """The real program, with weights of the parity tests' recipe."""
    call, length = CALLS[name]
    save_file(sdl.weights(1 if "aging" in name else 2), tmp_path / f"{name}.safetensors")
    monkeypatch.setenv("VSVFI_MODELS", str(tmp_path))
    (tmp_path / "script.vpy").write_text(SCRIPT.format(call=call))
    done = subprocess.run(
        ["vspipe", tmp_path / "script.vpy", tmp_path / "out.raw"], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.raw").stat().st_size == length * 70 * 50 * 3


def test_geometry_stays() -> None:
    """A network that hands its image on gives the picture back where it was: nothing mirrored, shifted, scaled."""
    model = mix("translate", timestep_range=(0.0, 1.0), square_sides=(32, 512), multiple=32)
    picture = texture(90, 140, 3)[0]
    clip = vs.core.std.BlankClip(format=vs.RGBS, width=140, height=90, length=1)

    def fill(n, f):
        frame = f.copy()
        for p in range(3):
            np.copyto(np.asarray(frame[p]), picture[p].numpy())
        return frame

    source = clip.std.ModifyFrame(clip, fill)
    made = vsvfi.Translate(source, model, 0.0, size=128).get_frame(0)
    off = [np.abs(np.asarray(made[p]) - picture[p].numpy()).mean() for p in range(3)]
    mirrored = [np.abs(np.asarray(made[p])[:, ::-1] - picture[p].numpy()).mean() for p in range(3)]
    assert max(off) < 0.03
    assert min(mirrored) > 3 * max(off)


def test_bytes_are_the_same_every_time() -> None:
    clips = [vsvfi.Transition(plain(0, 2, vs.GRAY16), plain(60000, 2, vs.GRAY16), mix("transition"), 7) for _ in "ab"]
    assert all_data(clips[0]) == all_data(clips[1])
