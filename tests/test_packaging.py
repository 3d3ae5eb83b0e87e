"""The wheel holds what the tree holds: every module, every CUDA source, the data files, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest

# Folder -> where it stands in the wheel; and what of it is packaged.
FOLDERS = {"vsvfi": "vsvfi", "backends": "vsvfi/backends", "cuda": "vsvfi/cuda"}
SUFFIXES = {".py", ".cu", ".cuh", ".yaml", ".typed"}
# What a build needs beside the folders.
TOP = ("setup.py", "pyproject.toml", "README.md", "LICENSE")


def expected(root: Path) -> set[str]:
    """Paths inside the wheel of all the three folders hold; what Python and tools leave behind is not theirs."""
    found = set()
    for folder, place in FOLDERS.items():
        for file in (root / folder).rglob("*"):
            if file.suffix in SUFFIXES and file.is_file():
                found.add(f"{place}/{file.relative_to(root / folder).as_posix()}")
    return found


def leftover(path: Path) -> bool:
    """What Python, editors and systems leave behind; paths inside the checkout."""
    return any(part == "__pycache__" or part.startswith(".") for part in path.parts)


@pytest.fixture(scope="module")
def tree(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy without anything an earlier build left: setuptools packs whatever it finds in `build`."""
    copy = tmp_path_factory.mktemp("tree")
    for name in TOP:
        shutil.copy2(root / name, copy)
    for name in FOLDERS:
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path) -> zipfile.ZipFile:
    """The wheel of that copy, built offline."""
    out = tree / "dist"
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    [file] = out.glob("*.whl")
    return zipfile.ZipFile(file)


def test_wheel_holds_the_tree_and_nothing_else(wheel: zipfile.ZipFile, tree: Path) -> None:
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = expected(tree)
    assert sorted(wanted - packed) == [], "in the tree, missing from the wheel: see setup.py"
    assert sorted(packed - wanted) == [], "in the wheel, not of the tree"


@pytest.mark.parametrize("name", ["vsvfi/py.typed", "vsvfi/models.yaml", "vsvfi/backends/flow/__init__.py"])
def test_wheel_holds(wheel: zipfile.ZipFile, name: str) -> None:
    assert name in wheel.namelist()


def test_a_forgotten_data_file_is_noticed(wheel: zipfile.ZipFile, tree: Path) -> None:
    """The comparison itself can fail: a source added after the build is reported missing."""
    late = tree / "cuda" / "late.cuh"
    late.write_text("// late\n", encoding="utf-8")
    try:
        assert expected(tree) - set(wheel.namelist()) == {"vsvfi/cuda/late.cuh"}
    finally:
        late.unlink()


def test_every_file_of_the_folders_is_packaged_or_known(root: Path) -> None:
    """A suffix nobody thought of is a data file that setup.py does not pack."""
    strays = {
        file.relative_to(root).as_posix()
        for folder in FOLDERS
        for file in (root / folder).rglob("*")
        if file.is_file() and file.suffix not in SUFFIXES and not leftover(file.relative_to(root))
    }
    assert strays == set()


def test_metadata(wheel: zipfile.ZipFile, root: Path) -> None:
    import vsvfi

    files = {name.split("/", 1)[1]: name for name in wheel.namelist() if ".dist-info/" in name}
    facts = Parser().parsestr(wheel.read(files["METADATA"]).decode())
    assert facts["Version"] == vsvfi.__version__
    assert facts["Requires-Python"] == ">=3.12"
    assert wheel.read(files["licenses/LICENSE"]) == (root / "LICENSE").read_bytes()


def test_entry_points_name_what_the_wheel_holds(wheel: zipfile.ZipFile) -> None:
    [listing] = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    points = ConfigParser()
    points.read_string(wheel.read(listing).decode())
    assert points["console_scripts"]["vsvfi"] == "vsvfi.cli.app:main"
    families = {name.split("/")[2] for name in wheel.namelist() if name.startswith("vsvfi/backends/")} - {"__init__.py"}
    assert set(points["vsvfi"]) == families, "each family in backends/ is registered, and nothing else"
    modules = [target.split(":")[0] for section in points.sections() for target in points[section].values()]
    for module in modules:
        path = module.replace(".", "/")
        assert {f"{path}.py", f"{path}/__init__.py"} & set(wheel.namelist()), module
