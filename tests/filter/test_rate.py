"""Rates, lengths, durations and times of whole clips."""

from __future__ import annotations

from fractions import Fraction

import pytest
import vapoursynth as vs

import vsvfi

from .conftest import moving


def lasting(clip: vs.VideoNode, durations: list[Fraction], *, absolute: bool = True) -> vs.VideoNode:
    """A variable-rate clip whose frames last what is given."""

    def stamp(n, f):
        frame = f.copy()
        frame.props["_DurationNum"], frame.props["_DurationDen"] = durations[n].numerator, durations[n].denominator
        if absolute:
            frame.props["_AbsoluteTime"] = float(sum(durations[:n]))
        return frame

    free = clip.std.BlankClip(fpsnum=0, fpsden=1, keep=True)
    return free.std.ModifyFrame(clip, stamp)


def durations_of(clip: vs.VideoNode) -> list[Fraction]:
    return [Fraction(f.props["_DurationNum"], f.props["_DurationDen"]) for f in clip.frames(close=True)]


VARIED = [Fraction(n, 1000) for n in (42, 41, 83, 17, 100, 33, 34)]


@pytest.mark.parametrize(
    ("ask", "fps", "frames"),
    [
        ({"factor": 2}, Fraction(48), 20),
        ({"factor": 2.5}, Fraction(60), 25),
        ({"fps": 60}, Fraction(60), 25),
        ({"fps": 59.94}, Fraction(60000, 1001), 25),
        ({"fps": "60000/1001"}, Fraction(60000, 1001), 25),
        ({"factor": "60000/24000"}, Fraction(60), 25),
        ({"factor": 1}, Fraction(24), 10),
        ({"factor": Fraction(5, 3)}, Fraction(40), 17),
    ],
    ids=str,
)
def test_constant_rate(ask: dict, fps: Fraction, frames: int) -> None:
    out = vsvfi.Interpolate(moving(10), "flow", **ask)
    assert (out.fps, out.num_frames) == (fps, frames)
    got = list(out.frames(close=False))
    assert len(got) == frames
    assert {Fraction(f.props["_DurationNum"], f.props["_DurationDen"]) for f in got} == {1 / fps}
    assert [f.props["_AbsoluteTime"] for f in got] == pytest.approx([n / float(fps) for n in range(frames)])


@pytest.mark.parametrize("factor", [2, Fraction(5, 2), Fraction(3, 2), Fraction(1001, 400), 1])
def test_variable_rate_keeps_its_total(factor) -> None:
    out = vsvfi.Interpolate(lasting(moving(7), VARIED), "flow", factor)
    assert out.fps_num == 0
    durations = durations_of(out)
    assert sum(durations) == sum(VARIED)
    starts = [f.props["_AbsoluteTime"] for f in out.frames(close=True)]
    assert starts == pytest.approx([float(sum(durations[:n])) for n in range(len(durations))])


def test_variable_rate_with_no_durations_gets_none() -> None:
    clip = moving(4)
    bare = clip.std.BlankClip(fpsnum=0, fpsden=1, keep=True)
    bare = bare.std.ModifyFrame(clip.std.RemoveFrameProps(["_DurationNum", "_DurationDen"]), lambda n, f: f)
    frame = vsvfi.Interpolate(bare, "flow", 2).get_frame(1)
    assert "_DurationNum" not in frame.props
    assert "_AbsoluteTime" not in frame.props


def timecodes(path, durations: list[Fraction]) -> str:
    lines = [f"{float(1000 * sum(durations[:n])):.6f}" for n in range(len(durations))]
    path.write_text("# timecode format v2\n" + "\n".join(lines) + "\n")
    return str(path)


def test_target_rate_of_a_variable_clip(tmp_path) -> None:
    clip = lasting(moving(7), VARIED)
    out = vsvfi.Interpolate(clip, "test-blend", fps=50, timecodes=timecodes(tmp_path / "t.txt", VARIED))
    total = sum(VARIED[:-1]) + VARIED[-2]  # the file cannot say how long the last frame lasts
    assert out.fps == 50
    assert out.num_frames == round(total * 50)
    frame = out.get_frame(3)  # 0.06 s: 18 ms into the second frame, which lasts 41
    assert frame.props["VsvfiSource"] == 1
    assert frame.props["VsvfiTimestep"] == pytest.approx(18 / 41)
    assert frame.props["_AbsoluteTime"] == pytest.approx(0.06)


def test_timecodes_make_a_tagged_clip_variable(tmp_path) -> None:
    out = vsvfi.Interpolate(moving(7), "flow", 2, timecodes=timecodes(tmp_path / "t.txt", VARIED))
    assert out.fps_num == 0
    assert durations_of(out)[:4] == [VARIED[0] / 2] * 2 + [VARIED[1] / 2] * 2


def test_tail_holds_the_last_frame() -> None:
    clip = moving(3)
    out = vsvfi.Interpolate(clip, "flow", 4)
    kinds = [f.props["VsvfiScene"] for f in out.frames(close=True)]
    assert kinds[-4:] == ["source", "tail", "tail", "tail"]
    assert kinds[:2] == ["source", "motion"]


def test_position_properties() -> None:
    frame = vsvfi.Interpolate(moving(4), "flow", Fraction(5, 2), False).get_frame(4)
    assert frame.props["VsvfiSource"] == 1
    assert frame.props["VsvfiTimestep"] == pytest.approx(0.6)
    assert "VsvfiSceneScore" not in frame.props
