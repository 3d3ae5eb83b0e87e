"""The compiled loops against their definitions, and where their machine code is kept."""

from __future__ import annotations

from typing import Any

import cv2
import numba
import numpy as np
import pytest
from vsvfi.backends.flow import compose, kernels
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


def sampled_along_both(at: compose.Field, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The definition of `compose.planes`: every pixel sampled along both motions, in float."""
    height, width = first.shape
    h, w = at.values.shape[1:]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    mx, my = (x + 0.5) * w / width - 0.5, (y + 0.5) * h / height - 0.5
    u0, v0, u1, v1, share, early, still = (
        cv2.remap(value, mx, my, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for value in at.values
    )
    scale = width / w, height / h

    def along(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        a, b = (
            cv2.remap(plane, x + time * u * scale[0], y + time * v * scale[1], cv2.INTER_CUBIC,
                      borderMode=cv2.BORDER_REPLICATE)
            for plane, time in ((first, -at.t), (second, 1 - at.t))
        )  # fmt: skip
        return np.asarray(early * a + (1 - early) * b)

    moved = share * along(u0, v0) + (1 - share) * along(u1, v1)
    return np.asarray(still * ((1 - at.t) * first + at.t * second) + (1 - still) * moved)


@pytest.mark.parametrize("apart", [0.0, 0.2, 3.0], ids=["one motion", "nearly one", "two"])
@pytest.mark.parametrize("t", [0.25, 0.5])
def test_leaving_out_the_second_motion_changes_nothing_to_be_seen(apart: float, t: float) -> None:
    """Strips, packing and merged motions against the plain definition, with one, both and mixed motions."""
    rng = np.random.default_rng(8)
    first, second = (cv2.GaussianBlur(rng.uniform(0, 255, (130, 300)).astype(np.float32), (0, 0), 2) for _ in range(2))
    values = cv2.GaussianBlur(rng.normal(0, 20, (65, 150, 7)).astype(np.float32), (0, 0), 4)
    values[..., 2:4] = values[..., :2] + apart * np.float32(rng.uniform(size=(65, 150, 1)) > 0.7)
    values[..., 4:] = rng.uniform(0, 1, (65, 150, 3))
    at = compose.Field(np.ascontiguousarray(values.transpose(2, 0, 1)), t)
    made = compose.planes(at, [first], [second], None)[0]
    off = np.abs(made - sampled_along_both(at, first, second))
    # remap rounds positions to 1/32 pixel, differently where they are summed up differently.
    assert off.mean() < 0.005, off.mean()
    assert off.max() < 0.3, off.max()
