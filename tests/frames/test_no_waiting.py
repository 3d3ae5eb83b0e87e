"""Nothing that a frame passes waits for the device, but where it is meant to: read from the source, line by line."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PASSED = (
    "vsvfi/graph.py", "vsvfi/pipeline.py", "vsvfi/lane.py", "vsvfi/cache.py", "vsvfi/recursion.py", "vsvfi/tiling.py",
    "vsvfi/protect.py", "vsvfi/frames", "vsvfi/color", "vsvfi/ops", "vsvfi/executors", "backends",
)  # fmt: skip
"""All that a frame passes on its way."""

WAITS = {"item", "cpu", "synchronize", "nonzero", "masked_select", "is_nonzero", "unique"}
"""Methods and functions that wait for a device, or copy to the host and wait for that."""

MEANT = {
    ("vsvfi/frames/transfer.py", "synchronize"): "collect waits for its result's own event",
    ("vsvfi/frames/pool.py", "synchronize"): "a page-locked buffer is filled again only when its copy is over",
    ("vsvfi/executors/measured.py", "synchronize"): "the stopwatch, on the first frames",
}
ELSEWHERE = ("backends/flow/", "vsvfi/ops/splat_cpu.py", "vsvfi/ops/scene_score.py")
"""What computes on a CPU alone, and scores, which are asked for where a decision needs them."""


def waits(root: Path) -> list[tuple[str, int, str]]:
    """(path, line, name) of every call that may wait."""
    found = []
    for start in PASSED:
        there = root / start
        for file in [there] if there.is_file() else sorted(there.rglob("*.py")):
            path = file.relative_to(root).as_posix()
            if path.startswith(ELSEWHERE):
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), path)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WAITS:
                    found.append((path, node.lineno, node.func.attr))
    return found


def test_only_what_is_meant_to_waits(root: Path) -> None:
    found = waits(root)
    assert [f"{path}:{line}: {name}" for path, line, name in found if (path, name) not in MEANT] == []
    assert {(path, name) for path, _, name in found} == set(MEANT), "what is gone need not be allowed"


@pytest.mark.parametrize("line", ["x.max().item()", "torch.cuda.synchronize()", "x.cpu()", "x.nonzero()"])
def test_a_wait_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "vsvfi").mkdir()
    for start in PASSED:
        there = tmp_path / start
        if there.suffix:
            there.write_text(f"import torch\n{line}\n" if start == "vsvfi/lane.py" else "")
        else:
            there.mkdir(parents=True)
    assert [found[:2] for found in waits(tmp_path)] == [("vsvfi/lane.py", 2)]
