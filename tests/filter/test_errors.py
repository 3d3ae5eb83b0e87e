"""Every mistake is told at the call where it can be known there, with the filter's name, and never hangs a frame."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import vapoursynth as vs

import vsvfi

from .conftest import all_data, moving


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        ({"factor": 0.5}, "factor must be at least 1, got 0.5"),
        ({"factor": "two"}, "factor must be a positive number"),
        ({"factor": 2, "fps": 60}, "factor and fps exclude each other"),
        ({"fps": 12}, "fps must be at least the clip's 24"),
        ({"fps": -1}, "fps must be a positive number"),
        ({"model": "flwo"}, 'no model "flwo"; did you mean "flow"'),
        ({"model": 3}, "model must be a name or a Model"),
        ({"model": "test-missing"}, "test-missing is not installed; run: vsvfi models install test-missing"),
        ({"device": "cuda:7", "model": "test-blend"}, "cuda:7"),
        ({"device": "abacus"}, "abacus"),
        ({"device": []}, "device must name at least one"),
        ({"precision": "fp16", "model": "flow"}, "fp16"),
        ({"scale": 100}, "scale must be"),
        ({"scale": 4.0, "model": "flow"}, "scale must be from 0.125 to 2 for flow"),
        ({"scale": 0.5, "model": "test-blend"}, "test-blend has no scale"),
        ({"tile": 10}, "tile must be at least 64"),
        ({"tile": 128, "overlap": 64}, "more than twice the overlap"),
        ({"scene_change": 2.0}, "scene_change as a threshold"),
        ({"on_scene_change": "fade"}, "on_scene_change must be one of"),
        ({"options": {"levels": 3}}, "flow has no option 'levels'"),
        ({"engine": "tensorrt"}, "engine must be one of"),
        ({"timecodes": "/nowhere/t.txt"}, "timecodes: cannot read"),
        ({"timecodes": 3}, "timecodes must be a path"),
    ],
    ids=str,
)
def test_told_at_the_call(ask: dict, complaint: str) -> None:
    with pytest.raises(vs.Error, match=r"^Interpolate: ") as caught:
        vsvfi.Interpolate(moving(3), **{"model": "flow", **ask})
    assert complaint in str(caught.value)
    assert caught.value.__cause__ is not None


def blank(**of) -> vs.VideoNode:
    return vs.core.std.BlankClip(**{"width": 64, "height": 64, "format": vs.YUV420P8, "length": 5, **of})


@pytest.mark.parametrize(
    ("clip", "complaint"),
    [
        ("in.mkv", "clip must be a VapourSynth clip (vs.VideoNode), got str"),
        (lambda: blank(varsize=True), "changes its format or size"),
        (lambda: blank(varformat=True), "changes its format or size"),
        (lambda: blank(format=vs.GRAY32), "convert to 8 to 16 bit"),
        (lambda: blank(width=8, height=8), "at least 16x16, got 8x8"),
        (lambda: vs.core.std.BlankAudio(), "clip must be a VapourSynth clip"),
    ],
)
def test_clips_that_cannot_be_used(clip, complaint: str) -> None:
    with pytest.raises(vs.Error, match=r"^Interpolate: ") as caught:
        vsvfi.Interpolate(clip() if callable(clip) else clip)
    assert complaint in str(caught.value)


def test_variable_rate_needs_timecodes_for_fps() -> None:
    with pytest.raises(vs.Error, match="give timecodes="):
        vsvfi.Interpolate(blank(fpsnum=0, fpsden=1), fps=60)


def test_timecodes_of_another_clip(tmp_path) -> None:
    file = tmp_path / "t.txt"
    file.write_text("# timecode format v2\n0\n40\n")
    with pytest.raises(vs.Error, match="has 2 times, the clip 5 frames"):
        vsvfi.Interpolate(blank(), timecodes=file)


def test_one_frame_is_held_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    clip = moving(1)
    with caplog.at_level(logging.WARNING, "vsvfi"):
        out = vsvfi.Interpolate(clip, "flow", 3)
    assert "no neighbour" in caplog.text
    assert all_data(out) == all_data(clip) * 3


@pytest.mark.parametrize("field", [1, 2])
def test_interlaced_frames(field: int) -> None:
    clip = moving(6)
    clip = clip[:3] + clip[3:].std.SetFieldBased(field)
    out = vsvfi.Interpolate(clip, "flow", 2)
    out.get_frame(1)
    with pytest.raises(vs.Error, match=rf"frame 3 is interlaced \(_FieldBased={field}\); deinterlace first"):
        out.get_frame(5)


def test_a_failing_model_names_frame_model_and_device() -> None:
    out = vsvfi.Interpolate(moving(4), "test-broken", 2, False)
    out.get_frame(2)
    with pytest.raises(vs.Error, match=r"Interpolate: frame 3 \(test-broken, cpu\): the network is on fire"):
        out.get_frame(3)
    out.get_frame(4)


def test_a_failing_callable_is_an_ordinary_error() -> None:
    out = vsvfi.Interpolate(moving(4), "flow", 2, lambda n, f0, f1: 1 / 0)
    with pytest.raises(vs.Error, match="division by zero"):
        out.get_frame(1)


def test_out_of_memory_goes_on_in_tiles(caplog: pytest.LogCaptureFixture) -> None:
    clip = moving(3, 160, 120)
    whole = vsvfi.Interpolate(clip, "test-blend", 2, False).get_frame(1)
    with caplog.at_level(logging.WARNING, "vsvfi"):
        tiled = vsvfi.Interpolate(clip, "test-hungry", 2, False).get_frame(1)
    assert "out of memory at 160x120; going on in tiles of 128x64" in caplog.text
    for p in range(3):
        assert np.abs(np.asarray(whole[p]).astype(int) - np.asarray(tiled[p])).max() <= 1


def test_out_of_memory_in_tiles_says_what_to_try() -> None:
    out = vsvfi.Interpolate(moving(3, 160, 120), "test-starving", 2, False)
    with pytest.raises(vs.Error, match="out of memory at 160x120, also in tiles of 128x64; try tile=64"):
        out.get_frame(1)


def test_an_asked_for_tile_is_used() -> None:
    clip = moving(3, 256, 192)
    tiled = vsvfi.Interpolate(clip, "test-hungry", 2, False, tile=96, overlap=16)
    assert all_data(tiled) == all_data(vsvfi.Interpolate(clip, "test-blend", 2, False))
