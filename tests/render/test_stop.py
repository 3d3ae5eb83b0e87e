"""What is left when a render stops on the way, and what names files may have."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import vapoursynth as vs

from vsvfi.errors import OptionError, RenderError
from vsvfi.render.job import RenderStopped, render
from vsvfi.render.settings import Progress, Settings

from .conftest import double, same
from .media import Recipe, make, see

QUICK: dict[str, Any] = {"preset": "ultrafast"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("source") / "in.mkv", Recipe(frames=48, audio=("aac",)))


def failing(source, settings) -> vs.VideoNode:
    """A clip whose frame 30 cannot be made."""

    def fail(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        if n == 30:
            raise ValueError("the model exploded")
        return f

    clip = double(source, settings)
    return clip.std.ModifyFrame(clip, fail)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_failure_says_where_and_leaves_a_playable_part(source: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    with pytest.raises(RenderError) as caught:
        render(source, out, Settings(**QUICK), interpolate=failing)
    part = tmp_path / f"out.part{suffix}"
    assert str(caught.value).startswith(f"stopped at frame 30 of 96 (0:00:00.625); the part made is in {part}: ")
    assert "the model exploded" in str(caught.value)
    assert list(tmp_path.iterdir()) == [part]
    seen = see(part)
    assert len(seen.times) == 30
    assert abs(seen.ends["audio"] - Fraction(30, 48)) < Fraction(1, 10)


def test_a_failure_leaves_the_old_file_alone(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    out.write_bytes(b"precious")
    with pytest.raises(RenderError, match="stopped at frame 30"):
        render(source, out, Settings(overwrite=True, **QUICK), interpolate=failing)
    assert out.read_bytes() == b"precious"


def test_ctrl_c_says_where(source: Path, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done == 20:
            raise KeyboardInterrupt

    with pytest.raises(RenderStopped, match=r"stopped at frame 19 of 96|stopped at frame 20 of 96"):
        render(source, tmp_path / "out.mkv", Settings(**QUICK), interpolate=double, progress=interrupt)
    assert [p.name for p in tmp_path.iterdir()] == ["out.part.mkv"]
    assert len(see(tmp_path / "out.part.mkv").times) == 20


def test_progress_counts_every_frame(source: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    render(source, tmp_path / "out.mkv", Settings(**QUICK), interpolate=double, progress=told.append)
    assert told == [Progress(n, 96) for n in range(1, 97)]


def test_a_finished_render_leaves_one_file(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out.part.mkv").write_bytes(b"of a render that failed yesterday")
    render(source, tmp_path / "out.mkv", Settings(**QUICK), interpolate=double)
    assert [p.name for p in tmp_path.iterdir()] == ["out.mkv"]


def test_overwriting_must_be_asked_for(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    out.write_bytes(b"old")
    with pytest.raises(OptionError, match=r"out.mkv exists; give --overwrite"):
        render(source, out, Settings(**QUICK), interpolate=double)
    assert out.read_bytes() == b"old"
    render(source, out, Settings(overwrite=True, **QUICK), interpolate=double)
    assert len(see(out).times) == 96


def test_a_file_that_appears_meanwhile_is_not_replaced(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    with pytest.raises(RenderError, match=r"out.mkv appeared meanwhile; the complete result is .*out.part.mkv"):
        render(source, out, Settings(**QUICK), interpolate=double, progress=lambda _: out.write_bytes(b"new"))
    assert out.read_bytes() == b"new"


def test_the_source_is_never_the_output(source: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.mkv"
    link.symlink_to(source)
    before = source.read_bytes()
    for out in (source, link):
        with pytest.raises(OptionError, match="is the source itself"):
            render(source, out, Settings(overwrite=True), interpolate=double)
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("", "is a folder"),
        ("name", "has no suffix"),
        ("none/out.mkv", "there is no folder"),
        ("out.xyz", r"no container is known by the suffix '.xyz'"),
        ("out.gif", r".gif files cannot hold what libx264 makes"),
    ],
)
def test_outputs_that_cannot_be(source: Path, tmp_path: Path, out: str, message: str) -> None:
    with pytest.raises((OptionError, RenderError), match=message):
        render(source, tmp_path / out, interpolate=same)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": "0.5"}, "factor must be at least 1"),
        ({"factor": 2, "fps": 60}, "exclude each other"),
        ({"fps": "fast"}, "fps must be a positive number"),
        ({"crf": 80}, "crf must be from 0 to 51 for libx264, got 80"),
        ({"preset": "warp"}, "preset must be one of ultrafast"),
        ({"encoder": "ffv1", "crf": 1}, "ffv1 is lossless and has no crf"),
        ({"encoder": "ffv1", "preset": "slow"}, "preset must be left out for ffv1"),
        ({"encoder": "divx"}, "encoder must be libx264, libx265, libsvtav1, ffv1, or a command line"),
        ({"encoder": "x265 --crf 20", "crf": 3}, "crf and preset belong into the command line"),
        ({"encoder": "x265 -o mine.hevc"}, "leave -o out of the command line"),
        ({"encoder": "x265 'open"}, "cannot read the command line"),
        ({"encoder": "/nowhere/x265 --crf 20"}, "no program /nowhere/x265 was found"),
        ({"start": Fraction(5)}, "no frame lies between start and end; in.mkv lasts 0:00:02.000"),
        ({"start": Fraction(1), "end": Fraction(1)}, "no frame lies between"),
    ],
)
def test_nonsense_is_refused_before_anything_is_written(
    source: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        render(source, tmp_path / "out.mkv", Settings(**options), interpolate=same)
    assert not list(tmp_path.iterdir())
