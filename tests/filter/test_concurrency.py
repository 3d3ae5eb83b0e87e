"""As many in-betweens are in work at a time as the client has requests out, whatever the factor."""

from __future__ import annotations

import threading
from collections import deque

import pytest
import vapoursynth as vs

import vsvfi
from vsvfi import plugins

from .conftest import moving
from .models import First, spec


class Meeting(First):
    """Finishes a frame only together with others: `Meeting.others` is the barrier where they meet."""

    others: threading.Barrier

    def synthesize(self, motion, t):
        self.others.wait()
        return super().synthesize(motion, t)


class Plugin:
    @vsvfi.hookimpl
    def vsvfi_models(self):
        return [spec("test-meeting", family="meeting", layout="planes", parallel=True)]

    @vsvfi.hookimpl
    def vsvfi_build(self, spec, device, dtype):
        return Meeting(spec, device, dtype) if spec.family == "meeting" else None


@pytest.fixture
def four_threads():
    plugin, threads = Plugin(), vs.core.num_threads
    plugins.register(plugin)
    vs.core.num_threads = 4
    yield
    vs.core.num_threads = threads
    plugins.unregister(plugin)


def ask(clip: vs.VideoNode, requests: int) -> int:
    """Frames answered to a client that keeps this many requests out, in order, as vspipe does."""
    out, answered = deque[object](), 0
    for n in range(clip.num_frames):
        out.append(clip.get_frame_async(n))
        while len(out) - sum(f.done() for f in out) >= requests:
            next(f for f in out if not f.done()).result().close()
    while out:
        out.popleft().result()
        answered += 1
    return answered


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize(("factor", "together"), [(2, 2), (3, 2), (2.5, 2), (4, 3)])
def test_in_betweens_are_made_side_by_side(factor: float, together: int, monkeypatch) -> None:
    source = moving(25)
    clip = vsvfi.Interpolate(source, "test-meeting", factor, scene_change=False, static="off")
    # Frames that end evenly: as many in-betweens as fill whole meetings.
    work = [n for n in range(clip.num_frames) if (n / factor) % 1 and n / factor < source.num_frames - 1]
    clip = clip[: work[len(work) // together * together - 1] + 1]
    monkeypatch.setattr(Meeting, "others", threading.Barrier(together, timeout=20), raising=False)
    assert ask(clip, 4) == clip.num_frames
