"""engine="auto" on a CUDA device: both ways are timed on the first frames, and the faster one does the rest."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Hashable
from typing import Any

import torch

from ..model import Model
from .cuda_graph import Graphed
from .staged import Staged

log = logging.getLogger("vsvfi")

_RUNS = 5
"""Of each way; their median counts."""

_LONG = 100.0
"""Milliseconds: a stage that takes longer is not held up by launching, and a graph of it would hold much memory."""

_GAIN = 0.97
"""A graph must be at least this much faster: it takes memory."""


class Stopwatch:
    """Times work on the current CUDA stream."""

    def __call__(self, run: Callable[[], Any]) -> float:
        """Milliseconds from the first launch to the end of the last kernel."""
        began, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        began.record()
        run()
        ended.record()
        ended.synchronize()
        return float(began.elapsed_time(ended))


class Measured(Staged):
    """A model that runs each stage as it comes or as a graph, whichever was faster.

    Args:
        inner: on a CUDA device.
        graphed: the same model, replayed.
        stopwatch: gives the time of a call.
    """

    def __init__(self, inner: Model, graphed: Graphed, stopwatch: Callable[[Callable[[], Any]], float]) -> None:
        super().__init__(inner)
        self._graphed = graphed
        self._stopwatch = stopwatch
        self._replays: dict[Hashable, bool] = {}

    def around(self, inner: Model) -> Measured:
        """See Staged."""
        return type(self)(inner, self._graphed.around(inner), self._stopwatch)

    def forget(self) -> None:
        """See Model. Memory is short, so nothing is recorded any more."""
        self._replays = dict.fromkeys(self._replays, False)
        self._graphed.forget()

    def run(self, stage: Callable[..., Any], arguments: tuple[Any, ...], t: float | None = None) -> Any:
        """See Staged."""
        name = stage.__name__
        if name not in self._replays:
            self._replays[name] = self._faster(stage, arguments, t)
        if self._replays[name]:
            return self._graphed.run(stage, arguments, t)
        return stage(*arguments) if t is None else stage(*arguments, t)

    def _faster(self, stage: Callable[..., Any], arguments: tuple[Any, ...], t: float | None) -> bool:
        whole = arguments if t is None else (*arguments, t)
        ways: list[Callable[[], Any]] = [lambda: stage(*whole), lambda: self._graphed.run(stage, arguments, t)]
        ways[0]()  # compiling, choosing algorithms
        first = self._stopwatch(ways[0])
        if first > _LONG:
            log.info("%s.%s: %.0f ms eagerly, too long for a graph to matter", self.spec.name, stage.__name__, first)
            return False
        ways[1]()  # recording
        eager, replayed = (statistics.median(self._stopwatch(way) for _ in range(_RUNS)) for way in ways)
        log.info("%s.%s: %.2f ms eagerly, %.2f ms as a graph", self.spec.name, stage.__name__, eager, replayed)
        return replayed < eager * _GAIN
