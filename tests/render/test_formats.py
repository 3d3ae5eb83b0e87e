"""Pixel formats, colour tags and aspect; which encoder takes what."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs

from vsvfi.errors import RenderError
from vsvfi.render.hdr import hdr_of
from vsvfi.render.job import render
from vsvfi.render.picture import picture_of, to_libav
from vsvfi.render.settings import Settings
from vsvfi.render.source import open_source

from .conftest import same
from .media import Recipe, level, make, see

LOSSLESS = Settings(encoder="ffv1")
HDR = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1, "chroma_sample_location": 3}
JPEG = {"colorspace": 6, "color_primaries": 6, "color_trc": 6, "color_range": 2, "chroma_sample_location": 2}


@pytest.mark.parametrize(
    "pixels",
    ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv420p16le", "gray", "gray10le"],
)
@pytest.mark.parametrize("size", [(64, 48), (66, 50)], ids=["even", "rows of 66"])
def test_lossless_is_lossless(tmp_path: Path, pixels: str, size: tuple[int, int]) -> None:
    source = make(tmp_path / "in.mkv", Recipe(pixels=pixels, size=size, frames=6))
    render(source, tmp_path / "out.mkv", LOSSLESS, interpolate=same)
    seen, given = see(tmp_path / "out.mkv"), see(source)
    assert (seen.video["format"], seen.video["size"]) == (pixels, size)
    assert seen.levels == given.levels


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libsvtav1"])
def test_ten_bits_stay_ten(tmp_path: Path, encoder: str) -> None:
    source = make(tmp_path / "in.mkv", Recipe(pixels="yuv420p10le", frames=6, size=(128, 96)))
    render(source, tmp_path / "out.mkv", Settings(encoder=encoder, crf=1), interpolate=same)
    seen = see(tmp_path / "out.mkv")
    assert seen.video["format"] == "yuv420p10le"
    assert seen.levels == pytest.approx([level(n, 10) for n in range(6)], abs=24 if encoder == "libsvtav1" else 4)


@pytest.mark.parametrize("tags", [HDR, JPEG], ids=["BT.2020 PQ limited", "BT.601 full"])
@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libsvtav1", "ffv1"])
def test_colour_tags_are_copied(tmp_path: Path, tags: dict[str, int], encoder: str) -> None:
    if encoder == "libsvtav1" and tags is JPEG:
        tags = {**tags, "chroma_sample_location": 1}  # AV1 has no name for the centre
    source = make(tmp_path / "in.mkv", Recipe(codec="libx264", frames=4, size=(128, 96), tags=tags))
    render(source, tmp_path / "out.mkv", Settings(encoder=encoder), interpolate=same)
    facts = see(tmp_path / "out.mkv").video
    assert {name: facts[name] for name in tags} == tags


@pytest.mark.parametrize(
    ("encoder", "suffix"), [("libx264", ".mkv"), ("libx264", ".mp4"), ("libsvtav1", ".mp4")], ids=str
)
def test_aspect_is_copied(tmp_path: Path, suffix: str, encoder: str) -> None:
    source = make(tmp_path / "in.mkv", Recipe(codec="libx264", frames=4, size=(128, 96), aspect=Fraction(32, 27)))
    render(source, tmp_path / f"out{suffix}", Settings(encoder=encoder), interpolate=same)
    assert see(tmp_path / f"out{suffix}").video["aspect"] == Fraction(32, 27)


def test_an_aspect_that_is_lost_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = make(tmp_path / "in.mkv", Recipe(codec="libx264", frames=4, size=(128, 96), aspect=Fraction(32, 27)))
    render(source, tmp_path / "out.mkv", Settings(encoder="libsvtav1"), interpolate=same)
    assert "cannot say here that pixels are 32:27" in caplog.text


def test_an_encoder_that_cannot_says_who_can(tmp_path: Path) -> None:
    source = make(tmp_path / "in.mkv", Recipe(pixels="yuv422p10le", frames=2))
    with pytest.raises(RenderError, match=r"libsvtav1 does not take YUV422P10 .* use libx264 or libx265 or ffv1"):
        render(source, tmp_path / "out.mkv", Settings(encoder="libsvtav1"), interpolate=same)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("form", [vs.RGB24, vs.RGB30, vs.RGB48], ids=lambda f: vs.PresetVideoFormat(f).name)
def test_planes_of_rgb_keep_their_colour(form: int) -> None:
    bits = vs.core.get_video_format(form).bits_per_sample
    colors = [n << (bits - 8) for n in (200, 100, 50)]
    frame = vs.core.std.BlankClip(width=36, height=20, format=form, color=colors).get_frame(0)
    out = to_libav(frame, picture_of(frame))
    rgb = out.to_ndarray(format="rgb24")
    assert np.abs(rgb[10, 20].astype(int) - [200, 100, 50]).max() <= 1


def test_padded_rows_do_not_leak() -> None:
    ramp = np.arange(34 * 20, dtype=np.uint8).reshape(20, 34)
    blank = vs.core.std.BlankClip(width=34, height=20, format=vs.GRAY8, length=1)
    frame = blank.get_frame(0).copy()
    np.copyto(np.asarray(frame[0]), ramp)
    out = to_libav(frame, picture_of(frame))
    assert (out.to_ndarray() == ramp).all()


def test_float_is_refused_by_name() -> None:
    frame = vs.core.std.BlankClip(format=vs.YUV444PS, length=1).get_frame(0)
    with pytest.raises(RenderError, match="no encoder takes YUV444PS"):
        picture_of(frame)


DISPLAY = {
    "master-display": "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)",
    "max-cll": "1000,400",
}


@pytest.fixture(scope="module")
def hdr_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ":".join(f"{name}={value}" for name, value in DISPLAY.items())
    recipe = Recipe(codec="libx265", pixels="yuv420p10le", frames=4, size=(128, 96), tags=HDR,
                    options={"x265-params": f"log-level=error:{words}"})  # fmt: skip
    return make(tmp_path_factory.mktemp("hdr") / "in.mkv", recipe)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libsvtav1", "x264 --preset ultrafast", "x265 -p ultrafast"])
def test_hdr10_metadata_is_kept(hdr_source: Path, tmp_path: Path, encoder: str) -> None:
    program = encoder.split()[0]
    if not program.startswith("lib") and shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    render(hdr_source, tmp_path / "out.mkv", Settings(encoder=encoder), interpolate=same)
    given, seen = (hdr_of(open_source(p).clip.get_frame(0)) for p in (hdr_source, tmp_path / "out.mkv"))
    assert given is not None
    assert seen is not None
    assert seen.light == given.light == (1000, 400)
    # AV1 counts in coarser steps.
    assert np.array(seen.points) == pytest.approx(np.array(given.points), abs=1e-4)
    assert seen.luminance == pytest.approx(given.luminance, rel=1e-2)


def test_losing_hdr10_metadata_is_told(hdr_source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    render(hdr_source, tmp_path / "out.mkv", LOSSLESS, interpolate=same)
    assert "ffv1 does not keep HDR10 metadata" in caplog.text
