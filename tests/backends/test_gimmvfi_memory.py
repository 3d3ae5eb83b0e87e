"""What GIMM-VFI takes at the sizes its authors give figures for, counted, and the counter itself."""

from __future__ import annotations

import pytest
import torch

from tests.measure.peak_memory import Live, peak

PUBLISHED = {(1080, 2048, 0.5): 7932, (2160, 4096, 0.25): 10922}
"""MiB on a V100, seven frames between two, as the authors' page says."""


def test_the_counter_knows_what_is_alive() -> None:
    with Live() as live:
        a = torch.zeros(256, 1024)
        b = a + 1
        view = b[:128]
        assert (live.now, live.peak) == (2 << 20, 2 << 20)
        del a
        c = b * 2
        assert (live.now, live.peak) == (2 << 20, 2 << 20)
        del b, c
        assert live.now == 1 << 20, "a view keeps the whole"
        del view
        assert (live.now, live.peak) == (0, 2 << 20)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "published"), PUBLISHED.items(), ids=str)
def test_less_than_the_published_figures(size: tuple[int, int, float], published: int) -> None:
    """Tensors only: half of the figure leaves the other half to libraries and the allocator."""
    height, width, scale = size
    found = peak("gimmvfi-r", height, width, scale)
    assert max(found.values()) < published / 2
    assert found["kept"] < found["synthesize"]
