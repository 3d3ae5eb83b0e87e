"""`vsvfi compare IN`: frames that are known, dropped and rebuilt by several models: a contact sheet, or figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import vapoursynth as vs

    from ..evaluate.sheet import Box


def compare(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Video file.")],
    models: Annotated[
        str, typer.Option(help="Models side by side, by comma; blend, repeat and mvtools are baselines.")
    ] = "flow,blend",
    frames: Annotated[str | None, typer.Option(help="Frames to rebuild: 10,20-24. Without: three.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The contact sheet, PNG or JPEG.")] = Path("sheet.png"),
    crop: Annotated[str | None, typer.Option(help="Part to enlarge: x,y,w,h. Without: where they differ.")] = None,
    metrics: Annotated[bool, typer.Option("--metrics", help="Rebuild every second frame and print figures.")] = False,
    json: Annotated[Path | None, typer.Option(help="With --metrics: all figures to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="With --metrics: a plot, frame by frame.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1.")] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16, bf16.")] = "auto",
) -> None:
    """Drop frames of a video, rebuild them from their neighbours, and compare with what was dropped."""
    from ..errors import OptionError
    from ..evaluate import clips, methods
    from .failing import failing

    with failing("compare"):
        clip = clips.from_file(source)
        if clip.num_frames < 3:
            raise OptionError(f"{source} has {clip.num_frames} frames; at least 3 are needed to drop one")
        names = methods.split(models)
        doublers = {
            name: partial(methods.double, method=name, device=device, precision=precision, scene_change=True)
            for name in names
        }
        if metrics:
            _metrics(clip, doublers, source.name, json, plot)
        elif json is not None or plot is not None:
            raise OptionError("--json and --plot go with --metrics")
        else:
            _sheet(clip, doublers, frames, crop, out, source.name)


def _sheet(
    clip: vs.VideoNode,
    doublers: dict[str, partial[vs.VideoNode]],
    frames: str | None,
    crop: str | None,
    out: Path,
    name: str,
) -> None:
    from ..evaluate import rebuild, sheet

    rows = []
    for n in parse_frames(frames, clip.num_frames):
        truth = rebuild.picture(rebuild.to_rgb(clip).get_frame(n))
        made = {method: rebuild.picture(rebuild.dropped(clip, n, double)) for method, double in doublers.items()}
        rows.append(sheet.Row(f"frame {n}", made, truth))
    title = f"{name}: each frame left out and rebuilt from its two neighbours"
    sheet.draw(rows, title=title, crop=parse_crop(crop), automatic=crop is None).save(out)
    typer.echo(f"{len(rows)} frames by {', '.join(doublers)}: {out}")


def _metrics(
    clip: vs.VideoNode,
    doublers: dict[str, partial[vs.VideoNode]],
    name: str,
    json: Path | None,
    plot: Path | None,
) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from ..evaluate import environment, rebuild, report

    count = rebuild.dropped_frames(clip)
    results = []
    with Progress(console=Console(stderr=True), transient=True) as bar:
        for method, double in doublers.items():
            task = bar.add_task(method, total=count)
            scores = rebuild.scores(clip, double, advance=partial(bar.advance, task))
            results.append(report.Result(method, list(scores)))
    title = f"{name}: every second frame left out and rebuilt"
    Console().print(report.table(results, title))
    if json is not None:
        report.write_json(json, results, {**environment.describe(), "clip": name})
        typer.echo(f"figures: {json}")
    if plot is not None:
        report.write_plot(plot, results, title)
        typer.echo(f"plot: {plot}")


def parse_frames(text: str | None, length: int) -> list[int]:
    """Frame numbers out of "10,20-24"; three spread over the clip where nothing is said.

    Raises:
        OptionError: not such a list, or frames that have no two neighbours.
    """
    from ..errors import OptionError

    if text is None:
        return sorted({max(1, min(length - 2, length * k // 4)) for k in (1, 2, 3)})
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or (last and not last.isdigit()) or (last and int(last) < int(first)):
            raise OptionError(f"frames must be numbers and ranges such as 10,20-24, got {text!r}")
        found += range(int(first), int(last or first) + 1)
    if not all(0 < n < length - 1 for n in found) or len(found) > 50:
        raise OptionError(f"frames must be at most 50 between 1 and {length - 2}, got {text!r}")
    return found


def parse_crop(text: str | None) -> Box | None:
    """A Box out of "x,y,w,h".

    Raises:
        OptionError: not four whole numbers.
    """
    from ..errors import OptionError
    from ..evaluate.sheet import Box

    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(part.isdigit() for part in parts):
        raise OptionError(f"crop must be x,y,w,h in pixels, got {text!r}")
    return Box(*map(int, parts))
