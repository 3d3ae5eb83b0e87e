"""`vsvfi doctor`: what is there, and what to do where it is not well. One probe a line; none stops the others."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer


@dataclass(frozen=True)
class Line:
    """What one probe found.

    Attributes:
        what: was looked at.
        state: "error" keeps the filter from working, "warning" something that not everybody needs.
        found: in words.
        todo: what to do about it.
    """

    what: str
    state: Literal["ok", "warning", "error"]
    found: str
    todo: str = ""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False) -> None:
    """Say what is installed, what works, and what to do about what does not."""
    lines = [line for probe in PROBES for line in _guarded(probe)]
    if as_json:
        typer.echo(json.dumps([asdict(line) for line in lines], indent=1))
    else:
        _print(lines)
    if any(line.state == "error" for line in lines):
        raise typer.Exit(1)


def _guarded(probe: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    try:
        yield from probe()
    except Exception as error:
        what = probe.__name__.strip("_")
        yield Line(what, "error", f"{type(error).__name__}: {error}", f"reinstall what provides {what}")


def _python() -> Iterator[Line]:
    yield Line("Python", "ok", f"{platform.python_version()} at {sys.executable}, {platform.platform()}")


def _vapoursynth() -> Iterator[Line]:
    import vapoursynth as vs

    release = vs.core.core_version
    yield Line("VapourSynth", "ok", f"R{release.release_major}, {vs.core.num_threads} threads")
    present = {plugin.namespace for plugin in vs.core.plugins()}
    yield Line("plugins", "ok", " ".join(sorted(present)))
    if "bs" not in present:
        yield Line("BestSource", "error", "absent", "pip install vapoursynth-bestsource")


def _torch() -> Iterator[Line]:
    import torch

    built = torch.version.cuda or "none"
    yield Line("torch", "ok", f"{torch.__version__}, built for CUDA {built}, {torch.get_num_threads()} threads")
    if not torch.cuda.is_available():
        yield Line("CUDA", "warning", "no device", "models run on the CPU; for a GPU install NVIDIA's driver")
        return
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        found = f"{facts.name}, {facts.total_memory >> 20} MiB, sm_{facts.major}{facts.minor}"
        yield Line(f"cuda:{index}", "ok", found)


def _kernels() -> Iterator[Line]:
    from .. import cuda

    sources = sorted(path.name for folder in cuda.__path__ for path in Path(folder).glob("*.cu"))
    yield Line("CUDA kernels", "ok", " ".join(sources) or "none in this version: torch does the work")


def _flow() -> Iterator[Line]:
    import cv2
    import numba

    yield Line("OpenCV", "ok", cv2.__version__)
    where = getattr(numba.config, "CACHE_DIR", "") or "__pycache__ beside their source, or the user's cache folder"
    yield Line("numba", "ok", f"{numba.__version__}, keeps compiled kernels in {where}")


def _encoders() -> Iterator[Line]:
    import av

    inside = {"libx264", "libx265", "libsvtav1", "ffv1"}
    there = sorted(inside & av.codecs_available)
    lacking = sorted(inside - av.codecs_available)
    yield Line("encoders", "ok", f"PyAV {av.__version__}: {' '.join(there)}")
    if lacking:
        yield Line("encoders", "warning", f"PyAV lacks {' '.join(lacking)}", "pip install --upgrade av")
    for name in ("x264", "x265"):
        path = shutil.which(name)
        todo = "" if path else f"only needed for --encoder '{name} ...': install it from your distribution"
        yield Line(name, "ok" if path else "warning", path or "not on PATH", todo)


def _models() -> Iterator[Line]:
    from .. import loading, plugins
    from ..weights import store

    known = plugins.specs()
    installed = [name for name, spec in known.items() if store.is_installed(spec)]
    lacking = [name for name in known if name not in installed]
    found = " ".join(installed) or "none"
    if lacking:
        found += f"; not installed: {' '.join(lacking)}"
    yield Line("models", "ok" if installed else "error", found, "" if installed else "reinstall")
    for name in installed:
        if known[name].checkpoint and store.record(known[name]) is None:
            why = f"{store.weights_file(known[name])} has no record of where it came from"
            yield Line(name, "warning", why, f"vsvfi models install {name} --from the file it was made of")
    yield Line("folder of models", "ok", str(store.folder()))
    yield Line('model="auto"', "ok", loading.why_chosen(None, (1920, 1080)))
    for name, why in plugins.broken().items():
        yield Line(f"plugin {name}", "warning", why, "update or uninstall that package")


PROBES = (_python, _vapoursynth, _torch, _kernels, _flow, _encoders, _models)


def _print(lines: list[Line]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colors = {"ok": "green", "warning": "yellow", "error": "bold red"}
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        found = Text(line.found)
        if line.todo:
            found.append(f"\n-> {line.todo}", style="cyan")
        table.add_row(Text(line.state, style=colors[line.state]), Text(line.what, style="bold"), found)
    Console().print(table)
