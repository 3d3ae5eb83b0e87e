"""The same frame is the same bytes: in any order, on any thread, on any number of devices; source frames come back."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
import vapoursynth as vs

import vsvfi

from .conftest import all_data, data, moving

FORMATS = [
    vs.YUV420P8, vs.YUV420P10, vs.YUV422P16, vs.YUV444PS, vs.YUV410P8, vs.YUV440P8, vs.RGB24, vs.RGBH, vs.RGBS,
    vs.GRAY8, vs.GRAY16, vs.GRAYS, vs.YUV444PH,
]  # fmt: skip

OURS = {"VsvfiSource", "VsvfiTimestep", "VsvfiScene", "_DurationNum", "_DurationDen", "_AbsoluteTime"}


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.name)
@pytest.mark.parametrize("model", ["test-blend", "flow"])
def test_source_frames_come_back(format, model: str) -> None:
    clip = moving(4, format=format)
    out = vsvfi.Interpolate(clip, model, 2, False)
    assert out.format.id == format
    assert out.num_frames == 8
    for n in range(0, 8, 2):
        source, result = clip.get_frame(n // 2), out.get_frame(n)
        assert data(source) == data(result)
        kept = {k: v for k, v in result.props.items() if k not in OURS}
        assert kept == {k: v for k, v in source.props.items() if k not in OURS}


@pytest.mark.parametrize("factor", [2, Fraction(5, 2), 3, "1001/400"])
def test_random_access_equals_linear(factor) -> None:
    clip = moving(10)
    linear = all_data(vsvfi.Interpolate(clip, "flow", factor, True))
    out = vsvfi.Interpolate(clip, "flow", factor, True)
    order = [*range(out.num_frames)] * 2
    random.Random(3).shuffle(order)
    for n in order:
        assert data(out.get_frame(n)) == linear[n], n
    assert all_data(out.std.Reverse())[::-1] == linear


def test_concurrent_requests_equal_linear() -> None:
    clip = moving(12)
    linear = all_data(vsvfi.Interpolate(clip, "flow", 3))
    out = vsvfi.Interpolate(clip, "flow", 3)
    wanted = [n for n in range(out.num_frames) for _ in range(3)]
    random.Random(1).shuffle(wanted)
    for n, future in [(n, out.get_frame_async(n)) for n in wanted]:
        assert data(future.result()) == linear[n]


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_thread_counts(threads: int) -> None:
    before = vs.core.num_threads
    expected = all_data(vsvfi.Interpolate(moving(10), "flow", Fraction(5, 2)))
    try:
        vs.core.num_threads = threads
        assert all_data(vsvfi.Interpolate(moving(10), "flow", Fraction(5, 2))) == expected
    finally:
        vs.core.num_threads = before


@pytest.mark.parametrize("model", ["test-blend", "flow"])
def test_several_devices_give_the_bytes_of_one(model: str) -> None:
    clip = moving(24)
    one = all_data(vsvfi.Interpolate(clip, model, 2, device="cpu"))
    assert all_data(vsvfi.Interpolate(clip, model, 2, device=["cpu", "cpu"])) == one


def test_stages_run_once_at_any_factor() -> None:
    model = vsvfi.load("test-blend")
    out = vsvfi.Interpolate(moving(6), model, 4, False, static="off")
    all_data(out)
    assert model.calls["encode"] == 6
    assert model.calls["relate"] == 5
    assert model.calls["synthesize"] == 15


def test_blend_of_known_frames() -> None:
    black = vs.core.std.BlankClip(width=32, height=32, format=vs.GRAY8, length=1, color=40)
    white = vs.core.std.BlankClip(width=32, height=32, format=vs.GRAY8, length=1, color=200)
    out = vsvfi.Interpolate(black + white, "test-blend", 4, False)
    means = [np.asarray(f[0]).mean() for f in out.frames(close=True)]
    assert means == pytest.approx([40, 80, 120, 160, 200, 200, 200, 200], abs=0.5)


def test_cropped_clip_equals_its_copy() -> None:
    """The stride test: rows padded and starting anywhere give the same bytes as compact ones."""
    clip = moving(5, width=128, format=vs.YUV444P8)
    crop = clip.std.CropAbs(width=65, height=33, left=3, top=5)
    compact = vs.core.std.Splice([_copied(crop, n) for n in range(5)]).std.AssumeFPS(fpsnum=24)
    assert all_data(vsvfi.Interpolate(crop, "flow", 2)) == all_data(vsvfi.Interpolate(compact, "flow", 2))


def _copied(clip: vs.VideoNode, n: int) -> vs.VideoNode:
    planes = [np.array(np.asarray(p)) for p in clip.get_frame(n)]
    blank = clip.std.BlankClip(length=1)

    def fill(n, f):
        frame = f.copy()
        for p, plane in enumerate(planes):
            np.copyto(np.asarray(frame[p]), plane)
        return frame

    return blank.std.ModifyFrame(blank, fill)


@pytest.mark.parametrize("size", [(16, 16), (17, 19), (33, 16), (101, 67)])
@pytest.mark.parametrize("model", ["test-blend", "flow"])
def test_small_and_odd_sizes(size: tuple[int, int], model: str) -> None:
    out = vsvfi.Interpolate(moving(3, *size, format=vs.RGB24), model, 2, False)
    assert len(all_data(out)) == 6


def test_endless_clip_without_a_rate() -> None:
    """As a player hands it in: 2**31 - 1 frames, fps 0. The same frames as of a short clip, from anywhere."""
    clip = moving(8)
    looped = clip.std.Loop(0)
    endless = looped.std.BlankClip(fpsnum=0, fpsden=1, keep=True).std.FrameEval(lambda n: looped)
    assert (endless.num_frames, endless.fps_num) == (2**31 - 1, 0)
    out = vsvfi.Interpolate(endless, "flow", Fraction(5, 2), False)
    short = vsvfi.Interpolate(clip, "flow", Fraction(5, 2), False)
    assert out.num_frames == 2**31 - 1
    for n in (0, 1, 2, 3, 11, 7):
        assert data(out.get_frame(n)) == data(short.get_frame(n))
    far = 20 * 50_000_000  # a whole number of loops
    assert data(out.get_frame(far + 3)) == data(short.get_frame(3))


@pytest.mark.parametrize("factor", ["4001/1000", "2501/2500"])
def test_odd_ratios_take_the_other_way_to_the_same_frames(factor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from vsvfi import graph

    by_number = all_data(vsvfi.Interpolate(moving(6), "test-blend", factor, False))
    monkeypatch.setattr(graph, "_MOST_COPIES", 10_000)
    assert all_data(vsvfi.Interpolate(moving(6), "test-blend", factor, False)) == by_number


def test_chained_and_parallel_nodes() -> None:
    clip = moving(6)
    once = vsvfi.Interpolate(clip, "flow", 2, False)
    twice = vsvfi.Interpolate(once, "flow", 2, False)
    both = vs.core.std.Interleave([once, vsvfi.Interpolate(clip, "test-blend", 2, False)])
    assert twice.num_frames == 24
    assert twice.fps == 96
    assert [data(f) for f in twice.frames(close=True)][::2] == all_data(once)
    assert all_data(both)[::2] == all_data(once)
