"""Variable-rate video: every frame keeps its own time, through to the file."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import vapoursynth as vs

from vsvfi.render.job import render
from vsvfi.render.settings import Settings

from .media import Recipe, level, make, see

MS = Fraction(1, 1000)
# Film with every fifth frame missing, as a phone or a deduplicating encoder leaves it.
TIMES = [n * 40 * MS for n in range(40) if n % 5 != 3]
QUICK: dict[str, Any] = {"preset": "ultrafast", "crf": 1.0}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("variable") / "in.mkv", Recipe(times=TIMES, tick=MS, audio=("aac",)))


def halves(source, settings) -> vs.VideoNode:
    """Twice the frames, each half as long, as the filter makes them of a variable-rate clip."""
    clip = vs.core.std.Interleave([source.clip, source.clip])

    def time(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        out = f.copy()
        length = (source.times[n // 2 + 1] - source.times[n // 2]) / 2
        out.props["_DurationNum"], out.props["_DurationDen"] = length.numerator, length.denominator
        return out

    return clip.std.BlankClip(fpsnum=0, fpsden=1, keep=True).std.ModifyFrame(clip, time)


def doubled(times: list[Fraction], end: Fraction | None = None) -> list[Fraction]:
    """Where twice the frames begin; without `end` the last lasts as long as the one before."""
    ends = [*times[1:], 2 * times[-1] - times[-2] if end is None else end]
    return [start + k * (past - start) / 2 for start, past in zip(times, ends, strict=True) for k in (0, 1)]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_times_are_exact(source: Path, tmp_path: Path, suffix: str) -> None:
    report = render(source, tmp_path / f"out{suffix}", Settings(**QUICK), interpolate=halves)
    assert report.fps is None
    seen = see(tmp_path / f"out{suffix}")
    assert seen.times == doubled(TIMES)
    assert seen.levels == pytest.approx([level(n // 2) for n in range(2 * len(TIMES))], abs=1)
    assert abs(seen.ends["audio"] - seen.ends["video"]) <= Fraction(1024, 48000)


def test_matroska_rounds_to_its_millisecond(source: Path, tmp_path: Path) -> None:
    render(source, tmp_path / "out.mkv", Settings(**QUICK), interpolate=halves)
    seen = see(tmp_path / "out.mkv")
    assert max(abs(a - b) for a, b in zip(seen.times, doubled(TIMES), strict=True)) <= MS / 2


@pytest.mark.parametrize("encoder", ["libx265", "libsvtav1", "ffv1"])
def test_other_encoders_keep_times_too(source: Path, tmp_path: Path, encoder: str) -> None:
    render(source, tmp_path / "out.mkv", Settings(encoder=encoder), interpolate=halves)
    seen = see(tmp_path / "out.mkv")
    assert max(abs(a - b) for a, b in zip(seen.times, doubled(TIMES), strict=True)) <= MS / 2


@pytest.mark.skipif(shutil.which("x264") is None, reason="x264 is not installed")
def test_an_external_encoder_knows_no_times_but_the_file_does(source: Path, tmp_path: Path) -> None:
    settings = Settings(encoder="x264 --preset ultrafast --crf 1 --bframes 3 --b-adapt 0")
    render(source, tmp_path / "out.mp4", settings, interpolate=halves)
    seen = see(tmp_path / "out.mp4")
    assert seen.times == doubled(TIMES)
    assert seen.levels == pytest.approx([level(n // 2) for n in range(2 * len(TIMES))], abs=2)


def test_a_part_of_it(source: Path, tmp_path: Path) -> None:
    start, end = Fraction("0.32"), Fraction("0.8")  # the frame at 0.32 is missing
    report = render(source, tmp_path / "out.mp4", Settings(**QUICK, start=start, end=end), interpolate=halves)
    kept = [time for time in TIMES if start <= time < end]
    assert (kept[0], report.duration) == (Fraction("0.36"), end - kept[0])
    assert see(tmp_path / "out.mp4").times == doubled([time - kept[0] for time in kept], end - kept[0])


def test_the_filter_itself_keeps_them(source: Path, tmp_path: Path) -> None:
    render(source, tmp_path / "out.mp4", Settings(**QUICK, model="flow", device="cpu"))
    assert see(tmp_path / "out.mp4").times == doubled(TIMES)


def test_the_filter_itself_makes_it_constant(source: Path, tmp_path: Path) -> None:
    report = render(source, tmp_path / "out.mp4", Settings(**QUICK, model="flow", device="cpu", fps="50"))
    assert report.fps == 50
    seen = see(tmp_path / "out.mp4")
    assert seen.times == [Fraction(n, 50) for n in range(report.frames)]
    assert abs(seen.ends["video"] - seen.ends["audio"]) <= Fraction(1, 50)
