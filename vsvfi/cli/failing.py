"""How a command fails: one line on stderr and an exit status, 2 for wrong usage and 1 for everything else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from ..errors import OptionError, UnknownModelError, VsvfiError
from .progress import say


@contextmanager
def failing(command: str) -> Iterator[None]:
    """Turn what vsvfi and VapourSynth raise on purpose into a line that begins with the command's name."""
    import vapoursynth as vs

    try:
        yield
    except (OptionError, UnknownModelError) as error:
        say(f"vsvfi {command}: {error}")
        raise typer.Exit(2) from error
    except (VsvfiError, vs.Error) as error:
        say(f"vsvfi {command}: {error}")
        raise typer.Exit(1) from error


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise OptionError if a file would be replaced that nobody allowed to be."""
    if path.exists() and not path.is_dir() and not overwrite:
        raise OptionError(f"{path} exists; give --overwrite to replace it")
