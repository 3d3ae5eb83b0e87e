"""Correlation against answers computed in float64 by plain loops, and what it promises besides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vsvfi.errors import ShapeError
from vsvfi.ops import lookup as lookup_module
from vsvfi.ops.correlation import all_pairs, local_cost, lookup
from vsvfi.ops.lookup import lookup_on_demand, pooled

GOLDEN = Path(__file__).parents[1] / "golden/warping"


def facts(name: str) -> dict[str, Tensor]:
    with np.load(GOLDEN / f"correlation_{name}.npz") as file:
        return {key: torch.from_numpy(file[key])[None] for key in file.files}


def plain(features0: Tensor, features1: Tensor, radius: int) -> Tensor:
    """One offset after the other."""
    h, w = features0.shape[-2:]
    around = functional.pad(features1, [radius] * 4)
    steps = range(2 * radius + 1)
    return torch.stack([(features0 * around[..., y : y + h, x : x + w]).mean(1) for y in steps for x in steps], 1)


@pytest.mark.parametrize("size", ["a", "b"])
@pytest.mark.parametrize(("name", "radius", "stride"), [("r4", 4, 1), ("r3s1", 3, 1), ("r3s2", 3, 2)])
def test_local_answers(name: str, radius: int, stride: int, size: str) -> None:
    known = facts("local")
    found = local_cost(known[f"f0_{size}"], known[f"f1_{size}"], radius, stride=stride)
    assert found.shape == known[f"{name}_{size}"].shape
    assert (found - known[f"{name}_{size}"]).abs().max() < 1e-6


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (7, 9), (16, 25), (1, 33)], ids=str)
@pytest.mark.parametrize("radius", [0, 1, 4])
def test_blocks_show_nowhere(size: tuple[int, int], radius: int) -> None:
    features0, features1 = torch.randn(2, 6, *size), torch.randn(2, 6, *size)
    torch.testing.assert_close(local_cost(features0, features1, radius), plain(features0, features1, radius))
    last = (part.contiguous(memory_format=torch.channels_last) for part in (features0, features1))
    torch.testing.assert_close(local_cost(*last, radius), plain(features0, features1, radius))


def test_local_gradients() -> None:
    leaves = [torch.randn(1, 3, 5, 9, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(lambda a, b: local_cost(a, b, 2), leaves)
    assert torch.autograd.gradcheck(lambda a, b: local_cost(a, b, 1, stride=2), leaves)


def test_all_pairs_answers() -> None:
    known = facts("allpairs")
    pyramid = all_pairs(known["f0"], known["f1"], 3)
    assert (pyramid[0][:, 3, 5] - known["level0_of_pixel_3_5"]).abs().max() < 1e-6
    assert (pyramid[2][:, 3, 5] - known["level2_of_pixel_3_5"]).abs().max() < 1e-6
    # Positions reach 1e7 there, and pass through grid_sample's units: 1e-5 of a pixel.
    assert (lookup(pyramid, known["coords"])[..., ::2, ::2] - known["lookup"]).abs().max() < 5e-5
    turned = lookup(all_pairs(known["f1"], known["f0"], 3), known["coords"])
    assert (turned[..., ::2, ::2] - known["lookup_transposed"]).abs().max() < 5e-5


def test_lookup_at_a_level_of_one_pixel_and_at_no_place() -> None:
    features = torch.randn(1, 4, 8, 8)
    pyramid = all_pairs(features, features, 4)
    assert pyramid[3].shape == (1, 8, 8, 1, 1)
    at = torch.zeros(1, 2, 8, 8)
    found = lookup(pyramid, at, 1)
    assert torch.equal(found[:, 3 * 9 + 4], pyramid[3][..., 0, 0])
    for nowhere in (float("nan"), float("inf"), -1e30):
        at[..., 2, 3] = nowhere
        assert not lookup(pyramid, at, 1)[..., 2, 3].any()


def test_lookup_passes_gradients() -> None:
    leaves = [torch.randn(1, 3, 4, 4, requires_grad=True) for _ in range(2)]
    at = (torch.rand(1, 2, 4, 4) * 3).requires_grad_()
    lookup(all_pairs(*leaves, 2), at, 1).sum().backward()
    for leaf in (*leaves, at):
        assert leaf.grad is not None
        assert leaf.grad.abs().sum() > 0


def test_they_trace_whole() -> None:
    class Both(torch.nn.Module):
        def forward(self, features0: Tensor, features1: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
            return local_cost(features0, features1), lookup(all_pairs(features0, features1, 2), at)

    inputs = torch.randn(1, 4, 12, 10), torch.randn(1, 4, 12, 10), torch.rand(1, 2, 12, 10) * 9
    exported = torch.export.export(Both(), inputs).module()
    compiled = torch.compile(Both(), fullgraph=True, backend="eager")
    for found in (exported(*inputs), compiled(*inputs)):
        torch.testing.assert_close(found, Both()(*inputs))


def test_wrong_shapes_are_refused() -> None:
    features = torch.zeros(1, 3, 4, 4)
    with pytest.raises(ShapeError, match="one shape"):
        local_cost(features, features[..., 1:])
    with pytest.raises(ShapeError, match="sides of at least 8"):
        all_pairs(features, features)
    with pytest.raises(ShapeError, match=r"coordinates must be \(1, 2, 4, 4\)"):
        lookup(all_pairs(features, features, 1), torch.zeros(1, 2, 4, 5))


@pytest.mark.parametrize("size", [(16, 19), (40, 33)])
def test_a_lookup_on_demand_is_the_volume_s(size: tuple[int, int], monkeypatch) -> None:
    random = torch.Generator().manual_seed(3)
    f0, f1 = (torch.randn(2, 24, *size, generator=random) for _ in range(2))
    coordinates = torch.randn(2, 2, *size, generator=random) * 12 + 10
    coordinates[:, :, 0, 0] = float("nan")
    whole = lookup(all_pairs(f0, f1), coordinates)
    pyramid = pooled(f1)
    assert (lookup_on_demand(f0, pyramid, coordinates) - whole).abs().max() < 1e-4
    monkeypatch.setattr(lookup_module, "_CHUNK", 1)  # a row at a time
    assert (lookup_on_demand(f0, pyramid, coordinates) - whole).abs().max() < 1e-4


def test_lookups_on_demand_refuse_what_does_not_fit() -> None:
    features, coordinates = torch.zeros(1, 8, 16, 16), torch.zeros(1, 2, 16, 16)
    with pytest.raises(ShapeError, match="sides of at least 8"):
        pooled(torch.zeros(1, 8, 7, 16))
    with pytest.raises(ShapeError, match=r"coordinates must be \(1, 2, 16, 16\)"):
        lookup_on_demand(features, [features], coordinates[..., 1:])
    with pytest.raises(ShapeError, match=r"levels must have N and C \(1, 8\)"):
        lookup_on_demand(features, [features[:, 1:]], coordinates)
