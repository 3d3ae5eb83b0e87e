"""Images brought to the sizes a model takes: those of the published script, sampled as OpenCV samples them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from vsvfi.errors import ShapeError
from vsvfi.fitting import fitted, resized, side
from vsvfi.testing.pictures import texture
from vsvfi.weights import registry

SPECS = registry.known()


@pytest.mark.parametrize(
    ("size", "expected"),
    [(1, 32), (32, 32), (63, 32), (64, 64), (70, 64), (100, 96), (511, 480), (512, 512), (4096, 512)],
)
def test_sides_as_the_published_script_has_them(size: int, expected: int) -> None:
    assert side(SPECS["sdl-aging-scale"], size) == expected
    assert side(SPECS["sdl-aging-512"], size) == 512


@pytest.mark.parametrize("size", [(117, 203), (40, 30), (300, 500)], ids=str)
def test_squares_are_those_of_opencv(size: tuple[int, int]) -> None:
    image = texture(*size, seed=2)
    [square] = fitted(SPECS["sdl-toonification-scale"], image, size=96)
    assert square.shape == (1, 3, 96, 96)
    published = cv2.resize(np.ascontiguousarray(image[0].permute(1, 2, 0)), (96, 96), interpolation=cv2.INTER_LINEAR)
    assert np.abs(square[0].permute(1, 2, 0).numpy() - published).max() <= 1e-5  # of positions up to 500 in float32


def test_both_pictures_of_a_transition_become_squares() -> None:
    first, second = fitted(SPECS["sdl-dog2dog-512"], texture(40, 60), texture(70, 30), size=64)
    assert first.shape == second.shape == (1, 3, 512, 512)


def test_a_style_takes_the_contents_size_and_both_are_cut() -> None:
    image, painting = texture(117, 203, 1), texture(90, 140, 2)
    content, style = fitted(SPECS["sdl-style-transfer-arbitrary"], image, painting)
    assert torch.equal(content, image[..., :96, :192])
    assert torch.equal(style, resized(painting, 117, 203)[..., :96, :192])
    with pytest.raises(ShapeError, match="sdl-style-transfer-arbitrary needs at least 32x32, got 60x31"):
        fitted(SPECS["sdl-style-transfer-arbitrary"], texture(31, 60), painting)


def test_frames_are_left_as_they_are() -> None:
    images = texture(17, 31), texture(17, 31, 1)
    assert fitted(SPECS["sdl-vfi-psnr"], *images) == images


def test_positions_are_single_in_half_precision() -> None:
    """A ramp of 1024 steps keeps them: in bfloat16 the positions of the right half would be off by several pixels."""
    ramp = torch.linspace(0, 1, 1024).expand(1, 1, 4, 1024)
    half, whole = resized(ramp.bfloat16(), 4, 700), resized(ramp.bfloat16().float(), 4, 700)
    assert torch.equal(half, whole.bfloat16())
