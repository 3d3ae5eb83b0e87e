"""Fades: found by their levels alone, not mistaken for motion or motion for them, and kept linear."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from vsvfi.backends.flow import fade

import vsvfi
from vsvfi.frames.planes import PlaneFormat, Planes

from . import scenes

GRAY = PlaneFormat("GRAY", "int", 8, (0, 0), 160, 96)


def thumb(gain: float = 1.0, offset: float = 0.0, dx: float = 0.0) -> np.ndarray:
    levels = 255 * scenes.texture(96, 160, dx)[::4, ::4] * gain + offset
    return np.rint(np.clip(levels, 0, 255)).astype(np.uint8)


@pytest.mark.parametrize(("gain", "offset"), [(0.8, 4.0), (1.25, -5.0), (0.5, 8.0)])
def test_levels_are_recovered_in_spite_of_what_moves(gain: float, offset: float) -> None:
    second = thumb(gain, offset)
    second[5:12, 8:16] = 230  # a thing that came
    found = fade.find(thumb(), second)
    assert found.gain == pytest.approx(gain, abs=0.03)
    assert found.offset == pytest.approx(offset, abs=3)
    assert found.strength > 0.8


@pytest.mark.parametrize(
    "second",
    [thumb(), thumb(dx=3), thumb(dx=30), np.roll(thumb(), 7, 0), 255 - thumb()],
    ids=["still", "moved", "far", "cut", "negative"],
)
def test_motion_is_no_fade(second: np.ndarray) -> None:
    assert fade.find(thumb(), second).strength < 0.05


def test_black_and_flat_frames_are_harmless() -> None:
    black, gray = (np.full((24, 40), level, np.uint8) for level in (16, 120))
    for pair in ((black, black), (black, gray), (gray, black), (black, thumb()), (thumb(), black)):
        for table in fade.find(*pair).tables():
            assert table.dtype == np.uint8
            assert table.shape == (256,)
            assert (np.diff(table.astype(int)) >= 0).all(), "levels must keep their order"


@pytest.mark.parametrize("motion", [0.0, 4.0])
def test_a_fade_is_never_worse_than_a_blend(motion: float) -> None:
    model = vsvfi.load("flow", device="cpu")
    first, second = scenes.planes(GRAY), scenes.planes(GRAY, motion, 0, gain=0.7)
    truth = scenes.planes(GRAY, motion / 2, 0, gain=0.85).data[0]
    made = model.synthesize(model.relate(model.encode(first), model.encode(second)), 0.5)
    assert isinstance(made, Planes)
    got = scenes.psnr(made.data[0], truth, 255, 8)
    plain = scenes.psnr((first.data[0].double() + second.data[0].double()) / 2, truth, 255, 8)
    assert got >= min(plain, 50)  # 50: both are within rounding
    assert abs(float(made.data[0].double().mean() - truth.double().mean())) < 1, "brightness must go evenly"
    assert not torch.equal(made.data[0], first.data[0])
