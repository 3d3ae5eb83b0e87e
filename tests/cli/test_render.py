"""`vsvfi render` as it is typed: exit codes, one-line messages, Ctrl-C, what a terminal shows."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..render.media import Recipe, levels, make, see

# The command line with a filter that needs no model: every frame twice, `DELAY` seconds each.
STAND_IN = """
import sys, time
import vapoursynth as vs
from vsvfi.render import job

def double(source, settings):
    clip = vs.core.std.Interleave([source.clip, source.clip])
    def slow(n, f):
        time.sleep({delay})
        return f
    return clip.std.ModifyFrame(clip, slow)

job.interpolated = double
from vsvfi.cli.app import main
sys.argv[0] = "vsvfi"
main()
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("source") / "in.mkv", Recipe(frames=48, audio=("aac",)))


def argv(*words: object, delay: float = 0) -> list[str]:
    return [sys.executable, "-c", STAND_IN.format(delay=delay), *map(str, words)]


def run(tmp_path: Path, *words: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path.parent / "cache"), "COLUMNS": "200"}
    return subprocess.run(argv(*words), capture_output=True, text=True, timeout=60, env=environment)


def test_a_render_is_silent_where_there_is_no_terminal(source: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "render", source, tmp_path / "out.mp4")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(see(tmp_path / "out.mp4").times) == 96


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    source = make(tmp_path / "in.mkv", Recipe(subtitle="subrip"))
    done = run(tmp_path, "render", source, tmp_path / "out.mp4")
    assert done.returncode == 0
    assert done.stderr == "vsvfi render: stream 1 (subtitle, srt) is left out: mp4 cannot hold it\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["IN"], 2, "Missing argument 'OUT'"),
        (["IN", "OUT", "--crf", "x"], 2, "Invalid value for '--crf'"),
        (["IN", "OUT", "--crf", "99"], 2, "vsvfi render: crf must be from 0 to 51 for libx264, got 99\n"),
        (["IN", "OUT", "--start", "soon"], 2, "vsvfi render: start must be a time such as 90, 1:30.5"),
        (["IN", "OUT", "--scene-change", "yes"], 2, "vsvfi render: scene-change must be on, off, props or a number"),
        (["IN", "OUT", "--tile", "big"], 2, "vsvfi render: tile must be a size such as 1024 or 1024x512, got 'big'"),
        (["IN", "OUT", "--factor", "0"], 2, "vsvfi render: factor must be a positive number"),
        (["IN", "IN", "--overwrite"], 2, "is the source itself"),
        (["NONE", "OUT"], 1, "vsvfi render: there is no file "),
        (["TEXT", "OUT"], 1, "vsvfi render: cannot read "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_get_one_line_and_an_exit_code(
    source: Path, tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    (tmp_path / "text.mkv").write_text("no video")
    paths = {"IN": source, "OUT": tmp_path / "out.mkv", "NONE": tmp_path / "none.mkv", "TEXT": tmp_path / "text.mkv"}
    done = run(tmp_path, "render", *(paths.get(word, word) for word in words))
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    if done.stderr.startswith("vsvfi render: "):
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("encoder", ["libx264", "x264"])
def test_ctrl_c_leaves_a_part_and_says_where(source: Path, tmp_path: Path, encoder: str) -> None:
    if encoder == "x264" and not any((Path(p) / "x264").exists() for p in os.environ["PATH"].split(os.pathsep)):
        pytest.skip("x264 is not installed")
    out = tmp_path / "out.mkv"
    part = tmp_path / ("out.part.mkv" if encoder == "libx264" else "out.part.264")
    words = argv("render", source, out, "--encoder", encoder, delay=0.05)
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        _wait_for(part)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.startswith("vsvfi render: stopped at frame ")
    assert " of 96 (0:00:0" in said
    assert said.endswith(f"; the part made is in {part}\n")
    assert [p.name for p in tmp_path.iterdir()] == [part.name]
    stopped = int(said.split("frame ")[1].split()[0])
    assert 0 < stopped < 96
    assert abs(len(levels(part)) - stopped) <= 1


def _wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never appeared")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_a_terminal_shows_progress(source: Path, tmp_path: Path) -> None:
    import pty

    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    words = argv("render", source, tmp_path / "out.mkv", delay=0.01)
    with subprocess.Popen(words, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError):  # Linux ends a pseudo-terminal with an error
            while data := os.read(master, 4096):
                shown += data
    os.close(master)
    text = shown.decode()
    assert process.returncode == 0
    assert "/96" in text
    assert "fps" in text
    assert "96 frames, 48 fps, 2.00 s" in text


def test_help_is_quick_and_light() -> None:
    code = "import sys; from vsvfi.cli.app import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "render" in done.stdout
    loaded = done.stdout.splitlines()[-1].split()
    assert sorted({"torch", "vapoursynth", "av", "numpy", "cv2", "matplotlib"} & set(loaded)) == []


@pytest.mark.parametrize("how", [["-m", "vsvfi"], ["-c", "from vsvfi.cli.app import main; main()"]], ids=["-m", "main"])
def test_version(how: list[str]) -> None:
    import vsvfi

    done = subprocess.run([sys.executable, *how, "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"vsvfi {vsvfi.__version__}\n")
