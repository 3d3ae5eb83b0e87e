"""`vsvfi images A [B]`: pictures that a model makes of one or two, as files, a video or an animation."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from ..model import ModelSpec

    Picture = np.ndarray[Any, Any]

_ANIMATED = {".gif", ".png", ".apng", ".webp"}
_VIDEO = {".mp4", ".mkv", ".mov", ".webm"}


def images(
    first: Annotated[Path, typer.Argument(metavar="A", help="A picture: the earlier, or the one to be changed.")],
    second: Annotated[Path | None, typer.Argument(metavar="B", help="The later picture, or the style.")] = None,
    out: Annotated[Path, typer.Option(help="A folder for PNGs, or out.mp4, out.gif ...")] = Path("between"),
    steps: Annotated[int, typer.Option("--steps", "--num", min=1, max=1000, help="How many pictures to make.")] = 7,
    model: Annotated[str, typer.Option(help="A name of `vsvfi models list`; it decides what is made.")] = "flow",
    size: Annotated[
        int, typer.Option(min=1, max=4096, help="Side of the squares, for models that take squares.")
    ] = 512,
    extend_t: Annotated[bool, typer.Option("--extend-t", help="Of one picture, amounts below 0 as well.")] = False,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1.")] = None,
    fps: Annotated[float, typer.Option(min=0.1, max=1000, help="Of a video or animation.")] = 24.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what exists.")] = False,
) -> None:
    """Make the pictures between two pictures, or of one by growing amounts, or of one in another's style."""
    from .. import plugins
    from ..picture import read
    from .failing import failing, refuse_existing

    with failing("images"):
        refuse_existing(out, overwrite=overwrite)
        spec = plugins.spec(model)
        paths = [first] if second is None else [first, second]
        _check_number(spec, len(paths), extend_t)
        pictures = [read(path) for path in paths]
        if spec.task == "interpolate":
            _check_alike(pictures, paths)
        made = _made(spec, pictures, _amounts(spec, steps, extend_t), size, device)
        where = _write(made, out, fps, overwrite)
    said = {"interpolate": "between", "transition": "between"}.get(spec.task, "of")
    count = len(_amounts(spec, steps, extend_t))
    typer.echo(f"{count} pictures {said} {' and '.join(path.name for path in paths)}: {where}")


def _check_number(spec: ModelSpec, given: int, extend_t: bool) -> None:
    from ..errors import OptionError

    if spec.task == "flow":
        raise OptionError(f"{spec.name} finds flow and makes no pictures")
    if given != spec.inputs:
        two = "two pictures, A and B" if spec.inputs == 2 else "one picture, A"
        raise OptionError(f"{spec.name} takes {two}; got {given}")
    if extend_t and spec.timestep_range[0] >= 0:
        raise OptionError(f"{spec.name} takes no amounts below 0; leave --extend-t out")


def _check_alike(pictures: list[Picture], paths: list[Path]) -> None:
    from ..errors import OptionError

    (a, b), (first, second) = pictures, paths
    if a.shape != b.shape:
        sizes = f"{a.shape[1]}x{a.shape[0]} and {b.shape[1]}x{b.shape[0]}"
        raise OptionError(f"{first.name} and {second.name} differ in size, {sizes}; scale one to the other first")
    if a.dtype != b.dtype:
        raise OptionError(f"{first.name} and {second.name} differ in depth; save both with 8 or both with 16 bits")


def _amounts(spec: ModelSpec, steps: int, extend_t: bool) -> list[float]:
    """As the authors' script of SDL has them: strictly between two pictures; of one from 0, or from below it."""
    first = 1 if spec.inputs == 2 else -steps if extend_t else 0
    return [k / (steps + 1) for k in range(first, steps + 1)]


def _made(
    spec: ModelSpec, pictures: list[Picture], amounts: list[float], size: int, device: str | None
) -> list[Picture]:
    """All pictures of the series; those between two have the two themselves, in the series' size, at their ends."""
    import numpy as np
    import torch
    from rich.console import Console
    from rich.progress import track

    from ..fitting import fitted
    from ..loading import load

    network = load(spec.name, device=device)
    kind = pictures[0].dtype
    peak = float(np.iinfo(kind).max)

    def tensor(picture: Picture) -> Tensor:
        values = picture.astype(np.float32) / float(np.iinfo(picture.dtype).max)
        return torch.from_numpy(values).permute(2, 0, 1)[None].contiguous()

    def picture(image: Tensor) -> Picture:
        values = image[0].permute(1, 2, 0).float().cpu().numpy()
        whole: Picture = np.rint(values.clip(0, 1) * peak).astype(kind)
        return whole

    inputs = fitted(spec, *map(tensor, pictures), size=size)
    with torch.inference_mode():
        features = [network.encode(image.to(network.device, network.image_dtype)) for image in inputs]
        motion = network.relate(features[0], features[-1])
        console = Console(stderr=True)
        shown = track(amounts, spec.name, console=console, transient=True, disable=not console.is_terminal)
        made = [picture(network.synthesize(motion, t)) for t in shown]  # type: ignore[arg-type]
    if spec.task not in ("interpolate", "transition"):
        return made
    return [picture(inputs[0]), *made, picture(inputs[1])]


def _write(pictures: list[Picture], out: Path, fps: float, overwrite: bool) -> Path:
    suffix = out.suffix.lower()
    if suffix in _VIDEO:
        _video(pictures, out, fps)
    elif suffix in _ANIMATED:
        _animation(pictures, out, fps)
    else:
        _folder(pictures, out, overwrite)
    return out


def _folder(pictures: list[Picture], out: Path, overwrite: bool) -> None:
    import cv2

    from .failing import refuse_existing

    out.mkdir(parents=True, exist_ok=True)
    names = [out / f"{k:0{len(str(len(pictures)))}d}.png" for k in range(len(pictures))]
    for name in names:
        refuse_existing(name, overwrite=overwrite)
    for name, picture in zip(names, pictures, strict=True):
        cv2.imencode(".png", picture[..., ::-1])[1].tofile(name)


def _animation(pictures: list[Picture], out: Path, fps: float) -> None:
    from PIL import Image

    from ..picture import eight_bit

    frames = [Image.fromarray(eight_bit(picture)) for picture in pictures]
    frames[0].save(out, save_all=True, append_images=frames[1:], duration=1000 / fps, loop=0)


def _video(pictures: list[Picture], out: Path, fps: float) -> None:
    import av

    from ..picture import eight_bit

    height, width = pictures[0].shape[:2]
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height = width, height
        # 4:2:0 needs even sides; an odd picture keeps its last row and column as 4:4:4.
        stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
        stream.options = {"crf": "16"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(eight_bit(picture), format="rgb24")))
        container.mux(stream.encode(None))
