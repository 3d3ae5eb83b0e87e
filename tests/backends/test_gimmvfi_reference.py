"""GIMM-VFI's plain forward against published answers: what others are measured by must itself be right."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from . import reference_gimmvfi
from .gimmvfi import HERE, IMAGE, PIXELS, answers, both, frames, off, weights


@both
@torch.inference_mode()
def test_the_answers_in_the_clone(letter: str) -> None:
    known, image0, image1 = answers(HERE, f"gimmvfi_{letter}"), *frames(128, 192)
    there, back = reference_gimmvfi.estimated(weights(letter), image0, image1)
    flows = torch.stack([there.flow[0], back.flow[0]], 1)
    assert off(flows[..., ::4, ::4], known["flow_est_sub4"]) <= PIXELS[letter]
    flow_t = reference_gimmvfi.implicit(weights(letter), there.flow, back.flow, 0.5)
    assert off(flow_t[0, :, ::4, ::4], known["flowt_050_sub2"]) <= PIXELS[letter]
    image = reference_gimmvfi.forward(weights(letter), image0, image1, 0.5)
    assert off(image[0, :, ::4, ::4], known["img_050"]) <= IMAGE[letter]


@both
@torch.inference_mode()
def test_whole_images_of_an_odd_size(shared: Path, letter: str) -> None:
    known = answers(shared / "golden/gimmvfi", f"gimmvfi_{letter}_odd")
    image = reference_gimmvfi.interpolate(weights(letter), *frames(117, 203), 0.25)
    assert off(image[0], known["img_025"]) <= IMAGE[letter]


@both
@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_what_it_makes_goes_where_the_weights_are(letter: str, dtype: torch.dtype) -> None:
    """Two at once: no value is computed on this device, but a tensor of another device or dtype would be refused."""
    there = {
        key: value.to("meta", dtype if value.is_floating_point() else None) for key, value in weights(letter).items()
    }
    image = reference_gimmvfi.interpolate(there, *(image.to("meta") for image in frames(150, 250, n=2)), 0.5)
    assert image.shape == (2, 3, 150, 250)
    assert image.device.type == "meta"
    assert image.dtype == dtype
