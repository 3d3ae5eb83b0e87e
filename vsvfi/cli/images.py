"""`vsvfi images A B`: the pictures between two pictures, as files, a video or an animation."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Picture = np.ndarray[Any, Any]

_ANIMATED = {".gif", ".png", ".apng", ".webp"}
_VIDEO = {".mp4", ".mkv", ".mov", ".webm"}


def images(
    first: Annotated[Path, typer.Argument(metavar="A", help="Earlier picture.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Later picture, of the same size.")],
    out: Annotated[Path, typer.Option(help="A folder for PNGs, or out.mp4, out.gif ...")] = Path("between"),
    steps: Annotated[int, typer.Option(min=1, max=1000, help="How many pictures to make in between.")] = 7,
    model: Annotated[str, typer.Option(help="A name of `vsvfi models list`.")] = "flow",
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1.")] = None,
    fps: Annotated[float, typer.Option(min=0.1, max=1000, help="Of a video or animation.")] = 24.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what exists.")] = False,
) -> None:
    """Make the pictures between two pictures; A and B themselves come first and last."""
    from ..picture import read
    from .failing import failing, refuse_existing

    with failing("images"):
        refuse_existing(out, overwrite=overwrite)
        pictures = [read(first), read(second)]
        _check(pictures, first, second)
        made = _between(pictures[0], pictures[1], steps, model, device)
        where = _write([pictures[0], *made, pictures[1]], out, fps, overwrite)
    typer.echo(f"{steps} pictures between {first.name} and {second.name}: {where}")


def _check(pictures: list[Picture], first: Path, second: Path) -> None:
    from ..errors import OptionError

    a, b = pictures
    if a.shape != b.shape:
        sizes = f"{a.shape[1]}x{a.shape[0]} and {b.shape[1]}x{b.shape[0]}"
        raise OptionError(f"{first.name} and {second.name} differ in size, {sizes}; scale one to the other first")
    if a.dtype != b.dtype:
        raise OptionError(f"{first.name} and {second.name} differ in depth; save both with 8 or both with 16 bits")


def _between(a: Picture, b: Picture, steps: int, model: str, device: str | None) -> list[Picture]:
    import numpy as np
    import torch

    from ..loading import load

    network = load(model, device=device)
    peak = float(np.iinfo(a.dtype).max)

    def tensor(picture: Picture) -> Tensor:
        return torch.from_numpy(picture.astype(np.float32) / peak).permute(2, 0, 1)[None].contiguous()

    image0, image1 = tensor(a), tensor(b)
    made = []
    for k in range(1, steps + 1):
        result = network.interpolate(image0, image1, k / (steps + 1))[0].permute(1, 2, 0).float().cpu().numpy()
        made.append(np.rint(result.clip(0, 1) * peak).astype(a.dtype))
    return made


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
