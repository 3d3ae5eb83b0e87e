"""Checks and measures vsvfi on this machine's GPU, without network, in under 8 minutes.

    python scripts/gpu_check.py [--out FOLDER] [--device cuda] [--quick]

Runs the tests that need a GPU, then measures kernels, models and the whole filter, and writes gpu-CARD-DATE.json and
.md, which docs/benchmarks/ holds. With --device cpu --quick it shows in half a minute that it works.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # what is measured lies beside the tests

# Seconds of the 480; the rest is starting up. What a part does not need, models get.
SHARES = {"tests": 120.0, "kernels": 45.0, "filter": 45.0, "determinism": 25.0, "memory": 25.0, "models": 190.0}
TOTAL = 460.0


def main(
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = ROOT / "docs" / "benchmarks",
    device: Annotated[str, typer.Option(help="cuda, or cpu with --quick.")] = "cuda",
    quick: Annotated[bool, typer.Option(help="Small sizes, one or two runs.")] = False,
) -> None:
    """See the module."""
    began = time.monotonic()
    import torch

    from tests.measure.gpu import clock, kernels, models, targets
    from vsvfi.evaluate import environment

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise typer.BadParameter("no CUDA device here; --device cpu --quick shows that the script works")
    report: dict[str, object] = {"about": environment.describe() | _card(device), "quick": quick}
    parts: dict[str, list[dict[str, object]]] = {} if quick else {"tests": _tests()}
    where = clock.Device(device, quick=quick)
    best = clock.ceilings(where)
    parts["ceilings"] = [{"copy GB/s": best.copy / 1e9, **{f"{k} TFLOP/s": v / 1e12 for k, v in best.matmul.items()}}]
    measuring: dict[str, Callable[[float], Iterable[dict[str, object]]]] = {
        "kernels": lambda seconds: kernels.measure(where, best, seconds),
        "filter": lambda seconds: _clip().speed(where, seconds),
        "determinism": lambda seconds: _clip().determinism(where, seconds),
        "memory": lambda seconds: _clip().memory(where, seconds),
        "models": lambda seconds: models.Networks(where, best, seconds).rows(),
    }
    for title, measure in measuring.items():
        left = TOTAL - (time.monotonic() - began)
        parts[title] = _shown(title, measure, left if title == "models" else min(left, SHARES[title]))
    report |= {"targets": targets.met(parts), **parts, "seconds": round(time.monotonic() - began)}
    _write(out, report)


def _clip() -> ModuleType:
    """What needs VapourSynth: where that is missing, the rest is measured all the same."""
    from tests.measure.gpu import clip

    return clip


def _tests() -> list[dict[str, object]]:
    """The gpu-marked tests, in processes of their own; those that compile for minutes are for `make test-gpu`."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu and not slow", "-q", "-p", "no:cacheprovider", "--no-header"]
    if importlib.util.find_spec("xdist"):
        command += ["-n", str(min(4, os.cpu_count() or 1))]
    with tempfile.TemporaryFile("w+") as log:
        try:
            code: object = subprocess.run(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, timeout=SHARES["tests"]
            ).returncode
        except subprocess.TimeoutExpired:
            code = f"not over after {SHARES['tests']:.0f} s"
        log.seek(0)
        lines = [line.rstrip() for line in log if line.strip()]
    typer.echo("\n".join(lines[-40:]))
    rows: list[dict[str, object]] = [{"result": lines[-1] if lines else "", "exit": code}]
    return rows + [{"result": line} for line in lines if line.startswith(("FAILED", "ERROR"))]


def _card(device: str) -> dict[str, object]:
    import torch

    if not device.startswith("cuda"):
        return {"card": "cpu"}
    found = torch.cuda.get_device_properties(0)
    return {
        "card": found.name,
        "memory GiB": round(found.total_memory / 2**30),
        "compute capability": f"{found.major}.{found.minor}",
        "processors": found.multi_processor_count,
        "cuda": torch.version.cuda,
        "driver": _driver(),
    }


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown: {error}"


def _shown(
    title: str, measure: Callable[[float], Iterable[dict[str, object]]], budget: float
) -> list[dict[str, object]]:
    """The rows of a part, each shown as it comes; a part that breaks off leaves the others to be measured."""
    typer.echo(f"== {title}")
    made: list[dict[str, object]] = []
    try:
        for row in measure(budget):
            typer.echo("  " + "  ".join(f"{key} {_cell(value)}" for key, value in row.items()))
            made.append(row)
    except Exception as error:
        typer.echo(f"  {title} broke off: {error!r}", err=True)
        made.append({"broke off": f"{type(error).__name__}: {error}"})
    return made


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "/").replace("\n", " ")


def _write(folder: Path, report: dict[str, object]) -> None:
    about = report["about"]
    assert isinstance(about, dict)
    card = "".join(c if c.isalnum() else "-" for c in str(about["card"]).lower())
    stem = folder / f"gpu-{card}-{str(about['date'])[:10]}"
    folder.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".json").write_text(json.dumps(report, indent=1, default=str) + "\n", encoding="utf-8")
    lines = [f"# {about['card']}, {str(about['date'])[:10]}", "", "```sh", "python scripts/gpu_check.py", "```", ""]
    lines += [f"- {key}: {value}" for key, value in about.items()]
    if report["quick"]:
        lines += ["", "**A quick run: its sizes are too small for the figures to mean anything.**"]
    for title, rows in report.items():
        if isinstance(rows, list) and rows:
            columns = list(dict.fromkeys(key for row in rows for key in row))
            lines += ["", f"## {title}", "", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
            lines += [f"| {' | '.join(_cell(row.get(key, '')) for key in columns)} |" for row in rows]
    stem.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    typer.echo(f"{stem}.json\n{stem}.md")


if __name__ == "__main__":
    typer.run(main)
