"""`vsvfi render IN OUT`: options to settings, errors to one line and an exit code. The work is `vsvfi.render`'s."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..render import Settings

_DEFAULT_ENCODER = "libx264"


def render(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Video file to read.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="File to make: .mkv, .mp4, .mov, .webm ...")],
    factor: Annotated[str | None, typer.Option(help="Times the frame rate: 2, 2.5, 5/2. Without fps: 2.")] = None,
    fps: Annotated[str | None, typer.Option(help="Frame rate to reach instead: 60, 59.94, 60000/1001.")] = None,
    model: Annotated[str, typer.Option(help="A name of `vsvfi models list`.")] = "auto",
    scene_change: Annotated[
        str, typer.Option(help="Find cuts: on, off, props, or a threshold between 0 and 1.")
    ] = "on",
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1. Without: the first CUDA device.")] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16, bf16.")] = "auto",
    scale: Annotated[float | None, typer.Option(help="Resolution at which motion is looked for.")] = None,
    tile: Annotated[str | None, typer.Option(help="Work in tiles of this size: 1024, 1024x512.")] = None,
    protect: Annotated[bool, typer.Option("--protect", help="Keep subtitles and logos from being warped.")] = False,
    encoder: Annotated[
        str, typer.Option(help="libx264, libx265, libsvtav1, ffv1, or a command line such as 'x265 --crf 20'.")
    ] = _DEFAULT_ENCODER,
    crf: Annotated[
        float | None,
        typer.Option(help="Quality, lower is better. Without: the encoder's."),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="The encoder's speed: medium, slow; 8 for libsvtav1.")] = None,
    start: Annotated[str | None, typer.Option(help="Begin here: 90, 1:30.5, 0:01:30.5.")] = None,
    end: Annotated[str | None, typer.Option(help="Stop here.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
) -> None:
    """Raise the frame rate of a video file; sound, subtitles, chapters and tags are copied.

    OUT appears when it is complete. Until then, and after a failure, what was made is in OUT's name with `.part`.
    """
    from ..errors import OptionError, RenderError, VsvfiError
    from ..render import RenderStopped
    from ..render import render as run
    from .progress import RenderProgress, say

    try:
        settings = _settings(
            factor=factor, fps=fps, model=model, scene_change=scene_change, device=device, precision=precision,
            scale=scale, tile=tile, protect=protect, encoder=encoder, crf=crf, preset=preset, start=start, end=end,
            overwrite=overwrite,
        )  # fmt: skip
        with RenderProgress(output.name) as progress:
            report = run(source, output, settings, progress=progress.update)
        progress.finish(report)
    except OptionError as error:
        say(f"vsvfi render: {error}")
        raise typer.Exit(2) from error
    except (RenderError, VsvfiError) as error:
        say(f"vsvfi render: {error}")
        raise typer.Exit(1) from error
    except KeyboardInterrupt as stop:
        what = str(stop) if isinstance(stop, RenderStopped) else "stopped before the first frame"
        say(f"vsvfi render: {what}")
        raise typer.Exit(130) from stop


def _settings(**typed: Any) -> Settings:
    """What was typed, as a render takes it.

    Raises:
        OptionError: something cannot be read.
    """
    from ..render import Settings
    from ..render.timing import parse_time

    for name in ("start", "end"):
        if typed[name] is not None:
            typed[name] = parse_time(name, typed[name])
    typed["scene_change"] = _scene_change(typed["scene_change"])
    typed["tile"] = _tile(typed["tile"])
    return Settings(**typed)


def _scene_change(text: str) -> bool | float | str:
    from ..errors import OptionError

    words: dict[str, bool | str] = {"on": True, "off": False, "props": "props"}
    if text in words:
        return words[text]
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"scene-change must be on, off, props or a number between 0 and 1, got {text!r}") from None


def _tile(text: str | None) -> int | tuple[int, int] | None:
    from ..errors import OptionError

    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdigit() for side in sides):
        raise OptionError(f"tile must be a size such as 1024 or 1024x512, got {text!r}")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))
