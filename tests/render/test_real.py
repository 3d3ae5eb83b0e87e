"""Real clips through the real filter, as `vsvfi render` does it."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vsvfi.render.job import render
from vsvfi.render.settings import Settings

from .media import even, see


def frames(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as box:
        return [frame.to_ndarray(format="rgb24") for frame in box.decode(video=0)]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def test_a_clip_at_twice_its_rate(shared: Path, tmp_path: Path) -> None:
    source = shared / "clips" / "dog_run.mp4"
    out = tmp_path / "out.mkv"
    settings = Settings(model="flow", device="cpu", encoder="ffv1", end=Fraction(1, 2))
    report = render(source, out, settings)
    assert (report.frames, report.fps) == (30, Fraction(60000, 1001))
    given, made = frames(source), frames(out)
    assert all(np.array_equal(made[2 * n], given[n]) for n in range(15))
    # What lies between two frames is nearer to both than they are to each other.
    nearer = [
        min(psnr(made[2 * n + 1], given[n + k]) for k in (0, 1)) - psnr(given[n], given[n + 1]) for n in range(14)
    ]
    assert np.median(nearer) > 1


def test_a_target_rate(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    settings = Settings(model="flow", device="cpu", fps="59.94", preset="ultrafast", end=Fraction(1, 2))
    report = render(shared / "clips" / "demo.mp4", out, settings)
    assert (report.frames, report.fps) == (30, Fraction(60000, 1001))
    seen = see(out)
    assert seen.times == even(30, Fraction(60000, 1001))
    assert seen.video["colorspace"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_full_disk_is_told_like_any_failure(shared: Path, tmp_path: Path) -> None:
    """A limit on file sizes stands in for the disk; it must be set in a process of its own."""
    code = (
        "import resource, signal, sys; from vsvfi.render import job; from vsvfi.cli.app import main;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, 1 << 19));"
        "job.interpolated = lambda source, settings: source.clip; main()"
    )
    clip = shared / "clips" / "demo.mp4"
    words = [sys.executable, "-c", code, "render", str(clip), str(tmp_path / "out.mkv"), "--encoder", "ffv1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("vsvfi render: stopped at frame ")
    assert "File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["out.part.mkv"]
