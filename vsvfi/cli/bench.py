"""`vsvfi bench`: models, sizes and precisions through the filter, beside blending and MVTools in the same run."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import vapoursynth as vs

_WARM = 4  # frames before the clock starts: kernels compile, pools fill


@dataclass(frozen=True)
class Timing:
    """One method at one size.

    Attributes:
        method, size, precision: what ran.
        seconds: wall time per in-between frame, one figure a run.
        cpu: processor seconds per in-between frame, one figure a run.
    """

    method: str
    size: str
    precision: str
    seconds: list[float]
    cpu: list[float]


def bench(
    models: Annotated[str, typer.Option(help="By comma; blend and mvtools are always beside them.")] = "flow",
    sizes: Annotated[str, typer.Option(help="By comma.")] = "640x360,1280x720",
    precision: Annotated[str, typer.Option(help="By comma: fp32,fp16,bf16; auto.")] = "auto",
    frames: Annotated[int, typer.Option(min=2, max=10_000, help="In-between frames a run.")] = 24,
    runs: Annotated[int, typer.Option(min=3, max=100, help="Runs; the median is quoted.")] = 3,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1.")] = None,
    json: Annotated[Path | None, typer.Option(help="All figures to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="A bar chart to this file.")] = None,
) -> None:
    """Time models on a moving picture."""
    from ..evaluate import environment, methods
    from .failing import failing

    with failing("bench"):
        names = [*methods.split(models), "blend", *(["mvtools"] if methods.has_mvtools() else [])]
        precisions = methods.split(precision)
        timings = [
            timing
            for size in _sizes(sizes)
            for timing in _timed(list(dict.fromkeys(names)), precisions, size, frames, runs, device)
        ]
        _print(timings)
        about = environment.describe()
        if json is not None:
            _write_json(json, timings, about)
        if plot is not None:
            _write_plot(plot, timings)


def _sizes(text: str) -> list[tuple[int, int]]:
    from ..errors import OptionError

    found = []
    for size in text.split(","):
        width, _, height = size.strip().partition("x")
        if not (width.isdigit() and height.isdigit()) or min(int(width), int(height)) < 64:
            raise OptionError(f"sizes must be such as 1280x720, at least 64 each way, got {size!r}")
        found.append((int(width) & ~1, int(height) & ~1))
    return found


def _timed(
    names: list[str], precisions: list[str], size: tuple[int, int], frames: int, runs: int, device: str | None
) -> list[Timing]:
    from ..evaluate import clips, methods

    clip = clips.moving(*size, frames + _WARM + 1)
    label = f"{size[0]}x{size[1]}"
    # A baseline has no precision to vary.
    cases = [
        Timing(name, label, kind, [], [])
        for name in names
        for kind in (["-"] if name in methods.BASELINES else precisions)
    ]
    for _ in range(runs):  # in turn, so that all see the machine in the same mood
        for case in cases:
            kind = "auto" if case.precision == "-" else case.precision
            seconds, cpu = _once(methods.double(clip, case.method, device=device, precision=kind), frames)
            case.seconds.append(seconds)
            case.cpu.append(cpu)
    return cases


def _once(clip: vs.VideoNode, frames: int) -> tuple[float, float]:
    """Wall and processor seconds per in-between frame."""
    wall = cpu = 0.0
    for n, frame in enumerate(clip.frames(close=True)):
        frame.close()
        if n == 2 * _WARM:
            wall, cpu = time.perf_counter(), time.process_time()
        if n == 2 * (_WARM + frames):
            break
    return (time.perf_counter() - wall) / frames, (time.process_time() - cpu) / frames


def _print(timings: list[Timing]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    # Narrow enough for 80 columns: a cut-off figure is none.
    for heading in ("size", "model", "prec.", "ms", "min-max", "fps", "CPU ms", "to blend", "mvtools"):
        table.add_column(heading, justify="left" if heading in ("size", "model") else "right", no_wrap=True)
    for timing in timings:
        median = statistics.median(timing.seconds)
        against = [_ratio(median, timings, timing.size, other) for other in ("blend", "mvtools")]
        spread = f"{min(timing.seconds) * 1e3:.1f}-{max(timing.seconds) * 1e3:.1f}"
        cpu = f"{statistics.median(timing.cpu) * 1e3:.1f}"
        table.add_row(
            timing.size, timing.method, timing.precision, f"{median * 1e3:.1f}", spread, f"{1 / median:.1f}", cpu,
            *against,
        )  # fmt: skip
    console = Console()
    console.print(table)
    peak = _peak_mib()
    memory = "" if peak is None else f"; peak memory of the process {peak} MiB"
    console.print(f"times are per in-between frame, medians{memory}", style="dim")


def _ratio(median: float, timings: list[Timing], size: str, other: str) -> str:
    found = [t for t in timings if t.size == size and t.method == other]
    return f"{median / statistics.median(found[0].seconds):.3g}x" if found else ""


def _peak_mib() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _write_json(path: Path, timings: list[Timing], about: dict[str, object]) -> None:
    import json

    rows = [asdict(timing) for timing in timings]
    text = json.dumps({**about, "peak_mib": _peak_mib(), "timings": rows}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    typer.echo(f"figures: {path}")


def _write_plot(path: Path, timings: list[Timing]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.5 + 0.4 * len(timings)), layout="constrained")
    axes = figure.subplots()
    labels = [f"{t.size}  {t.method}" + ("" if t.precision in ("-", "auto") else f" {t.precision}") for t in timings]
    medians = [statistics.median(t.seconds) * 1e3 for t in timings]
    colors = ["0.65" if t.precision == "-" else "tab:blue" for t in timings]
    bars = axes.barh(labels, medians, color=colors)
    axes.bar_label(bars, [f"{value:.1f}" for value in medians], padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("ms per in-between frame (shorter is better)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    typer.echo(f"plot: {path}")
