"""images, compare, models, doctor, bench: what a person gets, and what is said where something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from vsvfi.cli.app import app
from vsvfi.cli.compare import parse_crop, parse_frames
from vsvfi.errors import OptionError


def run(*words: object, expect: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == expect, done.output
    return " ".join(done.output.split())


def picture(path: Path, shift: int = 0, *, depth: type = np.uint8, size: tuple[int, int] = (72, 96)) -> Path:
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    waves = 0.5 + 0.4 * np.sin((x - shift) / 7.0) * np.cos(y / 9.0)
    peak = np.iinfo(depth).max
    image = np.stack([waves, waves * 0.8, 1 - waves], -1) * peak
    cv2.imwrite(str(path), image.astype(depth))
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return picture(tmp_path / "a.png"), picture(tmp_path / "b.png", 4)


def test_images_into_a_folder(pair, tmp_path: Path) -> None:
    out = tmp_path / "between"
    text = run("images", *pair, "--steps", 3, "--out", out)
    assert "3 pictures between a.png and b.png" in text
    assert [p.name for p in sorted(out.iterdir())] == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    first, middle, truth = (
        cv2.imread(str(p)).astype(int) for p in (out / "0.png", out / "2.png", picture(tmp_path / "t.png", 2))
    )
    assert (first == cv2.imread(str(pair[0]))).all()
    assert np.abs(middle - truth).mean() < np.abs(first - truth).mean() / 3


def test_images_keep_sixteen_bits(tmp_path: Path) -> None:
    a, b = (picture(tmp_path / f"{n}.png", 4 * n, depth=np.uint16) for n in (0, 1))
    run("images", a, b, "--steps", 1, "--out", tmp_path / "out")
    made = cv2.imread(str(tmp_path / "out/1.png"), cv2.IMREAD_UNCHANGED)
    assert made.dtype == np.uint16
    assert (made % 257).any()  # not eight bits spread over sixteen


@pytest.mark.parametrize("name", ["out.gif", "out.webp"])
def test_images_into_an_animation(pair, tmp_path: Path, name: str) -> None:
    run("images", *pair, "--steps", 3, "--out", tmp_path / name)
    assert Image.open(tmp_path / name).n_frames == 5


@pytest.mark.parametrize("size", [(72, 96), (71, 95)])
def test_images_into_a_video(tmp_path: Path, size: tuple[int, int]) -> None:
    a, b = (picture(tmp_path / f"{n}.png", 4 * n, size=size) for n in (0, 1))
    run("images", a, b, "--steps", 4, "--out", tmp_path / "out.mp4", "--fps", 12)
    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 6
    assert (frames[0].height, frames[0].width) == size


def test_images_that_cannot_be_used(pair, tmp_path: Path) -> None:
    other = picture(tmp_path / "c.png", size=(40, 40))
    assert "differ in size, 96x72 and 40x40" in run("images", pair[0], other, "--out", tmp_path / "x", expect=2)
    assert "cannot read" in run("images", pair[0], tmp_path / "none.png", expect=2)
    assert 'no model "flwo"' in run("images", *pair, "--model", "flwo", "--out", tmp_path / "x", expect=2)
    deep = picture(tmp_path / "d.png", depth=np.uint16)
    assert "differ in depth" in run("images", pair[0], deep, "--out", tmp_path / "x", expect=2)
    clear = np.zeros((72, 96, 4), np.uint8)
    cv2.imwrite(str(tmp_path / "e.png"), clear)
    assert "partly transparent" in run("images", pair[0], tmp_path / "e.png", expect=2)


def test_images_replace_nothing_unasked(pair, tmp_path: Path) -> None:
    (tmp_path / "out.gif").write_text("mine")
    assert "exists; give --overwrite" in run("images", *pair, "--out", tmp_path / "out.gif", expect=2)
    assert (tmp_path / "out.gif").read_text() == "mine"
    run("images", *pair, "--steps", 1, "--out", tmp_path / "out.gif", "--overwrite")


def test_compare_draws_a_sheet(shared: Path, tmp_path: Path) -> None:
    clip = shared / "clips/dog_run.mp4"
    run("compare", clip, "--models", "flow,blend,repeat", "--frames", "11", "-o", tmp_path / "sheet.png")
    sheet = Image.open(tmp_path / "sheet.png")
    assert sheet.width > 4 * 480
    assert len(sheet.convert("L").getcolors(maxcolors=256) or []) > 100


def test_compare_measures(shared: Path, tmp_path: Path) -> None:
    clip = shared / "clips/tos_subtitles.mp4"
    files = tmp_path / "m.json", tmp_path / "m.png"
    text = run("compare", clip, "--models", "flow,repeat", "--metrics", "--json", files[0], "--plot", files[1])
    assert "PSNR" in text
    results = {r["method"]: r for r in json.loads(files[0].read_text())["results"]}
    assert results["flow"]["psnr"] > results["repeat"]["psnr"] + 3
    assert len(results["flow"]["frames"]) == 24
    assert Image.open(files[1]).width > 600


def test_compare_refuses(shared: Path, tmp_path: Path) -> None:
    clip = shared / "clips/dog_run.mp4"
    assert "no such file" in run("compare", tmp_path / "none.mp4", expect=1)
    assert "go with --metrics" in run("compare", clip, "--json", tmp_path / "x", expect=2)
    assert "frames must be" in run("compare", clip, "--frames", "0", expect=2)
    assert "lies outside" in run("compare", clip, "--frames", "3", "--crop", "0,0,9999,9", expect=2)


def test_frames_and_crops() -> None:
    assert parse_frames("10,20-22", 50) == [10, 20, 21, 22]
    assert parse_frames(None, 41) == [10, 20, 30]
    assert parse_frames(None, 3) == [1]
    assert parse_crop("1, 2,3,4") == (1, 2, 3, 4)
    for text in ("x", "5-3", "-1", "49"):
        with pytest.raises(OptionError, match="frames must be"):
            parse_frames(text, 50)
    with pytest.raises(OptionError, match="crop must be"):
        parse_crop("1,2,3")


def test_models() -> None:
    assert "flow" in run("models")
    assert run("models") == run("models", "list")
    shown = run("models", "show", "flow")
    assert "scales 0.125 2.0" in shown
    assert 'no model "flwo"; did you mean "flow"' in run("models", "show", "flwo", expect=2)


def test_doctor() -> None:
    lines = {line["what"]: line for line in json.loads(CliRunner().invoke(app, ["doctor", "--json"]).output)}
    assert {"Python", "VapourSynth", "torch", "OpenCV", "numba", "encoders", "models", 'model="auto"'} <= set(lines)
    assert all(line["todo"] for line in lines.values() if line["state"] != "ok")
    assert "VapourSynth" in run("doctor")


def test_doctor_survives_a_broken_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    from vsvfi.cli import doctor

    def _fails():
        yield doctor.Line("fails", "ok", f"{1 / 0}")

    monkeypatch.setattr(doctor, "PROBES", (_fails, *doctor.PROBES[:1]))
    text = run("doctor", expect=1)
    assert "division by zero" in text
    assert "Python" in text


def test_bench(tmp_path: Path) -> None:
    files = tmp_path / "b.json", tmp_path / "b.png"
    text = run("bench", "--sizes", "128x96", "--frames", 4, "--json", files[0], "--plot", files[1])
    assert "to blend" in text
    report = json.loads(files[0].read_text())
    assert {t["method"] for t in report["timings"]} >= {"flow", "blend"}
    assert all(len(t["seconds"]) == 3 and min(t["seconds"]) > 0 for t in report["timings"])
    assert {"date", "vsvfi", "machine", "libraries"} <= set(report)
    assert Image.open(files[1]).width > 600
    assert "sizes must be such as" in run("bench", "--sizes", "big", expect=2)


def test_help_is_quick_to_import() -> None:
    import subprocess
    import sys

    code = "import sys, vsvfi.cli.app; print([m for m in ('torch', 'vapoursynth', 'av', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
