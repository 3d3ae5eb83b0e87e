"""Checks and measures vsvfi on this machine's GPU, without network, in under 8 minutes.

    python scripts/gpu_check.py [--out FOLDER] [--device cuda] [--quick]

Runs the tests that need a GPU, then measures kernels, models and the whole filter, and writes gpu-CARD-DATE.json and
.md, which docs/benchmarks/ holds. With --device cpu --quick it shows in a minute that it works.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # what is measured lies beside the tests

# Seconds of the 480; the rest is starting up.
SHARES = {"tests": 130.0, "kernels": 70.0, "models": 170.0, "filter": 40.0, "memory": 30.0}


def main(
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = ROOT / "docs" / "benchmarks",
    device: Annotated[str, typer.Option(help="cuda, or cpu with --quick.")] = "cuda",
    quick: Annotated[bool, typer.Option(help="Small sizes, one or two runs.")] = False,
) -> None:
    """See the module."""
    import torch

    from tests.measure.gpu import clip, clock, kernels, models
    from vsvfi.evaluate import environment

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise typer.BadParameter("no CUDA device here; --device cpu --quick shows that the script works")
    began = time.monotonic()
    where = clock.Device(device, quick=quick)
    report: dict[str, object] = {"about": environment.describe() | _card(device), "quick": quick}
    if not quick:
        report["tests"] = _tests()
    best = clock.ceilings(where)
    report["ceilings"] = [{"copy GB/s": best.copy / 1e9, **{f"{k} TFLOP/s": v / 1e12 for k, v in best.matmul.items()}}]
    scale = 0.02 if quick else 1.0
    for title, rows in (
        ("kernels", kernels.measure(where, best, SHARES["kernels"] * scale)),
        ("models", models.measure(where, best, SHARES["models"] * scale)),
        ("filter", clip.speed(where, SHARES["filter"] * scale)),
    ):
        typer.echo(f"== {title}")
        report[title] = _shown(rows)
    report["determinism"] = _shown([clip.determinism(where)])
    report["memory"] = _shown([clip.memory(where, SHARES["memory"])])
    report["seconds"] = round(time.monotonic() - began)
    _write(out, report)


def _tests() -> list[dict[str, object]]:
    """The gpu-marked tests, in a process of their own."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "--no-header"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SHARES["tests"])
    except subprocess.TimeoutExpired:
        return [{"result": f"not over after {SHARES['tests']:.0f} s"}]
    typer.echo(done.stdout[-4000:])
    return [{"result": done.stdout.strip().splitlines()[-1], "exit": done.returncode}]


def _card(device: str) -> dict[str, object]:
    import torch

    if not device.startswith("cuda"):
        return {"card": "cpu"}
    found = torch.cuda.get_device_properties(0)
    driver = subprocess.run(
        ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], capture_output=True, text=True
    )
    return {
        "card": found.name,
        "memory GiB": round(found.total_memory / 2**30),
        "compute capability": f"{found.major}.{found.minor}",
        "processors": found.multi_processor_count,
        "cuda": torch.version.cuda,
        "driver": driver.stdout.strip(),
    }


def _shown(rows: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    made = []
    for row in rows:
        typer.echo("  " + "  ".join(f"{key} {_cell(value)}" for key, value in row.items()))
        made.append(row)
    return made


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


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
