"""Names on disk: an output appears under its own name only when it is complete."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..errors import OptionError


def check_paths(source: Path, output: Path, overwrite: bool) -> None:
    """Raise OptionError where rendering into `output` would harm something, or cannot be done."""
    if output.is_dir():
        raise OptionError(f"{output} is a folder; name a file in it")
    if not output.suffix:
        raise OptionError(f"{output} has no suffix; its container is known by that: .mkv, .mp4 ...")
    if not output.absolute().parent.is_dir():
        raise OptionError(f"there is no folder {output.parent}")
    if output.exists() and source.exists() and output.samefile(source):
        raise OptionError(f"{output} is the source itself; choose another name")
    if output.exists() and not overwrite:
        raise OptionError(f"{output} exists; give --overwrite to replace it, or another name")


def partial(output: Path) -> Path:
    """Where an output is written until it is complete: beside it, so that renaming is one step, with its suffix."""
    return output.with_name(f"{output.stem}.part{output.suffix}")


def publish(part: Path, output: Path, overwrite: bool) -> None:
    """Give a complete file its name; it is on the disk before the name is."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    if not overwrite and output.exists():
        raise FileExistsError(f"{output} appeared meanwhile; the complete result is {part}")
    part.replace(output)
    with contextlib.suppress(OSError, AttributeError):  # Windows opens no folders, and needs no such thing
        folder = os.open(output.absolute().parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
