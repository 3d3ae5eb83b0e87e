"""Imports point down the rows below, and each foreign library has one owner; read with ast, nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

# From what a user calls down to plain facts. A module imports from its own row and from those below it.
ROWS = (
    ("__main__", "cli"),
    ("render", "evaluate", "train"),
    ("interpolate", "transition", "intake", "loading", "testing"),
    ("graph",),
    ("pipeline", "lane", "studio"),
    ("executors", "weights", "plugins", "decide", "tiling", "show", "protect", "properties", "fitting"),
    ("frames", "color", "ops"),
    (
        "model", "timeline", "scene", "options", "cache", "errors", "hookspecs", "recursion", "allocation", "memory",
        "padding", "picture",
    ),
)  # fmt: skip
# A backend knows the contract and what it computes with, not the filter it serves.
BACKENDS_SEE = ("model", "padding", "recursion", "ops", "weights", "errors", "hookspecs", "frames.planes")
FOLDERS = {"vsvfi": "vsvfi", "backends": "vsvfi.backends"}
LIBRARY_OWNERS = {
    "cupy": ("vsvfi/ops/kernels.py",),
    "ray": ("vsvfi/render/cluster.py",),
    "pluggy": ("vsvfi/plugins.py", "vsvfi/hookspecs.py"),
}
# Names that only these files (or folders) may use, on whatever object.
NAME_OWNERS = {
    "ModifyFrame": ("vsvfi/graph.py",),
    "grid_sample": ("vsvfi/ops/",),
    "print": ("vsvfi/cli/",),
}


@dataclass(frozen=True)
class Import:
    """One import statement's target; `module` and `target` are full dotted names."""

    path: str
    line: int
    module: str
    target: str


def runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING:`: naming a type from above is not depending on it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from runtime_nodes(child)


def sources(root: Path) -> dict[str, Path]:
    """Dotted name -> file, of every module that is packaged."""
    found = {}
    for folder, package in FOLDERS.items():
        for file in (root / folder).rglob("*.py"):
            parts = file.relative_to(root / folder).with_suffix("").parts
            found[".".join((package, *(p for p in parts if p != "__init__")))] = file
    return found


def imports(tree: ast.AST, module: str, path: str, modules: dict[str, Path]) -> Iterator[Import]:
    """The targets of a file's imports, as deep as a module goes: `from . import scene` is vsvfi.scene."""
    package = module.split(".") if path.endswith("__init__.py") else module.split(".")[:-1]
    for node in runtime_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, module, alias.name)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield Import(path, node.lineno, module, whole if whole in modules else base)


def row(module: str) -> int | None:
    """Index in ROWS of a module below `vsvfi`, None if it stands in none."""
    stem = module.split(".")[1]
    return next((i for i, names in enumerate(ROWS) if stem in names), None)


def inside(module: str, package: str) -> bool:
    """Whether a dotted name is a package or stands in it."""
    return f"{module}.".startswith(f"{package}.")


def fault(found: Import) -> str | None:
    """Why an import may not be, or None."""
    for library, owners in LIBRARY_OWNERS.items():
        if inside(found.target, library) and found.path not in owners:
            return f"imports {library}; only {', '.join(owners)} may"
    if found.target == "vsvfi" or not inside(found.target, "vsvfi"):
        return None
    if inside(found.module, "vsvfi.backends"):
        family = ".".join(found.module.split(".")[:3])
        if any(inside(found.target, seen) for seen in (family, *(f"vsvfi.{name}" for name in BACKENDS_SEE))):
            return None
        return f"imports {found.target}; a backend sees only {', '.join(BACKENDS_SEE)} and itself"
    if inside(found.target, "vsvfi.backends"):
        return f"imports {found.target}; backends are found through their entry points, as anybody's"
    here, there = row(found.module), row(found.target)
    if here is not None and there is not None and there < here:
        return f"imports {found.target}, which stands above it"
    return None


def problems(root: Path) -> list[str]:
    """Everything in the tree that breaks the rules, as path:line: what."""
    modules = sources(root)
    out: list[str] = []
    edges: dict[str, set[str]] = {}
    for module, file in sorted(modules.items()):
        path = file.relative_to(root).as_posix()
        tree = ast.parse(file.read_text(encoding="utf-8"), path)
        if module.count(".") and not module.startswith("vsvfi.backends") and row(module) is None:
            out.append(f"{path}:1: stands in no row; give it one in tests/test_layers.py")
        for found in imports(tree, module, path, modules):
            reason = fault(found)
            if reason:
                out.append(f"{path}:{found.line}: {reason}")
            elif found.target in modules and found.target != module:
                edges.setdefault(module, set()).add(found.target)
        for node in runtime_nodes(tree):
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            owners = NAME_OWNERS.get(name) if isinstance(name, str) else None
            if owners and not path.startswith(owners):
                out.append(f"{path}:{getattr(node, 'lineno', 0)}: uses {name}; only {', '.join(owners)} may")
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as e:
        out.append("imports in a circle: " + " -> ".join(reversed(e.args[1])))
    return out


def test_imports_point_down(root: Path) -> None:
    assert problems(root) == []


@pytest.mark.parametrize(
    ("path", "source", "line"),
    [
        ("vsvfi/cache.py", "import torch\nfrom .pipeline import Pipeline\n", 2),
        ("vsvfi/color/matrices.py", "from ..graph import build\n", 1),
        ("vsvfi/timeline.py", "def f():\n    from . import pipeline\n", 2),
        ("vsvfi/pipeline.py", "from .render import source\n", 1),
        ("vsvfi/graph.py", "import cupy.cuda\n", 1),
        ("vsvfi/graph.py", "import vsvfi.backends.flow\n", 1),
        ("vsvfi/loading.py", "from vsvfi.backends import flow\n", 1),
        ("vsvfi/render/encode.py", "import ray\n", 1),
        ("vsvfi/scene.py", "import pluggy\n", 1),
        ("vsvfi/pipeline.py", "x = 1\ncore.std.ModifyFrame(clip, clip, f)\n", 2),
        ("vsvfi/scene.py", "print('cut')\n", 1),
        ("vsvfi/novel.py", "", 1),
        ("backends/flow/model.py", "from vsvfi.backends.other import network\n", 1),
        ("backends/flow/model.py", "from ..other import network\n", 1),
        ("backends/flow/model.py", "import cupy\n", 1),
        ("backends/flow/model.py", "from vsvfi.pipeline import Pipeline\n", 1),
        ("backends/flow/model.py", "from torch.nn.functional import grid_sample as g\ngrid_sample(x)\n", 2),
    ],
)
def test_a_breach_is_named_with_its_line(tmp_path: Path, path: str, source: str, line: int) -> None:
    good = {
        "vsvfi/__init__.py": "",
        "vsvfi/pipeline.py": "",
        "vsvfi/graph.py": "from . import pipeline\n",
        "vsvfi/render/source.py": "from ..errors import VsvfiError\n",
        "vsvfi/errors.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .graph import build\n",
        "vsvfi/ops/kernels.py": "import cupy\n",
        "backends/flow/__init__.py": "from vsvfi.model import Model\nfrom . import estimate\n",
        "backends/flow/estimate.py": "from vsvfi.ops import splat\n",
        "backends/other/network.py": "",
    }
    write(tmp_path, good)
    assert problems(tmp_path) == []
    write(tmp_path, {path: source})
    assert [p.split(" ")[0] for p in problems(tmp_path)] == [f"{path}:{line}:"]


def test_a_circle_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"vsvfi/model.py": "from . import cache\n", "vsvfi/cache.py": "from .model import Model\n"})
    [problem] = problems(tmp_path)
    assert problem.startswith("imports in a circle: ")
    assert {"vsvfi.model", "vsvfi.cache"} <= set(problem.split())


def write(root: Path, files: dict[str, str]) -> None:
    for path, source in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(source, encoding="utf-8")
