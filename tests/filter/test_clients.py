"""The example scripts through the real vspipe into the real x264 and x265, decoded again: count, rate, frames."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import vapoursynth as vs

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts").glob("*.vpy"))
DEMO = Path(__file__).parents[2] / "demo" / "demo.mp4"
BIN = Path(sys.executable).parent

ENCODERS = {
    "x264": ["x264", "--demuxer", "y4m", "--preset", "ultrafast", "--qp", "10", "-o", "OUT", "-"],
    "x265": ["x265", "--y4m", "--preset", "ultrafast", "--qp", "10", "-o", "OUT", "-"],
}


def vspipe(*arguments: str) -> list[str]:
    found = shutil.which("vspipe", path=str(BIN)) or shutil.which("vspipe")
    assert found, "vspipe comes with the vapoursynth package"
    return [found, *arguments]


def encode(script: Path, source: Path, encoder: str, out: Path) -> None:
    argv = [str(out) if word == "OUT" else word for word in ENCODERS[encoder]]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed (apt install {argv[0]})")
    pipe = vspipe("-c", "y4m", "-a", f"source={source}", str(script), "-")
    log = out.with_suffix(".log")  # a file: nobody reads a pipe while the encoder runs, and a full one stops vspipe
    with log.open("wb") as errors, subprocess.Popen(pipe, stdout=subprocess.PIPE, stderr=errors) as producer:
        done = subprocess.run(argv, stdin=producer.stdout, capture_output=True, timeout=240)
    assert producer.returncode == 0, log.read_text(encoding="utf-8")
    assert done.returncode == 0, done.stderr.decode()


def decoded(path: Path) -> tuple[int, Fraction, list[np.ndarray]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="yuv420p")[: frame.height] for frame in container.decode(stream)]
        return len(frames), Fraction(stream.guessed_rate), frames


@pytest.mark.parametrize("encoder", ENCODERS)
def test_vspipe_into_encoders(encoder: str, tmp_path: Path) -> None:
    out = tmp_path / f"out.{encoder[1:]}"
    encode(SCRIPTS[0].with_name("double.vpy"), DEMO, encoder, out)
    count, rate, frames = decoded(out)
    truth = [np.asarray(f[0]) for f in vs.core.bs.VideoSource(str(DEMO), cachemode=0).frames(close=False)]
    assert (count, rate) == (124, Fraction(48))
    for n, frame in enumerate(truth):
        difference = np.abs(frames[2 * n].astype(int) - frame).mean()
        assert difference < 2, (n, difference)
    # The cut is at frame 37: the in-between before it is the earlier picture, never a mixture.
    assert np.abs(frames[73].astype(int) - truth[36]).mean() < 2
    assert np.abs(frames[73].astype(int) - truth[37]).mean() > 10


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_every_script_runs(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        vspipe("-e", "9", "-a", f"source={DEMO}", str(script), str(tmp_path / "out.raw")),
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Output 10 frames" in done.stderr


def test_a_filter_error_reaches_vspipe_as_one(tmp_path: Path) -> None:
    script = tmp_path / "bad.vpy"
    script.write_text(
        "import vapoursynth as vs, vsvfi\n"
        "clip = vs.core.std.BlankClip(width=64, height=64, format=vs.YUV420P8, length=9).std.SetFieldBased(2)\n"
        "vsvfi.Interpolate(clip).set_output()\n"
    )
    done = subprocess.run(
        vspipe("-c", "y4m", str(script), str(tmp_path / "out.y4m")), capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    # Two frames are asked for at a time; either may be the first to say so.
    assert re.search(r"Interpolate: frame [01] is interlaced \(_FieldBased=2\); deinterlace first", done.stderr)


def test_a_wrong_call_reaches_vspipe_as_one_line(tmp_path: Path) -> None:
    script = tmp_path / "bad.vpy"
    script.write_text(
        "import vapoursynth as vs, vsvfi\n"
        "vsvfi.Interpolate(vs.core.std.BlankClip(format=vs.YUV420P8), 'ifrnt').set_output()\n"
    )
    done = subprocess.run(vspipe("-i", str(script)), capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert 'Interpolate: no model "ifrnt"' in done.stderr


def test_the_first_run_is_as_quiet_as_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """vspipe prints whatever anybody logs, and numba logs megabytes while it compiles."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cold"))
    command = vspipe("-e", "5", "-a", f"source={DEMO}", str(SCRIPTS[0].with_name("double.vpy")), ".")
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[:2000]
    assert any((tmp_path / "cold").rglob("*.nbi")), "nothing was compiled: this says nothing about the first run"
    assert len(done.stderr) < 2000
