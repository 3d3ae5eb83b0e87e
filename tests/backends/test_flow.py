"""`flow`: motion is found and followed in every format; what every model must do besides is in test_testing.py."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vsvfi
from vsvfi.errors import ShapeError
from vsvfi.frames.planes import PlaneFormat, Planes
from vsvfi.model import Model

from . import scenes

FORMATS = {
    "GRAY8": PlaneFormat("GRAY", "int", 8, (0, 0), 160, 96),
    "YUV420P8": PlaneFormat("YUV", "int", 8, (1, 1), 160, 96),
    "YUV410P8": PlaneFormat("YUV", "int", 8, (2, 2), 160, 96),
    "YUV422P10": PlaneFormat("YUV", "int", 10, (1, 0), 160, 96),
    "YUV440P12": PlaneFormat("YUV", "int", 12, (0, 1), 160, 96),
    "YUV444P16": PlaneFormat("YUV", "int", 16, (0, 0), 160, 96),
    "YUV420PH": PlaneFormat("YUV", "float", 16, (1, 1), 160, 96),
    "YUV444PS": PlaneFormat("YUV", "float", 32, (0, 0), 160, 96),
    "RGB24": PlaneFormat("RGB", "int", 8, (0, 0), 160, 96),
    "RGB48": PlaneFormat("RGB", "int", 16, (0, 0), 160, 96),
    "RGBH": PlaneFormat("RGB", "float", 16, (0, 0), 160, 96),
    "GRAYS": PlaneFormat("GRAY", "float", 32, (0, 0), 160, 96),
}
YUV = FORMATS["YUV420P8"]


@pytest.fixture(scope="module")
def flow() -> Model:
    return vsvfi.load("flow", device="cpu")


def between(model: Model, first: Any, second: Any, t: float = 0.5) -> Any:
    return model.synthesize(model.relate(model.encode(first), model.encode(second)), t)


def blend(first: Planes, second: Planes, t: float = 0.5) -> list[torch.Tensor]:
    return [a.double() * (1 - t) + b.double() * t for a, b in zip(first.data, second.data, strict=True)]


@pytest.mark.parametrize("name", FORMATS)
def test_a_moving_texture_is_followed(name: str, flow: Model) -> None:
    format = FORMATS[name]
    first, second = scenes.planes(format), scenes.planes(format, 7, -5)
    for t in (0.5, 0.2):
        made, truth, still = (
            between(flow, first, second, t),
            scenes.planes(format, 7 * t, -5 * t),
            blend(first, second, t),
        )
        assert made.format == format
        for plane, (a, b, c) in enumerate(zip(made.data, truth.data, still, strict=True)):
            border = 12 * a.shape[1] // format.width
            got, plain = (scenes.psnr(x, b, format.peak, border) for x in (a, c))
            assert got > 38, f"plane {plane} at {t}: {got:.1f} dB"
            assert got > min(plain + 8, 50), f"plane {plane} at {t}: {got:.1f} dB, a blend {plain:.1f}"


@pytest.mark.parametrize("name", FORMATS)
def test_without_motion_nothing_changes(name: str, flow: Model) -> None:
    frame = scenes.planes(FORMATS[name])
    for t in (0.25, 0.5):
        made = between(flow, frame, frame, t)
        for a, b in zip(made.data, frame.data, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0 if FORMATS[name].sample == "int" else 1e-3)


def test_large_motion_is_followed(flow: Model) -> None:
    format = PlaneFormat("GRAY", "int", 8, (0, 0), 320, 192)
    first, second, truth = (scenes.planes(format, dx, dx / 3, zoom=3) for dx in (0, 36, 18))
    assert scenes.psnr(between(flow, first, second).data[0], truth.data[0], 255, 40) > 38


def test_time_reversed_is_the_same_motion(flow: Model) -> None:
    first, second = scenes.planes(YUV), scenes.planes(YUV, 6, 3)
    there, back = between(flow, first, second, 0.3), between(flow, second, first, 0.7)
    assert all(scenes.psnr(a, b, 255) > 45 for a, b in zip(there.data, back.data, strict=True))


def test_the_ends_are_the_frames(flow: Model) -> None:
    frames = scenes.planes(YUV), scenes.planes(YUV, 8, 4)
    for t, frame in ((0.002, frames[0]), (0.998, frames[1])):
        made = between(flow, *frames, t)
        assert all(scenes.psnr(a, b, 255) > 45 for a, b in zip(made.data, frame.data, strict=True))


def test_rounding_is_to_nearest(flow: Model) -> None:
    format = FORMATS["YUV422P10"]
    first, second = scenes.planes(format), scenes.planes(format, 4, 2)
    finer = PlaneFormat("YUV", "float", 32, (1, 0), 160, 96)
    as_floats = [Planes(finer, f.color, tuple(p.float() / 1023 for p in f.data)) for f in (first, second)]
    whole, exact = between(flow, first, second), between(flow, *as_floats)
    for a, b in zip(whole.data, exact.data, strict=True):
        error = a.double() - b.double() * 1023
        assert error.abs().mean() < 0.45
        assert abs(float(error.mean())) < 0.02, "a bias: cut off, not rounded"


def test_sixteen_bits_stay_in_range(flow: Model) -> None:
    format = PlaneFormat("YUV", "int", 10, (1, 1), 64, 64)
    rng = np.random.default_rng(1)
    frames = [
        Planes(
            format,
            scenes.COLOR,
            tuple(torch.from_numpy(rng.choice([0, 1023], format.plane_size(p)).astype(np.uint16)) for p in range(3)),
        )
        for _ in range(2)
    ]
    assert all(int(plane.to(torch.int32).max()) <= 1023 for plane in between(flow, *frames).data)


def test_any_order_and_any_thread_give_the_same_bytes(flow: Model) -> None:
    frames = [scenes.planes(YUV, 5 * k, 3 * k) for k in range(4)]
    jobs = list(itertools.product(range(3), (0.25, 0.5, 0.75)))

    def job(which: tuple[int, float]) -> list[torch.Tensor]:
        source, t = which
        return list(between(flow, frames[source], frames[source + 1], t).data)

    alone = {which: job(which) for which in jobs}
    with ThreadPoolExecutor(8) as pool:
        for which, made in zip(jobs[::-1] * 3, pool.map(job, jobs[::-1] * 3), strict=True):
            assert all(map(torch.equal, made, alone[which])), which


@settings(max_examples=25)
@given(
    st.integers(16, 90), st.integers(16, 90), st.sampled_from((0.125, 0.5, 1.0, 2.0)), st.sampled_from(("int", "float"))
)
def test_any_size_at_any_scale(flow: Model, height: int, width: int, scale: float, sample: Any) -> None:
    format = PlaneFormat("YUV", sample, 8 if sample == "int" else 32, (0, 0), width, height)
    made = between(flow.configured(scale=scale), scenes.planes(format), scenes.planes(format, 2, 1))
    for plane, truth in zip(made.data, scenes.planes(format, 1, 0.5).data, strict=True):
        assert plane.shape == (height, width)
        assert scenes.psnr(plane, truth, format.peak) > 24


def test_scale_changes_where_motion_is_seen(flow: Model) -> None:
    frame = scenes.planes(YUV)
    sizes = [flow.configured(scale=scale).encode(frame).pictures[0].small.shape for scale in (0.5, 1.0, 2.0)]
    assert sizes == [(38, 64), (77, 128), (154, 256)]


def test_large_frames_are_seen_smaller(flow: Model) -> None:
    format = PlaneFormat("GRAY", "int", 8, (0, 0), 3840, 2160)
    frame = Planes(format, scenes.COLOR, (torch.zeros(2160, 3840, dtype=torch.uint8),))
    assert flow.encode(frame).pictures[0].small.shape == (353, 627)


def test_tensors_are_three_planes(flow: Model) -> None:
    format = PlaneFormat("RGB", "float", 32, (0, 0), 160, 96)
    frames = scenes.planes(format), scenes.planes(format, 6, 2)
    tensors = [torch.stack(frame.data) for frame in frames]
    as_planes = between(flow, *frames).data
    as_tensor = between(flow, torch.stack(tensors), torch.stack(tensors[::-1]))
    assert as_tensor.shape == (2, 3, 96, 160)
    assert torch.equal(as_tensor[0], torch.stack(as_planes).clamp(0, 1))


def test_frames_of_two_sizes_are_refused(flow: Model) -> None:
    small = flow.encode(scenes.planes(PlaneFormat("YUV", "int", 8, (1, 1), 64, 64)))
    with pytest.raises(ShapeError, match="two frames of one size"):
        flow.relate(flow.encode(scenes.planes(YUV)), small)


def test_out_of_range_floats_stay_finite(flow: Model) -> None:
    format = FORMATS["YUV444PS"]
    rng = np.random.default_rng(2)
    frames = [
        Planes(
            format,
            scenes.COLOR,
            tuple(torch.from_numpy(rng.normal(0, 10, (96, 160)).astype(np.float32)) for _ in range(3)),
        )
        for _ in range(2)
    ]
    assert all(plane.isfinite().all() for plane in between(flow, *frames).data)


@pytest.mark.parametrize("t", [0.0, 0.25, 0.5])
def test_the_explanation_is_the_motion(t: float, flow: Model) -> None:
    motion = flow.relate(flow.encode(scenes.planes(YUV)), flow.encode(scenes.planes(YUV, 8, -4)))
    explained = flow.explain(motion, t)
    assert explained.flow_t0.shape == explained.flow_t1.shape == (2, 96, 160)
    assert explained.mask.shape == (1, 96, 160)
    assert explained.mask.min() >= 0
    assert explained.mask.max() <= 1
    inside = (..., slice(16, -16), slice(16, -16))
    for flow_to, share in ((explained.flow_t0, -t), (explained.flow_t1, 1 - t)):
        mean = flow_to[inside].mean((1, 2))
        torch.testing.assert_close(mean, torch.tensor([8 * share, -4 * share]), rtol=0, atol=0.3)
    assert abs(float(explained.mask[inside].mean()) - (1 - t)) < 0.1
