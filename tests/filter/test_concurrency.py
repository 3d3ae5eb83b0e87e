"""As many in-betweens are in work at a time as the client has requests out, whatever the factor."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import ClassVar

import pytest
import vapoursynth as vs

import vsvfi
from vsvfi import plugins

from .conftest import moving
from .models import First, spec


class Meeting(First):
    """Waits a while in each frame for others to be in work with it, and notes how many were."""

    together = 2
    met: ClassVar[list[bool]] = []
    inside = 0
    change = threading.Condition()

    def synthesize(self, motion, t):
        kind = Meeting
        with kind.change:
            kind.inside += 1
            kind.change.notify_all()
            kind.met.append(kind.change.wait_for(lambda: kind.inside >= kind.together, timeout=0.25))
        time.sleep(0.01)  # so that those who waited see it before somebody leaves
        with kind.change:
            kind.inside -= 1
        return super().synthesize(motion, t)


class Plugin:
    @vsvfi.hookimpl
    def vsvfi_models(self):
        return [spec("test-meeting", family="meeting", layout="planes", parallel=True)]

    @vsvfi.hookimpl
    def vsvfi_build(self, spec, device, dtype):
        return Meeting(spec, device, dtype) if spec.family == "meeting" else None


@pytest.fixture
def two_threads():
    plugin, threads = Plugin(), vs.core.num_threads
    plugins.register(plugin)
    vs.core.num_threads = 2
    yield
    vs.core.num_threads = threads
    plugins.unregister(plugin)


def ask(clip: vs.VideoNode, requests: int) -> int:
    """Frames answered to a client that always has this many requests out, as vspipe does."""
    coming, answered, over = iter(range(clip.num_frames)), 0, threading.Event()
    lock = threading.Lock()

    def next_one() -> None:
        with lock:
            n = next(coming, None)
        if n is not None:
            clip.get_frame_async(n).add_done_callback(done)

    def done(future: Future[vs.VideoFrame]) -> None:
        nonlocal answered
        future.result().close()
        with lock:
            answered += 1
            if answered == clip.num_frames:
                over.set()
        next_one()

    for _ in range(requests):
        next_one()
    over.wait(30)
    return answered


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("factor", "together"), [(2, 2), (3, 2), (2.5, 2)])
def test_in_betweens_are_made_side_by_side(factor: float, together: int, monkeypatch) -> None:
    met: list[bool] = []
    monkeypatch.setattr(Meeting, "met", met)
    monkeypatch.setattr(Meeting, "together", together)
    clip = vsvfi.Interpolate(moving(25), "test-meeting", factor, scene_change=False, static="off")
    assert ask(clip, 2) == clip.num_frames
    # Not all: the first and last are alone, and the core sometimes leaves a thread asleep that has work.
    assert sum(met) >= 0.5 * len(met), f"{sum(met)} of {len(met)} frames were made beside others"
