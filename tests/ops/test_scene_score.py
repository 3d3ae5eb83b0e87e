"""The scene detector's kernels against scene.py: through the C++ shim, and on a GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.color.test_kernels import COLOR, changed, planes_of
from tests.cuda_on_cpu.shim import on_cpu  # noqa: F401
from vsvfi import scene
from vsvfi.frames.planes import Planes
from vsvfi.ops import scene_score

FORMATS = {
    "8-bit 4:2:0": changed(width=640, height=360),
    "16-bit 4:4:4": changed(width=322, height=181, subsampling=(0, 0), bits=16),
    "half": changed(width=300, height=200, sample="float", bits=16),
    "float RGB": changed(width=131, height=77, family="RGB", subsampling=(0, 0), sample="float", bits=32),
    "GRAY": changed(width=1920, height=1080, family="GRAY", subsampling=(0, 0), bits=10),
    "smaller than a thumbnail": changed(width=48, height=32),
}


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cpu":
        request.getfixturevalue("on_cpu")
    return str(request.param)


def smooth(name: str, device: str, seed: int = 0) -> Planes:
    """Noise and a slope: neither flat nor without structure."""
    planes = planes_of(*FORMATS[name], seed, margin=5, device=device)
    made = []
    for plane in planes.data:
        h, w = plane.shape
        slope = torch.linspace(0, 1, w, device=device) * torch.linspace(0.2, 1, h, device=device)[:, None]
        made.append((slope * 0.7 * planes.format.peak + plane.float() * 0.3).to(plane.dtype))
    return Planes(planes.format, COLOR, tuple(made))


@pytest.mark.parametrize("name", FORMATS)
def test_signatures(name: str, device: str) -> None:
    planes = smooth(name, device)
    found = scene_score.signature(planes)
    arrays = [plane.cpu().numpy() for plane in planes.data]
    expected = scene.signature(arrays, planes.format.peak, planes.format.family)
    # A mean that lies between two codes may be rounded either way: OpenCV adds in another order.
    step = 1.01 / planes.format.peak if planes.format.sample == "int" else 2e-5
    assert np.abs(found.luma - expected.luma).max() <= step
    assert np.abs(found.color - expected.color).max() <= step
    assert (np.abs(found.luma - expected.luma) > 2e-5).mean() < 0.01
    other = scene.signature([array[::-1, ::-1] for array in arrays], planes.format.peak, planes.format.family)
    assert scene.judge(None, found, other, None).score == pytest.approx(
        scene.judge(None, expected, other, None).score, abs=0.02
    )


@pytest.mark.parametrize("name", FORMATS)
def test_differences(name: str, device: str) -> None:
    a, b = smooth(name, device), smooth(name, device, seed=1)
    pairs = zip(a.data, b.data, strict=True)
    total = sum((x.cpu().double() - y.cpu().double()).abs().sum().item() for x, y in pairs)
    mean = total / sum(plane.numel() for plane in a.data) * 255 / a.format.peak
    # Floats are summed in steps of 2^-16, each rounded up.
    assert scene_score.difference(a, b) == pytest.approx(mean, rel=1e-6, abs=255 * 2**-16 / a.format.peak)
    assert scene_score.difference(a, a) == 0.0


@pytest.mark.parametrize("name", ["half", "float RGB"])
def test_equal_means_equal_to_the_last_bit(name: str, device: str) -> None:
    a, b = smooth(name, device), smooth(name, device)
    b.data[0][3, 3] = torch.nextafter(b.data[0][3, 3].float(), torch.tensor(9.0, device=device)).to(b.format.dtype)
    if name == "half":
        b.data[0][3, 3] = b.data[0][3, 3] * 1.01
    assert scene_score.difference(a, b) > 0
    a.data[0][3, 3] = b.data[0][3, 3] = float("nan")
    assert scene_score.difference(a, b) == 0.0
    a.data[0][3, 3] = 0.0
    assert scene_score.difference(a, b) > 0


def test_planes_that_are_on_no_device(monkeypatch) -> None:
    planes = smooth("8-bit 4:2:0", "cpu")
    arrays = [plane.numpy() for plane in planes.data]
    expected = scene.signature(arrays, planes.format.peak, planes.format.family)
    assert np.array_equal(scene_score.signature(planes).blocks, expected.blocks)
    assert scene_score.difference(planes, planes) == 0.0
