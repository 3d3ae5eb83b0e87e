"""Cuts, stills and what is shown there; every signal a user may give; the number of frames never changes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import vapoursynth as vs

import vsvfi

from .conftest import all_data, data, moving

CUT = 5


def with_cut(length: int = 10) -> vs.VideoNode:
    """Two different shots; the second begins at frame CUT."""
    clip = moving(length, 128, 96)
    return clip[:CUT] + clip.std.FlipVertical().std.Invert()[CUT:]


def kinds(clip: vs.VideoNode) -> list[str]:
    return [f.props["VsvfiScene"] for f in clip.frames(close=True)]


def marked(clip: vs.VideoNode) -> vs.VideoNode:
    """The cut marked as other filters mark it."""

    def stamp(n, f):
        frame = f.copy()
        frame.props["_SceneChangePrev"] = int(n == CUT)
        frame.props["_SceneChangeNext"] = int(n == CUT - 1)
        return frame

    return clip.std.ModifyFrame(clip, stamp)


SIGNALS = {
    "detector": True,
    "threshold": 0.4,
    "props": "props",
    "list": [CUT],
    "set": {CUT},
    "callable": lambda n, f0, f1: n == CUT - 1,
}


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("factor", [2, 3])
def test_every_signal_finds_the_cut(signal: str, factor: int) -> None:
    out = vsvfi.Interpolate(marked(with_cut()), "flow", factor, SIGNALS[signal])
    found = kinds(out)
    assert [n for n, kind in enumerate(found) if kind == "cut"] == [(CUT - 1) * factor + k for k in range(1, factor)]
    source = with_cut().get_frame(CUT - 1)
    assert data(out.get_frame((CUT - 1) * factor + 1)) == data(source)


def test_no_signal_interpolates_across() -> None:
    assert "cut" not in kinds(vsvfi.Interpolate(with_cut(), "flow", 2, False))


def test_the_callable_sees_each_pair_once_with_its_frames() -> None:
    seen = []

    def decide(n: int, f0: vs.VideoFrame, f1: vs.VideoFrame) -> bool:
        seen.append((n, data(f0), data(f1)))
        return False

    clip = moving(5)
    all_data(vsvfi.Interpolate(clip, "flow", 4, decide))
    frames = all_data(clip)
    assert sorted(seen) == [(n, frames[n], frames[n + 1]) for n in range(4)]


@pytest.mark.parametrize(
    ("mode", "factor", "shown"),
    [
        ("hold", 4, [CUT - 1] * 3),
        ("next", 4, [CUT] * 3),
        ("nearest", 4, [CUT - 1, CUT - 1, CUT]),
        ("nearest", 3, [CUT - 1, CUT]),
    ],
)
def test_what_is_shown_at_a_cut(mode: str, factor: int, shown: list[int]) -> None:
    clip = with_cut()
    out = vsvfi.Interpolate(clip, "flow", factor, [CUT], on_scene_change=mode)
    start = (CUT - 1) * factor + 1
    assert [data(out.get_frame(start + k)) for k in range(factor - 1)] == [data(clip.get_frame(i)) for i in shown]


def test_blend_at_a_cut() -> None:
    clip = with_cut()
    frame = vsvfi.Interpolate(clip, "flow", 4, [CUT], on_scene_change="blend").get_frame((CUT - 1) * 4 + 1)
    for p in range(3):
        a, b = (np.asarray(clip.get_frame(i)[p]).astype(float) for i in (CUT - 1, CUT))
        assert np.abs(np.asarray(frame[p]) - (0.75 * a + 0.25 * b)).max() <= 0.5


@pytest.mark.parametrize(
    ("scene_change", "mode", "static"),
    list(itertools.product([True, False, "props", [CUT]], ["hold", "next", "nearest", "blend"], ["hold", "off"])),
    ids=str,
)
def test_the_number_of_frames_never_depends_on_cuts(scene_change, mode: str, static: str) -> None:
    out = vsvfi.Interpolate(with_cut(7), "test-first", "5/2", scene_change, on_scene_change=mode, static=static)
    assert len(all_data(out)) == out.num_frames == 18


@pytest.mark.parametrize(("mode", "last"), [("hold", 3), ("next", 0)])
def test_marks_of_the_source_move_to_where_the_picture_changes(mode: str, last: int) -> None:
    out = vsvfi.Interpolate(marked(with_cut()), "flow", 4, "props", on_scene_change=mode)
    start = 4 * (CUT - 1)
    between = [out.get_frame(start + k).props for k in range(1, 4)]
    assert [p["_SceneChangeNext"] for p in between] == [int(k == last) for k in range(1, 4)]
    assert [p["_SceneChangePrev"] for p in between] == [int(mode == "next" and k == 1) for k in range(1, 4)]


def test_scores_are_written() -> None:
    out = vsvfi.Interpolate(with_cut(), "flow", 2)
    scores = {n: out.get_frame(n).props["VsvfiSceneScore"] for n in range(1, out.num_frames - 2, 2)}
    assert max(scores, key=scores.__getitem__) == 2 * CUT - 1
    assert all(0 <= score <= 1 for score in scores.values())


def doubled(clip: vs.VideoNode) -> vs.VideoNode:
    """Every frame twice, as in animation on twos."""
    return vs.core.std.Interleave([clip, clip]).std.AssumeFPS(fpsnum=24)


def test_stills_are_held_and_cost_nothing() -> None:
    model = vsvfi.load("test-blend")
    clip = doubled(moving(4))
    out = vsvfi.Interpolate(clip, model, 2, False)
    assert kinds(out)[1:-2:4] == ["still"] * 4
    assert data(out.get_frame(1)) == data(clip.get_frame(0))
    assert model.calls["synthesize"] == model.calls["relate"] == 3


def test_stills_below_a_threshold() -> None:
    clip = moving(2)
    nearly = clip[0] + clip[0].std.Expr("x 1 +") if hasattr(vs.core.std, "Expr") else None
    assert nearly is not None
    assert kinds(vsvfi.Interpolate(nearly, "flow", 2, False))[1] == "motion"
    assert kinds(vsvfi.Interpolate(nearly, "flow", 2, False, static=1.5))[1] == "still"


def test_static_off_computes_stills() -> None:
    assert "still" not in kinds(vsvfi.Interpolate(doubled(moving(3)), "flow", 2, static="off"))


@pytest.mark.parametrize("show", ["flow", "mask", "occlusion", "scene"])
@pytest.mark.parametrize("format", [vs.YUV420P8, vs.YUV444P16, vs.RGBS, vs.GRAY8], ids=lambda f: f.name)
def test_show(show: str, format) -> None:
    clip = moving(6, 128, 96, format)
    plain = all_data(vsvfi.Interpolate(clip, "flow", 2))
    out = vsvfi.Interpolate(clip, "flow", 2, show=show)
    assert (out.format.id, out.num_frames) == (format, 12)
    shown = all_data(out)
    assert all(a != b for a, b in zip(plain, shown, strict=True))
    assert data(out.get_frame(5)) == shown[5]


def test_show_needs_a_model_that_explains() -> None:
    with pytest.raises(vs.Error, match="test-first has no flow or mask to show"):
        vsvfi.Interpolate(moving(3), "test-first", 2, False, show="flow")
