"""The operators' own gradients, checked by finite differences in double precision, and what they tell torch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vsvfi.ops import backward_warp, bilinear_slope, correlation, scatter, splat, warp_blend


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moves(n: int, h: int, w: int, seed: int = 1) -> Tensor:
    """Some inside, some outside, none nearer to a whole pixel than a finite difference reaches."""
    flow = torch.randn(n, 2, h, w, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2
    return flow.floor() + (flow - flow.floor()).clamp(0.05, 0.95)


IMAGE, FLOW, METRIC = rand(2, 2, 4, 5), moves(2, 4, 5), rand(2, 1, 4, 5, seed=2) + 0.5

WAYS: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = {
    "warp, the definition": (lambda i, f: backward_warp.definition(i, f, True), (IMAGE, FLOW)),
    "warp, zeros, the definition": (lambda i, f: backward_warp.definition(i, f, False), (IMAGE, FLOW)),
    "warp": (lambda i, f: backward_warp.operator(i, f, True), (IMAGE, FLOW)),
    "warp, zeros": (lambda i, f: backward_warp.operator(i, f, False), (IMAGE, FLOW)),
    "splat sums, the definition": (scatter.sums, (IMAGE, FLOW)),
    "splat sums": (splat.summed, (IMAGE, FLOW)),
    "splat, softmax": (
        lambda i, f, m: splat.splat(i, f, m, mode="softmax", normalizer="addeps"),
        (IMAGE, FLOW, METRIC),
    ),
    "splat, linear": (lambda i, f, m: splat.splat(i, f, m, mode="linear", normalizer="addeps"), (IMAGE, FLOW, METRIC)),
    "blend": (
        lambda i, f, m: warp_blend.warp_blend(i, i.flip(0), f, f.flip(0), m - 1, i * 0.1, logits=True),
        (IMAGE * 0.5 + 0.1, FLOW, METRIC),
    ),
    "local cost": (lambda i: correlation.local_cost(i, i.flip(0), 2), (IMAGE,)),
}


@pytest.mark.parametrize("way", WAYS)
def test_gradients(way: str) -> None:
    function, inputs = WAYS[way]
    assert torch.autograd.gradcheck(function, [each.clone().requires_grad_() for each in inputs], eps=1e-5, atol=1e-6)


def test_what_the_operators_tell_torch() -> None:
    """Shapes without computing, gradients registered, nothing written to their inputs."""
    image, flow = IMAGE.float().requires_grad_(), FLOW.float().requires_grad_()
    for border in (True, False):
        torch.library.opcheck(backward_warp.operator, (image, flow, border))
        plain = (image.detach(), flow.detach(), border)
        torch.library.opcheck(scatter.operator, plain)
        torch.library.opcheck(bilinear_slope.operator, (image.detach(), *plain))
    mask = METRIC.float()
    torch.library.opcheck(
        warp_blend.operator, (*[image.detach()] * 2, *[flow.detach()] * 2, mask, image.detach(), True)
    )


def test_training_goes_through_a_traced_graph() -> None:
    def loss(image: Tensor, flow: Tensor) -> Tensor:
        squared: Tensor = (
            backward_warp.operator(image, flow, True).square().sum() + splat.summed(image, flow).square().sum()
        )
        return squared

    found = []
    for run in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        image, flow = IMAGE.float().requires_grad_(), FLOW.float().requires_grad_()
        run(image, flow).backward()
        found.append((image.grad, flow.grad))
    for plain, traced in zip(*found, strict=True):
        assert plain.any()
        assert torch.allclose(traced, plain, atol=1e-5)
