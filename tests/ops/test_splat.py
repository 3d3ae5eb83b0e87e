"""splat against answers computed in float64 by plain loops, the fast way against the definition, and the promises."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vsvfi.errors import OptionError, ShapeError
from vsvfi.ops import splat as module
from vsvfi.ops.splat import splat

GOLDEN = Path(__file__).parents[1] / "golden/warping"
MODES = ("sum", "average", "linear", "softmax")
RULES = ("addeps", "zeroeps", "clipeps")
FLOWS = ("small", "out_of_frame", "integer", "converge", "very_large", "edge", "nonfinite")


@pytest.fixture(scope="module")
def known() -> dict[str, Tensor]:
    with np.load(GOLDEN / "splat_a.npz") as file:
        return {key: torch.from_numpy(file[key])[None] for key in file.files}


def definition(image: Tensor, flow: Tensor, metric: Tensor | None = None, *, mode: str, normalizer: str) -> Tensor:
    """The torch definition, which `splat` leaves to devices and calls that need it."""
    return module.definition(image, flow, metric, mode, normalizer)


def moves(n: int, h: int, w: int, seed: int = 0, size: float = 4.0) -> Tensor:
    return torch.randn(n, 2, h, w, generator=torch.Generator().manual_seed(seed)) * size


@pytest.mark.parametrize("way", [splat, definition], ids=["fast", "definition"])
@pytest.mark.parametrize(
    ("mode", "rule"), [("sum", "zeroeps"), *itertools.product(MODES[1:], RULES)], ids=lambda v: str(v)
)
@pytest.mark.parametrize("flow", FLOWS)
def test_published_answers(known: dict[str, Tensor], flow: str, mode: str, rule: str, way) -> None:
    metric = known.get(f"metric_{mode}")
    found = way(known["image"], known[f"flow_{flow}"], metric, mode=mode, normalizer=rule)
    answer = known[f"sum_{flow}" if mode == "sum" else f"{mode}_{rule}_{flow}"]
    if mode == "sum":
        assert (found - answer).abs().max() < 2e-5
        return
    # A float32 position can move a sliver of weight across a pixel's edge: nothing can be said of tiny weights.
    weight = known[f"{mode}_den_{flow}"][0]
    sure = ((weight == 0) | (weight > 1e-3)).expand_as(answer)
    assert sure.any()
    assert (found - answer)[sure].abs().max() < 1e-4


@pytest.mark.parametrize("flow", FLOWS)
def test_published_gradients(known: dict[str, Tensor], flow: str) -> None:
    image = known["image"].clone().requires_grad_()
    moved = known[f"flow_{flow}"].clone().requires_grad_()
    (splat(image, moved, mode="sum") * known["grad_out"]).sum().backward()
    for found, answer in ((image.grad, known[f"grad_image_{flow}"]), (moved.grad, known[f"grad_flow_{flow}"])):
        assert found is not None
        assert (found - answer).abs().max() < 2e-5


@pytest.mark.filterwarnings("ignore:Input #. requires gradient and is not a double")  # sums are in single precision
def test_gradients_of_every_mode() -> None:
    """Numerically, in places where nothing lies on a pixel's edge."""
    torch.manual_seed(3)
    image, metric = torch.rand(1, 2, 4, 5) + 0.5, torch.rand(1, 1, 4, 5) + 0.5
    flow = (moves(1, 4, 5).round() + 0.25 + 0.5 * torch.rand(1, 2, 4, 5)).requires_grad_()
    for mode in ("average", "linear", "softmax"):
        given = None if mode == "average" else metric.clone().requires_grad_()
        leaves = [leaf for leaf in (image.clone().requires_grad_(), flow, given) if leaf is not None]
        assert torch.autograd.gradcheck(
            lambda *leaves, mode=mode: splat(leaves[0], *leaves[1:], mode=mode, normalizer="addeps"),
            leaves, eps=1e-2, atol=5e-2, rtol=5e-2,
        ), mode  # fmt: skip


@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(0, 99))
def test_a_sum_keeps_what_does_not_leave_the_frame(n: int, h: int, w: int, c: int, seed: int) -> None:
    image = torch.rand(n, c, h, w, generator=torch.Generator().manual_seed(seed))
    x, y = torch.arange(w).float(), torch.arange(h).float()[:, None]
    flow = moves(n, h, w, seed)
    flow[:, 0] = (flow[:, 0] + x).clamp(0, w - 1) - x
    flow[:, 1] = (flow[:, 1] + y).clamp(0, h - 1) - y
    kept = splat(image, flow, mode="sum").sum((2, 3))
    torch.testing.assert_close(kept, image.sum((2, 3)), rtol=1e-4, atol=1e-3)


