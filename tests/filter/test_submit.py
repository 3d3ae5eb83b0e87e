"""The submit node comes back at once, whatever the model takes: the core's thread is free for the next frame."""

from __future__ import annotations

import statistics
import time

import pytest
import vapoursynth as vs

import vsvfi
from vsvfi import graph

from .conftest import moving

LIMIT = 0.3e-3
"""Seconds of the frame server's thread for one frame of 1920x1080."""


@pytest.fixture
def submitted(monkeypatch) -> list[float]:
    """Seconds each call of the node took."""
    taken: list[float] = []
    call = graph._Submit.__call__

    def timed(self: graph._Submit, n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        start = time.perf_counter()
        frame = call(self, n, f)
        taken.append(time.perf_counter() - start)
        return frame

    monkeypatch.setattr(graph._Submit, "__call__", timed)
    return taken


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_submit_comes_back_at_once(submitted: list[float], device: str) -> None:
    source = moving(13, 1920, 1080) if device == "cuda" else vs.core.std.Splice(
        [vs.core.std.BlankClip(None, 1920, 1080, vs.YUV420P8, length=1, color=[20 * k, 90, 160]) for k in range(1, 12)]
    )  # fmt: skip
    clip = vsvfi.Interpolate(source, "test-slow", 2, scene_change=False, device=device)
    for frame in clip.frames(close=True):
        frame.close()
    assert len(submitted) >= 10
    median = statistics.median(submitted)
    assert median < LIMIT, f"{median * 1e3:.3f} ms, and the model takes 20"
