"""What of the source is in the result, and whether it is there at the right time."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition

from vsvfi.render.job import render
from vsvfi.render.settings import Report, Settings

from .conftest import double
from .media import FONT, Recipe, even, level, make, see

FRAME = Fraction(1, 24)
SOUND = Fraction(1024, 48000)
FULL = Recipe(frames=48, audio=("aac", "flac"), subtitle="subrip", chapters=True, attachment=True,
              metadata={"title": "A title"})  # fmt: skip
QUICK: dict[str, Any] = {"preset": "ultrafast", "crf": 1.0}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("full") / "full.mkv", FULL)


def test_everything_arrives(full: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    report = render(full, tmp_path / "out.mkv", Settings(**QUICK), interpolate=double)
    assert report == Report(tmp_path / "out.mkv", 96, Fraction(2), Fraction(48))
    seen = see(tmp_path / "out.mkv")
    assert seen.kinds == ["video:h264", "audio:aac", "audio:flac", "subtitle:srt"]
    assert seen.languages == ["fin", "fin"]
    assert seen.metadata["title"] == "A title"
    assert seen.chapters == [("one", 0, Fraction(1, 2)), ("two", Fraction(1, 2), 1)]
    assert seen.attachments == [FONT]
    assert seen.subtitles == see(full).subtitles
    assert not caplog.records


def test_pixels_and_times_are_exact(full: Path, tmp_path: Path) -> None:
    render(full, tmp_path / "out.mp4", Settings(**QUICK), interpolate=double)
    seen = see(tmp_path / "out.mp4")
    assert seen.times == even(96, Fraction(48))
    assert seen.video["rate"] == 48
    assert seen.levels == pytest.approx([level(n // 2) for n in range(96)], abs=1)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_sound_and_picture_end_together(full: Path, tmp_path: Path, suffix: str) -> None:
    render(full, tmp_path / f"out{suffix}", Settings(**QUICK), interpolate=double)
    seen = see(tmp_path / f"out{suffix}")
    assert seen.times[0] == 0
    assert abs(seen.ends["video"] - 2) <= Fraction(1, 1000)
    assert abs(seen.ends["audio"] - seen.ends["video"]) <= max(SOUND, FRAME / 2)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize(("start", "end"), [("0.5", "1.25"), ("0.51", None), (None, "0.75")])
def test_a_part_starts_and_ends_together(
    full: Path, tmp_path: Path, suffix: str, start: str | None, end: str | None
) -> None:
    first = 0 if start is None else {"0.5": 12, "0.51": 13}[start]
    past = 48 if end is None else round(Fraction(end) * 24)
    cut = Settings(**QUICK, start=Fraction(start) if start else None, end=Fraction(end) if end else None)
    report = render(full, tmp_path / f"out{suffix}", cut, interpolate=double)
    seen = see(tmp_path / f"out{suffix}")
    length = (past - first) * FRAME
    assert report.duration == length
    assert seen.levels == pytest.approx([level(first + n // 2) for n in range(2 * (past - first))], abs=1)
    assert seen.times[0] == 0
    assert abs(seen.ends["video"] - length) <= Fraction(1, 1000)
    assert abs(seen.ends["audio"] - length) <= SOUND
    assert abs(seen.starts["audio"]) <= SOUND


def test_subtitles_and_chapters_are_cut_and_moved(full: Path, tmp_path: Path) -> None:
    cut = Settings(**QUICK, start=Fraction("0.25"), end=Fraction("0.75"))
    render(full, tmp_path / "out.mkv", cut, interpolate=double)
    seen = see(tmp_path / "out.mkv")
    assert seen.chapters == [("one", 0, Fraction(1, 4)), ("two", Fraction(1, 4), Fraction(1, 2))]
    # The first line is shown from 0.1 to 0.4: it is on when the part begins, so it stays on for its rest.
    assert [(start, text) for start, _, text in seen.subtitles] == [(0, b"line 0"), (Fraction(1, 4), b"line 1")]
    assert seen.subtitles[0][1] == Fraction("0.15")


def test_what_a_container_cannot_hold_is_named(full: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vsvfi"):
        render(full, tmp_path / "out.mp4", Settings(**QUICK), interpolate=double)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "stream 3 (subtitle, srt) is left out: mp4 cannot hold it",
        "stream 4 (attachment, font.ttf) is left out: mp4 cannot hold it",
    ]
    assert see(tmp_path / "out.mp4").kinds == ["video:h264", "audio:aac", "audio:flac"]


def test_a_bare_stream_holds_the_picture_only(full: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vsvfi"):
        render(full, tmp_path / "out.264", Settings(**QUICK), interpolate=double)
    assert "all other streams are left out" in caplog.text
    assert (tmp_path / "out.264").read_bytes()[:4] == b"\0\0\0\1"


def test_a_late_picture_stays_late(tmp_path: Path) -> None:
    times = [Fraction(1, 2) + n * FRAME for n in range(24)]
    source = make(tmp_path / "late.mkv", Recipe(times=times, audio=("flac",), tick=Fraction(1, 1000)))
    render(source, tmp_path / "out.mp4", Settings(**QUICK), interpolate=double)
    seen = see(tmp_path / "out.mp4")
    assert seen.starts["audio"] == 0
    assert seen.times == [Fraction(1, 2) + n * FRAME / 2 for n in range(48)]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("start", [None, Fraction(1)], ids=["whole", "part"])
def test_a_cover_stays_a_cover(tmp_path: Path, suffix: str, start: Fraction | None) -> None:
    picture = tmp_path / "cover.png"
    av.VideoFrame(32, 32, "rgb24").to_image().save(picture)
    source = make(tmp_path / "in.mkv", Recipe(frames=48, audio=("aac",), cover=picture.read_bytes()))
    render(source, tmp_path / f"out{suffix}", Settings(**QUICK, start=start), interpolate=double)
    with av.open(str(tmp_path / f"out{suffix}")) as box:
        [cover] = [s for s in box.streams.video if s.disposition & Disposition.attached_pic]
        assert bytes(next(p for p in box.demux(cover) if p.size)) == picture.read_bytes()


def test_which_track_is_forced_or_default_is_copied(tmp_path: Path) -> None:
    source = make(tmp_path / "in.mkv", Recipe(frames=24, audio=("aac", "aac"), forced=1))
    render(source, tmp_path / "out.mkv", Settings(**QUICK), interpolate=double)
    with av.open(str(source)) as given, av.open(str(tmp_path / "out.mkv")) as box:
        assert [s.disposition for s in box.streams] == [s.disposition for s in given.streams]
        assert box.streams.audio[1].disposition & Disposition.forced
