"""`import vsvfi` is quick and light, and NVIDIA's `cuda` packages stay reachable beside ours."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 0.2  # seconds, above a bare interpreter's start
HEAVY = ("av", "cv2", "matplotlib", "numba", "numpy", "torch", "typer", "vapoursynth", "yaml")


def run(code: str, folder: Path) -> str:
    """What a fresh interpreter prints, started in `folder` (`-c` puts it first on sys.path)."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def processor_seconds(code: str, folder: Path) -> float:
    """CPU time of a whole interpreter run; unlike the clock it does not count the neighbours' work."""
    before = os.times()
    run(code, folder)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not report the CPU time of child processes")
def test_import_is_quick(tmp_path: Path) -> None:
    run("import vsvfi", tmp_path)  # compiles the bytecode
    cost = [processor_seconds("import vsvfi", tmp_path) - processor_seconds("pass", tmp_path) for _ in range(7)]
    assert statistics.median(cost) < LIMIT, cost


def test_import_is_light(tmp_path: Path) -> None:
    loaded = run("import sys, vsvfi; print(*sys.modules)", tmp_path).split()
    assert "vsvfi" in loaded
    assert sorted(set(HEAVY) & set(loaded)) == []


def test_listing_models_imports_no_torch(tmp_path: Path) -> None:
    loaded = run("import sys, vsvfi.weights.registry as r; r.known(); print(*sys.modules)", tmp_path).split()
    assert "torch" not in loaded
    assert "vapoursynth" not in loaded


def test_flow_works_without_torch(tmp_path: Path) -> None:
    """Two seconds of processor time at the start of every script that uses it."""
    code = """
import sys, vapoursynth as vs, vsvfi
clip = vs.core.std.BlankClip(format=vs.YUV420P8, width=64, height=64, length=2)
clip = vs.core.std.Splice([clip, clip.std.BlankClip(color=[90, 110, 140])])
assert vsvfi.Interpolate(clip, "auto", 2, scene_change=True).get_frame(3).props["VsvfiTimestep"] == 0.5
print(*sys.modules)
"""
    loaded = run(code, tmp_path).split()
    assert "vsvfi.backends.flow.model" in loaded
    assert "torch" not in loaded


def test_public_names_resolve(tmp_path: Path) -> None:
    code = "import vsvfi; print(*(name for name in vsvfi.__all__ if not hasattr(vsvfi, name)))"
    assert run(code, tmp_path) == "\n"


def test_no_submodule_is_called_like_a_public_name(root: Path) -> None:
    """Importing a submodule puts it into the package under its name, over the function called the same."""
    import vsvfi

    submodules = {path.stem for path in (root / "vsvfi").iterdir()}
    assert submodules & set(vsvfi.__all__) == set()
    assert "interpolate" in submodules


@pytest.mark.parametrize("module", ["vsvfi.cuda", "vsvfi.backends", "vsvfi.backends.flow"])
@pytest.mark.parametrize("at_root", [True, False], ids=["in the checkout", "elsewhere"])
def test_mapped_folders_import(root: Path, tmp_path: Path, module: str, at_root: bool) -> None:
    file = run(f"import {module}; print({module}.__file__)", root if at_root else tmp_path)
    folder = root.joinpath(*module.split(".")[1:])
    assert Path(file.strip()) == folder / "__init__.py"


def test_a_foreign_cuda_package_is_found_in_the_checkout(root: Path, tmp_path: Path) -> None:
    """Ours comes first on sys.path as the plain folder `cuda`; another distribution's submodules must be seen."""
    (tmp_path / "cuda" / "neighbour").mkdir(parents=True)  # no cuda/__init__.py: a namespace, as NVIDIA's
    (tmp_path / "cuda" / "neighbour" / "__init__.py").write_text("answer = 42\n", encoding="utf-8")
    code = "import cuda, cuda.neighbour; print(cuda.neighbour.answer, cuda.__file__)"
    code = f"import sys; sys.path.append({str(tmp_path)!r}); {code}"
    answer, file = run(code, root).split(maxsplit=1)
    assert answer == "42"
    assert Path(file.strip()) == root / "cuda" / "__init__.py"


def test_nvidias_cuda_packages_resolve_in_the_checkout(root: Path) -> None:
    pytest.importorskip("cuda.pathfinder", reason="this torch build brings no cuda.pathfinder")
    assert run("import torch, cuda.pathfinder; print('found')", root) == "found\n"
