"""setup-env.sh finds a Python that works, in the order it promises, and says what to install where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="setup-env.sh needs bash")

TOOLS = ("bash", "cat", "dirname", "env", "ls")


class Machine:
    """A machine with nothing but what a test puts on it: its own PATH, home and system folders."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.script = root / "setup-env.sh"
        self.bin, self.home, self.system = (folder / name for name in ("bin", "home", "system"))
        for made in (self.bin, self.home, self.system):
            made.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (self.bin / tool).symlink_to(found)

    def find(self, **env: str) -> subprocess.CompletedProcess[str]:
        given = {"PATH": str(self.bin), "HOME": str(self.home), "SYSTEM_DIRS": str(self.system), **env}
        command = ["bash", str(self.script), "--find"]
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Machine:
    return Machine(root, tmp_path)


def install(path: Path, script: str) -> str:
    """A program made of a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{shutil.which('sh')}\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


REAL = f'exec "{os.path.realpath(sys.executable)}" "$@"'
SHIM = "echo 'pyenv: python3: command not found' >&2; exit 127"


def pretends(version: str, modules: str = "") -> str:
    """This interpreter under another version number, and without some modules."""
    numbers = ", ".join(version.split("."))
    lines = (
        "import sys, collections",
        'V = collections.namedtuple("V", "major minor micro")',
        f"sys.version_info = V({numbers})",
        *(f'sys.modules["{name}"] = None' for name in modules.split()),
        'assert sys.argv[1:3] == ["-I", "-c"]; code = sys.argv[3]; sys.argv = ["-c", *sys.argv[4:]]',
        "exec(code)",
    )
    source = "\n".join(lines)
    return f'exec "{os.path.realpath(sys.executable)}" -c \'{source}\' "$@"'


def test_a_real_python_is_taken(machine: Machine) -> None:
    path = install(machine.bin / "python3", REAL)
    done = machine.find()
    assert (done.stdout.strip(), done.returncode) == (path, 0), done.stderr


@pytest.mark.parametrize(
    "place",
    [
        "home/.pyenv/versions/3.12.9/bin/python3",
        "home/.local/share/uv/python/cpython-3.12.9-linux-x86_64-gnu/bin/python3",
        "system/python3.12",
    ],
)
def test_places_beside_path(machine: Machine, tmp_path: Path, place: str) -> None:
    install(machine.bin / "python3.12", SHIM)
    install(machine.bin / "python3", pretends("3.11.2"))
    path = install(tmp_path / place, pretends("3.12.9"))
    assert machine.find().stdout.strip() == path


def test_pyenv_root_is_looked_into(machine: Machine, tmp_path: Path) -> None:
    path = install(tmp_path / "elsewhere/versions/3.13.1/bin/python3", pretends("3.13.1"))
    assert machine.find(PYENV_ROOT=str(tmp_path / "elsewhere")).stdout.strip() == path


def test_the_preferred_version_wins_wherever_it_is(machine: Machine) -> None:
    install(machine.bin / "python3", pretends("3.14.0"))
    install(machine.bin / "python3.12", pretends("3.12.9"))
    path = install(machine.home / ".pyenv/versions/3.13.5/bin/python3", pretends("3.13.5"))
    assert machine.find().stdout.strip() == path


def test_the_named_python_comes_first(machine: Machine, tmp_path: Path) -> None:
    install(machine.bin / "python3.13", pretends("3.13.5"))
    path = install(tmp_path / "mine", pretends("3.12.9"))
    assert machine.find(PYTHON=path).stdout.strip() == path


def test_a_named_python_that_does_not_fit_is_mentioned(machine: Machine, tmp_path: Path) -> None:
    other = install(machine.bin / "python3.13", pretends("3.13.5"))
    named = install(tmp_path / "mine", pretends("3.10.1"))
    done = machine.find(PYTHON=named)
    assert done.stdout.strip() == other
    assert done.stderr.strip() == f"PYTHON={named} is 3.10.1; looking for another"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (SHIM, "does not run"),
        (pretends("3.11.2"), "is 3.11.2"),
        (pretends("3.99.0"), "is 3.99, newer than the wheels of some dependencies"),
        (pretends("3.13.5", "ensurepip"), "is 3.13 without the module ensurepip (Debian: apt install python3.13-venv)"),
        (pretends("3.12.9", "ssl"), "is 3.12 without the module ssl"),
    ],
    ids=["shim", "old", "too new", "no venv", "no ssl"],
)
def test_none_that_fits(machine: Machine, script: str, reason: str) -> None:
    path = install(machine.bin / "python3", script)
    done = machine.find()
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"  {path} {reason}\n" in done.stderr
    for way in ("apt install python3 python3-venv", "pyenv install", "uv python install", "make PYTHON="):
        assert way in done.stderr


def test_none_at_all(machine: Machine) -> None:
    done = machine.find()
    assert done.returncode == 1
    assert "Seen:\n  none at all\nInstall one" in done.stderr


def test_a_folder_that_is_no_environment_is_left_alone(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    env = {"PATH": str(machine.bin), "HOME": str(machine.home), "SYSTEM_DIRS": ""}
    command = ["bash", str(machine.script), str(tmp_path / "mine")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "is not a virtual environment" in done.stderr
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
