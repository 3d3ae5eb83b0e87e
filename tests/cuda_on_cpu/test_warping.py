"""The warping kernels against published answers and their torch definitions: through the C++ shim, and on a GPU."""

from __future__ import annotations

import functools
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vsvfi.ops import (
    backward_warp,
    bilinear_slope,
    correlation,
    kernels,
    lookup,
    scatter,
    splat,
    splat_cuda,
    warp_blend,
)

from . import shim

place = "cpu"

GOLDEN = Path(__file__).parents[1] / "golden/warping"
FLOWS = (
    "zero", "small", "medium", "out_of_frame", "integer", "half", "converge", "very_large", "edge", "nonfinite"
)  # fmt: skip
SPLAT_FLOWS = ("small", "out_of_frame", "integer", "converge", "very_large", "edge", "nonfinite")
TOLERANCE = {torch.float32: 2e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}
"""Of samples in [0, 1]: the positions' rounding, and that of the result."""


@pytest.fixture(autouse=True, params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the kernels run, and where the functions below put what they make."""
    if request.param == "cpu":
        request.getfixturevalue("on_cpu")
    monkeypatch.setattr(sys.modules[__name__], "place", request.param)
    return str(request.param)


def facts(name: str) -> dict[str, Tensor]:
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key])[None].to(place) for key in file.files}


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)).to(place)


def moves(n: int, h: int, w: int, seed: int = 0, size: float = 4.0) -> Tensor:
    return (torch.randn(n, 2, h, w, generator=torch.Generator().manual_seed(seed)) * size).to(place)


LAYOUTS = {
    "planes": lambda image: image,
    "channels_last": lambda image: image.contiguous(memory_format=torch.channels_last),
    "crop": lambda image: torch.nn.functional.pad(image, (3, 2, 1, 1), value=9.0)[..., 1:-1, 3:-2],
    "channels": lambda image: torch.cat([image + 5, image, image + 5], 1)[:, image.shape[1] : 2 * image.shape[1]],
}


@pytest.mark.parametrize("padding", ["border", "zeros"])
@pytest.mark.parametrize("flow", FLOWS)
def test_backward_warp_gives_the_published_answers(flow: str, padding: str) -> None:
    known = facts("backward_a")
    warped = backward_warp.backward_warp(known["image"], known[f"flow_{flow}"], padding=padding)
    assert (warped - known[f"{padding}_{flow}"]).abs().max() < 2e-6


@pytest.mark.parametrize("padding", ["border", "zeros"])
@pytest.mark.parametrize("name", ["row", "column", "pixel"])
def test_backward_warp_of_a_single_line(name: str, padding: str) -> None:
    known = facts(f"backward_{name}")
    for flow in (key.removeprefix("flow_") for key in known if key.startswith("flow_")):
        warped = backward_warp.backward_warp(known["image"], known[f"flow_{flow}"], padding=padding)
        assert (warped - known[f"{padding}_{flow}"]).abs().max() < 2e-6, flow


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("border", [True, False], ids=["border", "zeros"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_backward_warp_in_every_layout_and_type(dtype, layout: str, border: bool, index: str, monkeypatch) -> None:
    monkeypatch.setattr(kernels, "index_type", lambda *tensors, count: index)
    image, flow = LAYOUTS[layout](rand(2, 16, 9, 11).to(dtype)), moves(2, 9, 11)
    for as_flow in {torch.float32, dtype}:
        found = backward_warp.operator(image, flow.to(as_flow), border)
        expected = backward_warp.definition(image, flow.to(as_flow), border)
        assert found.dtype == dtype
        assert found.stride() == expected.stride()
        assert (found.float() - expected.float()).abs().max() <= TOLERANCE[dtype]


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 20), st.integers(1, 20), st.integers(0, 99), st.booleans())
def test_backward_warp_of_any_size(n: int, c: int, h: int, w: int, seed: int, border: bool) -> None:
    image, flow = rand(n, c, h, w, seed=seed), moves(n, h, w, seed, 8.0)
    found, expected = backward_warp.operator(image, flow, border), backward_warp.definition(image, flow, border)
    assert (found - expected).abs().max() < 2e-5


NO_NUMBERS = tuple(map(float, ("inf", "-inf", "nan")))
HOSTILE = st.sampled_from([0.0, -1.0, 0.5, 7.25, -0.0, 1e-30, 1e6, -3e9, 1e30, 3.4e38, -3.4e38, *NO_NUMBERS])


@given(st.lists(HOSTILE, min_size=60, max_size=60), st.booleans())
def test_hostile_flows(values: list[float], border: bool) -> None:
    """Defined results whatever a flow holds: that nothing is read out of range, the sanitizers see."""
    flow = torch.tensor(values).view(1, 2, 5, 6).to(place)
    image = rand(1, 3, 5, 6)
    found, expected = backward_warp.operator(image, flow, border), backward_warp.definition(image, flow, border)
    assert torch.equal(found.isfinite(), expected.isfinite())
    assert (found - expected).abs().max() < 2e-5
    summed, defined = scatter.operator(image, flow, False), scatter.sums(image, flow)
    assert (summed - defined).abs().max() < 2e-5


@pytest.mark.parametrize("logits", [True, False], ids=["logits", "shares"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_warp_blend(dtype, layout: str, logits: bool) -> None:
    image0, image1 = (LAYOUTS[layout](rand(2, 3, 9, 11, seed=s).to(dtype)) for s in (0, 1))
    flow0, flow1, residual = moves(2, 9, 11, 2), moves(2, 9, 11, 3), rand(2, 3, 9, 11, seed=4).to(dtype) - 0.5
    mask = moves(2, 9, 11, 5)[:, :1] if logits else rand(2, 1, 9, 11, seed=5)
    for rest in (residual, None):
        found = warp_blend.warp_blend(image0, image1, flow0, flow1, mask, rest, logits=logits)
        expected = warp_blend.definition(image0, image1, flow0, flow1, mask, rest, logits)
        assert found.dtype == dtype
        assert found.min() >= 0
        assert found.max() <= 1
        assert (found.float() - expected.float()).abs().max() <= 3 * TOLERANCE[dtype]


def test_warp_blend_passes_on_what_is_no_number() -> None:
    """A network that fails must not look as if it had answered black."""
    image, flow = rand(1, 3, 4, 4), moves(1, 4, 4)
    mask = torch.full((1, 1, 4, 4), float("nan"), device=place)
    assert warp_blend.warp_blend(image, image, flow, flow, mask).isnan().all()


MODES = [("sum", "zeroeps"), *itertools.product(("average", "linear", "softmax"), ("addeps", "zeroeps", "clipeps"))]


@pytest.mark.parametrize("sums", [torch.int64, torch.float32], ids=["fixed", "float"])
@pytest.mark.parametrize(("mode", "rule"), MODES, ids=str)
@pytest.mark.parametrize("flow", SPLAT_FLOWS)
def test_splat_gives_the_published_answers(flow: str, mode: str, rule: str, sums) -> None:
    known = facts("splat_a")
    image, metric = known["image"], known.get(f"metric_{mode}")
    found = splat_cuda.splat(image, known[f"flow_{flow}"], metric, mode, rule, sums=sums)
    answer = known[f"sum_{flow}" if mode == "sum" else f"{mode}_{rule}_{flow}"]
    if mode == "sum":
        assert (found - answer).abs().max() < 2e-5
        return
    weight = known[f"{mode}_den_{flow}"][0]
    sure = ((weight == 0) | (weight > 1e-3)).expand_as(answer)
    assert sure.any()
    assert (found - answer)[sure].abs().max() < 1e-4


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("mode", ["sum", "average", "linear", "softmax"])
def test_splat_in_every_layout_and_type(mode: str, dtype, layout: str, index: str, monkeypatch) -> None:
    monkeypatch.setattr(kernels, "index_type", lambda *tensors, count: index)
    image, flow = LAYOUTS[layout](rand(2, 5, 9, 11).to(dtype)), moves(2, 9, 11)
    usual = rand(2, 1, 9, 11, seed=3) * 4 - (2 if mode == "softmax" else -0.1)
    metric = usual if mode in ("linear", "softmax") else None
    found = splat.splat(image, flow, metric, mode=mode, normalizer="addeps")
    expected = splat.definition(image, flow, metric, mode, "addeps")
    assert found.dtype == dtype
    assert found.stride() == expected.stride()
    top = max(1.0, expected.abs().max().item())
    assert (found.float() - expected.float()).abs().max() <= 2 * TOLERANCE[dtype] * top


def test_splat_gives_the_same_bits_in_any_order(device: str, monkeypatch) -> None:
    """In fixed point; on a GPU the order is another in every run."""
    image, flow = rand(1, 4, 240, 40), moves(1, 240, 40, size=9)
    found = [splat_cuda.splat(image, flow, None, "average", "zeroeps")]
    for threads in (1, 7, 1000, 1 << 20):
        if device == "cpu":
            monkeypatch.setattr(kernels, "launch", functools.partial(shim.launch, threads=threads))
        found.append(splat_cuda.splat(image, flow, None, "average", "zeroeps"))
    assert all(torch.equal(found[0], each) for each in found[1:])


@pytest.mark.parametrize("sums", [torch.int64, torch.float32], ids=["fixed", "float"])
def test_the_order_of_sums_shows_in_floats_only(sums: torch.dtype) -> None:
    """The same terms, added from the other end."""
    values = torch.cat([torch.full((1000,), 1e-3), torch.full((1,), 3e4), torch.full((1000,), 1e-3)]).to(place)
    values[:1000] *= torch.linspace(0.5, 1.5, 1000, device=place)
    flow = torch.zeros(1, 2, 1, 2001, device=place)
    flow[0, 0, 0] = 5 - torch.arange(2001.0)
    both = [
        splat_cuda.splat(each.view(1, 1, 1, -1), flow, None, "sum", "zeroeps", sums=sums)
        for each in (values, values.flip(0))
    ]
    if sums == torch.int64 or place == "cpu":
        assert torch.equal(both[0], both[1]) == (sums == torch.int64)


def test_splat_keeps_small_weights_beside_large_ones() -> None:
    """Zeroeps divides a rim of weight 1e-6 up to full strength, as the networks were trained; the sums must hold it."""
    image, flow = torch.ones(1, 1, 1, 8, device=place), torch.zeros(1, 2, 1, 8, device=place)
    flow[0, 0, 0, 0] = -1 + 2**-20  # all but nothing of it stays in the frame
    flow[0, 0, 0, 1:] = 1e9
    assert splat.splat(image, flow)[0, 0, 0, 0] == pytest.approx(1.0, abs=1e-3)
    metric = torch.zeros(1, 1, 1, 8, device=place)
    metric[..., 0], metric[..., 4] = -60.0, 60.0
    assert splat.splat(image, torch.zeros_like(flow), metric, mode="softmax").allclose(image)


def test_splat_sums_cannot_overflow() -> None:
    """Every pixel of a large frame on one, large values: exactly their sum."""
    h = w = 128
    image = torch.full((1, 1, h, w), 60000.0, device=place)
    flow = -torch.stack(torch.meshgrid(torch.arange(w), torch.arange(h), indexing="xy"))[None].float().to(place)
    assert splat.splat(image, flow, mode="sum")[0, 0, 0, 0] == 60000.0 * h * w
    assert splat.splat(image, flow)[0, 0, 0, 0] == 60000.0


def test_splat_in_groups_of_channels_is_the_same(monkeypatch) -> None:
    image, flow, metric = rand(1, 7, 12, 10), moves(1, 12, 10), rand(1, 1, 12, 10)
    whole = splat_cuda.splat(image, flow, metric, "linear", "zeroeps")
    monkeypatch.setattr(splat_cuda, "_MOST", 8 * 12 * 10 * 4)
    assert torch.equal(whole, splat_cuda.splat(image, flow, metric, "linear", "zeroeps"))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_splat_of_values_that_are_no_numbers(value: str) -> None:
    """They count as 0, here and there alone; in floats they would spread."""
    image, flow = rand(1, 2, 6, 7), torch.full((1, 2, 6, 7), 0.5, device=place)
    clean = image.clone()
    image[0, 1, 3, 3], clean[0, 1, 3, 3] = float(value), 0.0
    assert torch.equal(splat.splat(image, flow), splat.splat(clean, flow))


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (1, 0, 4, 4), (2, 3, 0, 4), (2, 3, 4, 0)], ids=str)
def test_nothing_to_do(shape: tuple[int, ...]) -> None:
    n, _, h, w = shape
    image, flow = torch.zeros(shape, device=place), torch.zeros(n, 2, h, w, device=place)
    for made in (
        backward_warp.operator(image, flow, True),
        splat_cuda.splat(image, flow, None, "average", "zeroeps"),
        warp_blend.operator(image, image, flow, flow, flow[:, :1], None, False),
    ):
        assert made.shape == image.shape


@pytest.mark.parametrize("flow", SPLAT_FLOWS)
def test_gradients_of_splatting_are_the_published_ones(flow: str) -> None:
    known = facts("splat_a")
    image, move = known["image"].requires_grad_(), known[f"flow_{flow}"].requires_grad_()
    splat.splat(image, move, mode="sum").backward(known["grad_out"])
    assert (image.grad - known[f"grad_image_{flow}"]).abs().max() < 2e-5
    assert (move.grad - known[f"grad_flow_{flow}"]).abs().max() < 2e-5


@pytest.mark.parametrize("border", [True, False], ids=["border", "zeros"])
def test_gradients_of_warping(border: bool) -> None:
    grad, found = rand(2, 3, 9, 11, seed=7), []
    for way in (backward_warp.operator, backward_warp.definition):
        image, flow = rand(2, 3, 9, 11).requires_grad_(), moves(2, 9, 11).requires_grad_()
        way(image, flow, border).backward(grad)
        found.append((image.grad, flow.grad))
    for made, defined in zip(*found, strict=True):
        assert (made - defined).abs().max() < 1e-4


def test_slopes_where_the_flow_is_hostile() -> None:
    outer, inner, flow = rand(1, 2, 3, 4), rand(1, 2, 3, 4, seed=1), torch.zeros(1, 2, 3, 4, device=place)
    flow[0, 0, 0] = torch.tensor([float("nan"), float("inf"), 1e30, -3e38])
    for border in (True, False):
        made = bilinear_slope.operator(outer, inner, flow, border)
        assert made.isfinite().all()
        assert not made[0, 0, 0].any()


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("radius", "stride"), [(3, 1), (3, 2), (4, 1), (4, 3)])
def test_local_cost(radius: int, stride: int, dtype, layout: str, index: str, monkeypatch) -> None:
    monkeypatch.setattr(kernels, "index_type", lambda *tensors, count: index)
    first, second = (LAYOUTS[layout](rand(2, 16, 9, 11, seed=s).to(dtype)) - 0.5 for s in (0, 1))
    found = correlation.local_cost(first, second, radius, stride=stride)
    defined = correlation.local_cost_definition(first.float(), second.float(), radius, stride)
    assert found.dtype == dtype
    assert found.shape == defined.shape
    assert (found.float() - defined).abs().max() <= TOLERANCE[dtype] / 4


@pytest.mark.parametrize("which", ["r4_a", "r3s1_a", "r3s2_a", "r4_b", "r3s1_b", "r3s2_b"])
def test_local_cost_gives_the_published_answers(which: str) -> None:
    known, letter = facts("correlation_local"), which[-1]
    found = correlation.local_cost(
        known[f"f0_{letter}"], known[f"f1_{letter}"], int(which[1]), stride=2 if "s2" in which else 1
    )
    assert (found - known[which]).abs().max() < 1e-6


def test_local_cost_counts_its_operations() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        correlation.local_cost(rand(1, 8, 12, 10), rand(1, 8, 12, 10), 4)
    assert counter.get_total_flops() == 2 * 8 * 12 * 10 * 81


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_lookup(dtype, layout: str, index: str, monkeypatch) -> None:
    monkeypatch.setattr(kernels, "index_type", lambda *tensors, count: index)
    first, second = (LAYOUTS[layout](rand(2, 16, 9, 11, seed=s).to(dtype)) - 0.5 for s in (0, 1))
    pyramid = lookup.pooled(second, 3)
    coordinates = moves(2, 9, 11, size=8.0) + 5
    coordinates[0, 0, 0, :4] = torch.tensor([float("nan"), float("inf"), 1e30, -3e9])
    for radius in (0, 2, 4):
        found = lookup.lookup_on_demand(first, pyramid, coordinates, radius)
        defined = lookup.definition(first.float(), [each.float() for each in pyramid], coordinates, radius)
        assert found.dtype == dtype
        assert found.shape == (2, 3 * (2 * radius + 1) ** 2, 9, 11)
        assert (found.float() - defined).abs().max() <= TOLERANCE[dtype]
        assert not found[0, :, 0, :4].any()


def test_lookup_gives_the_published_answers() -> None:
    known = facts("correlation_allpairs")
    for name, first, second in (("lookup", "f0", "f1"), ("lookup_transposed", "f1", "f0")):
        pyramid = lookup.pooled(known[second], 3)
        found = lookup.lookup_on_demand(known[first], pyramid, known["coords"])
        assert (found[..., ::2, ::2] - known[name]).abs().max() < 1e-5
