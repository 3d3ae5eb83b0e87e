"""What `vsvfi render` shows while it works: a bar on a terminal, nothing elsewhere; warnings as lines."""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from ..render import Progress as Done
    from ..render import Report

_LOGGERS = ("vsvfi", "vapoursynth")


def say(message: str) -> None:
    """One line on stderr."""
    typer.echo(message, err=True)


class _Lines(logging.Handler):
    """Prints warnings as lines of a command, above the bar if one is being drawn."""

    def __init__(self, command: str, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._command = command
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(f"{self._command}: {record.getMessage()}", highlight=False, markup=False, soft_wrap=True)


class RenderProgress:
    """A bar with frames, frames a second and time left, and warnings above it; on stderr, so that stdout stays clean.

    Args:
        name: of the file being made.
    """

    def __init__(self, name: str) -> None:
        self._console = Console(stderr=True)
        self._began = time.monotonic()
        self._name = name
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._lines = _Lines("vsvfi render", self._console)

    def __enter__(self) -> Self:
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(self._lines)
        self._bar.start()
        self._task = self._bar.add_task(f"{self._name}: reading", total=None, speed="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(self._lines)

    def update(self, done: Done) -> None:
        """Show how far it is; cheap enough for every frame, since the bar draws itself ten times a second."""
        assert self._task is not None, "only inside its with"
        if done.done == 1:
            self._began = time.monotonic()
        seconds = time.monotonic() - self._began
        speed = f"{(done.done - 1) / seconds:.1f} fps" if seconds > 0 and done.done > 1 else ""
        self._bar.update(self._task, description=self._name, completed=done.done, total=done.total, speed=speed)

    def finish(self, report: Report) -> None:
        """The last line, where there was a bar."""
        if not self._console.is_terminal:
            return
        seconds = max(time.monotonic() - self._began, 1e-6)
        rate = "variable rate" if report.fps is None else f"{float(report.fps):.6g} fps"
        self._console.print(
            f"{report.path}: {report.frames} frames, {rate}, {float(report.duration):.2f} s, "
            f"made at {report.frames / seconds:.1f} fps",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
