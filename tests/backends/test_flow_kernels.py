"""The compiled loops against their definitions, and where their machine code is kept."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from vsvfi.backends.flow import kernels
from vsvfi.backends.flow.estimate import grid_size


def test_a_splat_keeps_its_mass_inside() -> None:
    rng = np.random.default_rng(3)
    flow = rng.normal(0, 2, (40, 50, 2)).astype(np.float32)
    trust = np.zeros((40, 50), np.float32)
    trust[12:-12, 12:-12] = rng.uniform(0, 1, (16, 26))
    sums = np.empty((40, 50, 3), np.float32)
    kernels.splat(flow, trust, np.float32(0.5), np.float32(-1), sums)
    assert sums[..., 2].sum() == pytest.approx(trust.sum(), rel=1e-5)
    assert sums[..., 0].sum() == pytest.approx(-(trust * flow[..., 0]).sum(), rel=1e-3, abs=1e-3)


def test_a_splat_of_whole_pixels_is_a_shift() -> None:
    flow = np.zeros((20, 20, 2), np.float32)
    flow[:] = 4, -2
    trust = np.random.default_rng(4).uniform(0.1, 1, (20, 20)).astype(np.float32)
    sums = np.empty((20, 20, 3), np.float32)
    kernels.splat(flow, trust, np.float32(0.5), np.float32(1), sums)
    np.testing.assert_allclose(sums[:19, 2:, 2], trust[1:, :18], rtol=1e-6)
    np.testing.assert_allclose(sums[:19, 2:, 0], 4 * trust[1:, :18], rtol=1e-6)
    assert not sums[19].any()
    assert not sums[:, :2].any()


def test_vectors_that_leave_the_picture_or_the_numbers_are_dropped() -> None:
    flow = np.zeros((16, 16, 2), np.float32)
    flow[4] = 1e30, -1e30
    flow[8] = 500, 500
    sums = np.empty((16, 16, 3), np.float32)
    kernels.splat(flow, np.ones((16, 16), np.float32), np.float32(0.5), np.float32(1), sums)
    assert np.isfinite(sums).all()
    assert sums[..., 2].sum() == 14 * 16


@pytest.mark.parametrize(
    ("size", "scale", "grid"),
    [
        ((360, 640), 1.0, (144, 256)),
        ((360, 640), 2.0, (288, 512)),
        ((363, 643), 1.0, (145, 257)),
        ((720, 1280), 1.0, (204, 362)),
        ((2160, 3840), 1.0, (353, 627)),
        ((90, 100), 1.0, (90, 100)),
        ((16, 16), 0.125, (16, 16)),
        ((2000, 16), 1.0, (453, 16)),
    ],
)
def test_grid(size: tuple[int, int], scale: float, grid: tuple[int, int]) -> None:
    assert grid_size(*size, scale) == grid


def test_compiling_works_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    njit = numba.njit

    def nowhere(*functions: Any, **options: Any) -> Any:  # numba calls it too while it compiles, with a function
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available for file")
        return njit(*functions, **options)

    monkeypatch.setattr(numba, "njit", nowhere)
    assert kernels.compiled(lambda x: x + 1)(2) == 3
