"""scripts/gpu_check.py runs from end to end, here on small sizes and a CPU, and says what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = tmp_path_factory.mktemp("report")
    command = [sys.executable, root / "scripts/gpu_check.py", "--device", "cpu", "--quick", "--out", out]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    return done, out


def test_it_measures_everything_it_promises(run) -> None:
    done, out = run
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    report = json.loads(next(out.glob("gpu-cpu-*.json")).read_text())
    kernels = {row["kernel"].split()[0] for row in report["kernels"]}
    assert kernels == {
        "backward_warp", "warp_blend", "splat", "local_cost", "lookup", "from_planes", "to_planes"
    }  # fmt: skip
    for row in report["kernels"]:
        assert row["ms"] > 0
        assert row["rival ms"] > 0, "every benchmark compares with something in the same run"
    assert {row["precision"] for row in report["models"]} == {"fp32", "fp16", "bf16"}
    for row in report["models"]:
        assert row["frames per second"] > 0
        assert row["plain ms"] > 0
        assert row["share of floor"] > 0
    [through] = report["filter"]
    assert through["filter / bare"] > 0
    assert report["determinism"] == [{"model": through["model"], "runs": 2, "different results": 1}]
    assert report["memory"][0]["frames"] == 20
    assert report["about"]["commit"]


def test_the_table_says_that_a_quick_run_means_nothing(run) -> None:
    _, out = run
    text = next(out.glob("gpu-cpu-*.md")).read_text()
    assert "too small for the figures to mean anything" in text
    for title in ("ceilings", "kernels", "models", "filter", "determinism", "memory"):
        assert f"\n## {title}\n" in text


def test_without_a_gpu_it_says_so(root: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    done = subprocess.run([sys.executable, root / "scripts/gpu_check.py"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "no CUDA device here" in done.stderr
