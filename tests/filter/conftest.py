"""Clips with known content, and the test models registered for the time of these tests."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import vapoursynth as vs

from vsvfi import plugins

from . import models


@pytest.fixture(autouse=True, scope="package")
def _test_models():
    plugins.register(models)
    yield
    plugins.unregister(models)


def moving(length: int = 12, width: int = 64, height: int = 48, format: int = vs.YUV420P8, **rate) -> vs.VideoNode:
    """Noise that scrolls by two pixels a frame, so that every frame differs from every other."""
    size = 512
    base = vs.core.std.BlankClip(width=size, height=size, format=vs.RGB24, length=1)
    rng = np.random.default_rng(7)
    texture = rng.integers(0, 256, (3, size // 8, size // 8)).repeat(8, 1).repeat(8, 2).astype(np.uint8)

    def fill(n, f):
        frame = f.copy()
        for p in range(3):
            np.copyto(np.asarray(frame[p]), texture[p])
        return frame

    wide = base.std.ModifyFrame(base, fill).resize.Bicubic(format=format, **_matrix(format))
    step = 2 << wide.format.subsampling_w
    frames = [
        wide.std.CropAbs(width=width, height=height, left=(step * n) % (size - width) // step * step, top=0)
        for n in range(length)
    ]
    clip = vs.core.std.Splice(frames)
    return clip.std.AssumeFPS(fpsnum=rate.get("fpsnum", 24), fpsden=rate.get("fpsden", 1))


def _matrix(format: int) -> dict[str, int]:
    return {} if vs.core.get_video_format(format).color_family == vs.RGB else {"matrix": 1}


def data(frame: vs.VideoFrame) -> bytes:
    """All samples of a frame, without row padding."""
    return b"".join(np.ascontiguousarray(np.asarray(frame[p])).tobytes() for p in range(frame.format.num_planes))


def all_data(clip: vs.VideoNode) -> list[bytes]:
    return [data(f) for f in clip.frames(close=True)]


def rss_mib() -> float:
    """Resident memory of this process."""
    if not sys.platform.startswith("linux"):
        pytest.skip("resident memory is read from /proc")
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20