def test_whole_pixels_are_a_shift_and_nothing_is_identity() -> None:
    image = torch.rand(1, 3, 20, 30)
    flow = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 20, 30)
    moved = splat(image, flow)
    assert torch.equal(moved[..., :18, 3:], image[..., 2:, :27])
    assert not moved[..., 18:, :].any()
    assert not moved[..., :3].any()
    assert torch.equal(splat(image, torch.zeros(1, 2, 20, 30)), image)


@pytest.mark.parametrize("n", [1, 3])
def test_threads_do_not_show(n: int) -> None:
    """Not in one bit, and more threads than items share one item."""
    image, flow = torch.rand(n, 5, 90, 110), moves(n, 90, 110, size=20)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 4, 7):
            torch.set_num_threads(threads)
            results.append(splat(image, flow))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0], other) for other in results[1:])
    assert (results[0] - definition(image, flow, mode="average", normalizer="zeroeps")).abs().max() < 1e-4


def test_what_is_left_out_cannot_poison() -> None:
    image, flow = torch.rand(1, 2, 6, 6), torch.zeros(1, 2, 6, 6)
    image[0, :, 2, 2] = float("nan")
    for nowhere in (float("nan"), float("inf"), 1e30, -3e38):
        flow[0, 0, 2, 2] = nowhere
        for way in (splat, definition):
            found = way(image, flow, mode="average", normalizer="zeroeps")
            assert found.isfinite().all()
            assert not found[0, :, 2, 2].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_positions_and_sums_are_single_precision(dtype: torch.dtype) -> None:
    """A quarter of a pixel at x = 3839, where half has a number for every second pixel and bfloat16 for every 16th."""
    image = torch.ones(1, 1, 1, 3840, dtype=dtype)
    flow = torch.zeros(1, 2, 1, 3840)
    flow[:, 0] = -0.25
    total = splat(image, flow.to(dtype), mode="sum")
    assert total.dtype == dtype
    assert torch.equal(total[0, 0, 0, :-1], torch.ones(3839, dtype=dtype))
    assert total[0, 0, 0, -1].item() == 0.75
    # 300 pixels on one: a sum in bfloat16 stops at 256.
    flow[:, 0] = -torch.arange(3840.0)
    flow[:, 0, :, 300:] = 1e9
    assert splat(image, flow, mode="sum")[0, 0, 0, 0].item() == torch.tensor(300.0).to(dtype).item()


def test_memory_format_stays() -> None:
    image, flow = torch.rand(2, 5, 9, 11), moves(2, 9, 11)
    plain = splat(image, flow)
    last = splat(image.contiguous(memory_format=torch.channels_last), flow)
    assert plain.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(plain, last)
    wide = torch.zeros(2, 5, 9, 20)
    wide[..., 3:14] = image
    assert torch.equal(plain, splat(wide[..., 3:14], flow))


@pytest.mark.parametrize("traced", ["export", "compile"])
def test_it_traces_whole(traced: str) -> None:
    class Splat(torch.nn.Module):
        def forward(self, image: Tensor, flow: Tensor, metric: Tensor) -> Tensor:
            return splat(image, flow) + splat(image, flow, metric, mode="softmax")

    inputs = torch.rand(1, 3, 8, 8), moves(1, 8, 8), torch.rand(1, 1, 8, 8)
    run: Callable[..., Tensor] = torch.compile(Splat(), fullgraph=True, backend="eager")
    if traced == "export":
        run = torch.export.export(Splat(), inputs).module()
    assert torch.equal(run(*inputs), Splat()(*inputs))


def test_the_operator_keeps_its_word_to_torch() -> None:
    image = torch.rand(2, 3, 6, 7).to(memory_format=torch.channels_last)
    torch.library.opcheck(module.operator, (image, moves(2, 6, 7), None, "average", "zeroeps"))
    leaf = image.contiguous().requires_grad_()
    torch.library.opcheck(module.summed, (leaf, moves(2, 6, 7).requires_grad_()))


def test_wrong_calls_are_refused() -> None:
    image, flow, metric = torch.zeros(1, 3, 4, 4), torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4)
    with pytest.raises(ShapeError, match=r"flow must be \(1, 2, 4, 4\)"):
        splat(image, flow[..., 1:])
    with pytest.raises(ShapeError, match=r"metric must be \(1, 1, 4, 4\)"):
        splat(image, flow, metric[..., 1:], mode="linear")
    with pytest.raises(OptionError, match="needs a metric"):
        splat(image, flow, mode="softmax")
    with pytest.raises(OptionError, match="takes no metric"):
        splat(image, flow, metric)
    with pytest.raises(OptionError, match="mode must be one of sum, average"):
        splat(image, flow, mode="soft")
    with pytest.raises(OptionError, match="normalizer must be one of addeps"):
        splat(image, flow, normalizer="none")
