"""Which files are opened, and what is known of their timing."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from vsvfi.errors import RenderError
from vsvfi.render.source import open_source

from .media import Recipe, even, make

NTSC = Fraction(24000, 1001)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("fps", [Fraction(24), NTSC, Fraction(50)], ids=str)
def test_constant_rates(tmp_path: Path, suffix: str, fps: Fraction) -> None:
    source = open_source(make(tmp_path / f"in{suffix}", Recipe(codec="libx264", frames=60, fps=fps)))
    assert source.fps == fps
    assert source.clip.fps == fps
    assert list(source.times) == even(61, fps)
    assert source.origin == 0


def test_variable_rates_keep_every_stamp(tmp_path: Path) -> None:
    times = [Fraction(n * 40 + (n % 3) * 11, 1000) for n in range(30)]
    source = open_source(make(tmp_path / "in.mkv", Recipe(times=times, tick=Fraction(1, 1000))))
    assert source.fps is None
    assert list(source.times[:-1]) == times
    assert source.times[-1] == 2 * times[-1] - times[-2]


def test_nothing_is_left_beside_the_video(tmp_path: Path) -> None:
    open_source(make(tmp_path / "in.mkv", Recipe()))
    assert [p.name for p in tmp_path.iterdir()] == ["in.mkv"]


def test_odd_sizes_lose_the_half_covered_row(tmp_path: Path) -> None:
    source = open_source(make(tmp_path / "in.mkv", Recipe(size=(65, 49), frames=4)))
    assert (source.clip.width, source.clip.height) == (64, 48)


def test_bare_streams_have_the_rate_they_claim(tmp_path: Path) -> None:
    source = open_source(make(tmp_path / "in.264", Recipe(codec="libx264", fps=Fraction(30))))
    assert source.fps == 30
    assert source.clip.num_frames == 24


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.mkv", None, "there is no file"),
        ("text.mkv", b"this is no video at all", "cannot read"),
        ("empty.mp4", b"", "cannot read"),
    ],
)
def test_what_is_no_video(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RenderError, match=message):
        open_source(tmp_path / name)


def test_a_folder_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="is a folder, not a video file"):
        open_source(tmp_path)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "in.mkv"), "w") as box:
        stream = box.add_stream("flac", rate=48000)
        frame = av.AudioFrame(format="s16", layout="stereo", samples=4608)
        frame.sample_rate, frame.pts = 48000, 0
        box.mux(stream.encode(frame))
        box.mux(stream.encode(None))
    with pytest.raises(RenderError, match="cannot read"):
        open_source(tmp_path / "in.mkv")


def test_interlaced_video_is_refused_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "in.264"
    _interlaced(path)
    with pytest.raises(RenderError, match=r"in.264 is interlaced \(_FieldBased=[12]\); deinterlace it first, .*bwdif"):
        open_source(path)


def _interlaced(path: Path) -> None:
    import av

    with av.open(str(path), "w") as box:
        stream = box.add_stream("libx264", rate=25, options={"x264-params": "interlaced=1:tff=1"})
        stream.width, stream.height = 64, 64
        for n in range(4):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts = n
            box.mux(stream.encode(frame))
        box.mux(stream.encode(None))


def test_opening_warns_of_nothing(tmp_path: Path) -> None:
    """BestSource's undeclared time stamps make the core log a warning, which is none of the user's business."""
    path = make(tmp_path / "in.mkv", Recipe())
    code = f"from pathlib import Path; from vsvfi.render.source import open_source; open_source(Path({str(path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
