"""The real x264 and x265, fed through their stdin."""

from __future__ import annotations

import shutil
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from vsvfi.errors import RenderError
from vsvfi.render import external
from vsvfi.render.encoders import Command
from vsvfi.render.job import render
from vsvfi.render.picture import Picture, Tags
from vsvfi.render.settings import Settings

from .conftest import double, same
from .media import Recipe, even, level, make, see

FAST = {"x264": "x264 --preset ultrafast --crf 1 --bframes 3 --b-adapt 0", "x265": "x265 --preset ultrafast --crf 1"}
CODEC = {"x264": "h264", "x265": "hevc"}
BT601 = {"colorspace": 6, "color_primaries": 6, "color_trc": 6, "color_range": 2, "chroma_sample_location": 2}


def command(name: str) -> str:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return FAST[name]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe(frames=48, size=(128, 96), audio=("aac",), chapters=True, codec="libx264", tags=BT601,
                    aspect=Fraction(4, 3))  # fmt: skip
    return make(tmp_path_factory.mktemp("external") / "in.mkv", recipe)


@pytest.mark.parametrize("program", ["x264", "x265"])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_into_a_container(source: Path, tmp_path: Path, program: str, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    render(source, out, Settings(encoder=command(program)), interpolate=double)
    assert list(tmp_path.iterdir()) == [out]
    seen = see(out)
    assert seen.kinds == [f"video:{CODEC[program]}", "audio:aac"]
    assert seen.levels == pytest.approx([level(n // 2) for n in range(96)], abs=2)
    assert max(abs(a - b) for a, b in zip(seen.times, even(96, Fraction(48)), strict=True)) <= Fraction(1, 2000)
    assert abs(seen.ends["audio"] - seen.ends["video"]) <= Fraction(1024, 48000)
    assert [title for title, _, _ in seen.chapters] == ["one", "two"]
    assert {name: seen.video[name] for name in BT601} == BT601
    assert seen.video["aspect"] == Fraction(4, 3)


def test_what_is_left_out_is_said_before_the_first_frame(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = make(tmp_path / "in.mkv", Recipe(subtitle="subrip", frames=4))
    said: list[str] = []
    settings = Settings(encoder=command("x264"))
    render(source, tmp_path / "out.mp4", settings, interpolate=same, progress=lambda _: said.append(caplog.text))
    assert "stream 1 (subtitle, srt) is left out: mp4 cannot hold it" in said[0]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(("program", "suffix"), [("x264", ".264"), ("x265", ".hevc")])
def test_a_bare_stream_is_left_as_it_is(source: Path, tmp_path: Path, program: str, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    render(source, out, Settings(encoder=command(program)), interpolate=double)
    assert list(tmp_path.iterdir()) == [out]
    import av

    with av.open(str(out)) as box:
        assert sum(1 for _ in box.decode(video=0)) == 96


@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuv422p", "yuv444p", "gray"])
def test_formats_reach_x264_unconverted(tmp_path: Path, pixels: str) -> None:
    source = make(tmp_path / "in.mkv", Recipe(pixels=pixels, frames=6))
    render(source, tmp_path / "out.mkv", Settings(encoder=command("x264")), interpolate=same)
    seen = see(tmp_path / "out.mkv")
    # libav's decoder shows grey H.264 as 4:2:0 with empty chroma.
    assert seen.video["format"] == ("yuv420p" if pixels == "gray" else pixels)
    bits = 10 if "10" in pixels else 8
    assert seen.levels == pytest.approx([level(n, bits) for n in range(6)], abs=2 << (bits - 8))


def test_the_programs_own_words_are_passed_on(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    with pytest.raises(RenderError, match=r"x264 (stopped|failed with exit code \d+); it said: .*(?i:nonsense)"):
        render(source, out, Settings(encoder=command("x264") + " --nonsense 3"), interpolate=same)
    assert not out.exists()


def test_a_program_that_dies_is_reported(source: Path, tmp_path: Path) -> None:
    fake = tmp_path / "x265"
    fake.write_text(f"#!{sys.executable}\nimport sys\nsys.stdin.buffer.read(9999)\nsys.exit('out of paper')\n")
    fake.chmod(0o755)
    with pytest.raises(RenderError, match=r"stopped at frame \d+ of 96 .*x265 stopped; it said: out of paper"):
        render(source, tmp_path / "out.mkv", Settings(encoder=f"'{fake}'"), interpolate=double)
    assert not (tmp_path / "out.mkv").exists()


def test_a_stream_of_another_kind_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"x265 makes hevc, which a .264 file does not hold"):
        render(source, tmp_path / "out.264", Settings(encoder=command("x265")), interpolate=same)
    with pytest.raises(RenderError, match=r".webm files cannot hold hevc"):
        render(source, tmp_path / "out.webm", Settings(encoder=command("x265")), interpolate=same)
    assert not list(tmp_path.iterdir())


def test_what_the_user_says_stays() -> None:
    picture = Picture("YUV420P8", "yuv420p", (0, 1, 2), 64, 48, Tags(matrix=9, primaries=9, transfer=16, range=1))
    said = external.arguments(Command(("x265", "--transfer", "bt709", "--range=full"), "hevc"), picture)
    assert said == ["--colorprim", "bt2020", "--sar", "1:1", "--output-depth", "8", "--colormatrix", "bt2020nc"]


def test_x264_is_not_left_to_guess_the_range() -> None:
    picture = Picture("YUV444P8", "yuv444p", (0, 1, 2), 64, 48, Tags(range=2))
    said = external.arguments(Command(("x264",), "h264"), picture)
    pairs = dict(zip(said[::2], said[1::2], strict=True))
    assert (pairs["--range"], pairs["--input-range"], pairs["--output-csp"]) == ("pc", "pc", "i444")
