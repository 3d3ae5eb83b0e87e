"""Models are shared and freed; scripts reload and cores die with frames in flight; memory stays flat."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import weakref

import pytest
import vapoursynth as vs

import vsvfi
from vsvfi import loading, plugins

from .conftest import all_data, moving, rss_mib


def shared_model():
    return loading.shared(plugins.spec("test-blend"), "cpu", "fp32")


def test_filters_share_a_model_and_free_it() -> None:
    first = vsvfi.Interpolate(moving(3), "test-blend", 2)
    model = weakref.ref(shared_model())
    second = vsvfi.Interpolate(moving(3), "test-blend", 3)
    assert shared_model() is model()
    all_data(first)
    del first
    gc.collect()
    assert model() is not None
    all_data(second)
    del second
    gc.collect()
    assert model() is None


def test_memory_is_flat_over_many_frames() -> None:
    """10,000 frames after a warm-up in which the core fills its pool of frame memory and malloc its arenas."""
    warm, length = 14_000, 10_000
    clip = moving(64, 320, 176).std.Loop(400)
    out = vsvfi.Interpolate(clip, "test-first", 2, True)
    sizes = []
    for n, frame in enumerate(out.frames(close=True)):
        frame.close()
        if n in (warm, warm + length):
            gc.collect()
            sizes.append(rss_mib())
    assert len(sizes) == 2
    assert sizes[1] - sizes[0] < 24, sizes


def test_reloading_a_script_does_not_grow() -> None:
    sizes = []
    for n in range(40):
        out = vsvfi.Interpolate(moving(6, 320, 176), "flow", 2)
        out.get_frame(5)
        del out
        if n in (10, 39):
            gc.collect()
            sizes.append(rss_mib())
    assert sizes[1] - sizes[0] < 24, sizes


@pytest.mark.parametrize("ending", ["drop", "exit"])
def test_a_core_may_die_with_frames_in_flight(ending: str) -> None:
    script = """
        import sys, vapoursynth as vs, vsvfi
        from tests.filter import models
        from tests.filter.conftest import moving
        vsvfi.plugins.register(models)
        out = vsvfi.Interpolate(moving(40), "test-slow", 2, False)
        futures = [out.get_frame_async(n) for n in range(40)]
        futures[3].result()
        if sys.argv[1] == "drop":
            del out, futures
        print("done")
    """
    done = subprocess.run(
        [sys.executable, "-c", "import vsvfi.plugins\n" + textwrap.dedent(script), ending],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "done" in done.stdout


def test_another_environment_in_the_same_process() -> None:
    """As previewers do: a policy of their own, an environment a script, destroyed on reload."""
    script = """
        import gc, vapoursynth as vs

        class Policy(vs.EnvironmentPolicy):
            def __init__(self): self.current = None
            def on_policy_registered(self, api): self.api = api
            def on_policy_cleared(self): pass
            def get_current_environment(self): return self.current
            def set_environment(self, environment):
                previous, self.current = self.current, environment
                return previous
            def is_alive(self, environment): return True

        policy = Policy()
        vs.register_policy(policy)
        import vsvfi
        for _ in range(5):
            data = policy.api.create_environment()
            wrapped = policy.api.wrap_environment(data)
            with wrapped.use():
                clip = vs.core.std.BlankClip(width=64, height=64, format=vs.YUV420P8, length=6)
                moved = clip.std.Merge(clip.std.Invert(), 0.25)
                out = vsvfi.Interpolate(vs.core.std.Interleave([clip, moved]), "flow", 2)
                for n in range(6):
                    out.get_frame(n).close()
                del clip, moved, out
            gc.collect()
            policy.api.destroy_environment(data)
        print("done")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "done" in done.stdout


def test_closed_over_names_do_not_recurse() -> None:
    clip = moving(4)
    clip = vsvfi.Interpolate(clip, "flow", 2)
    clip = vsvfi.Interpolate(clip, "flow", 2)
    assert isinstance(clip.get_frame(3), vs.VideoFrame)
