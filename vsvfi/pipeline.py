"""One clip's engine: what each output frame needs, submitted as a job and collected when it is there.

graph.py calls `submit` and `collect` from the frame server's threads; lane.py does the work of a device.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .color.properties import resolve
from .decide import Decider, Decision, Window
from .frames import host
from .frames.planes import Planes
from .frames.transfer import Ready

if TYPE_CHECKING:
    from .frames.planes import ColorInfo, PlaneFormat
    from .lane import Lane
    from .options import Options
    from .timeline import Position, Timeline

_RUN = 8
"""Source pairs in a row that one device gets when there are several: a pair's frames and features stay together."""

_PENDING = 64
"""Jobs kept that nobody has collected yet. Beyond that the oldest is dropped; if asked for, it is made again."""

_AROUND = 8
"""Pairs before and after the current one in the graph of show="scene"."""


@dataclass(frozen=True, slots=True)
class Made:
    """What became of an output frame.

    Attributes:
        kind: "source": t is 0; "tail": beyond the last source frame; else the pair's decision.
        score: of the scene detector, where it was asked.
        shown: 0 or 1: this source frame of the pair is handed on; None: `ready` holds new planes.
        ready: the new planes.
    """

    kind: Literal["source", "tail", "motion", "cut", "still"]
    score: float | None = None
    shown: int | None = 0
    ready: Ready | None = None


class Pipeline:
    """See the module.

    Args:
        lanes: a device each; their models share nothing but their kind.
        timeline: of the clip.
        format: of the clip.
        options: of the filter instance.

    Attributes:
        name: of the filter, as its errors begin.
    """

    name = "Interpolate"

    def __init__(self, lanes: Sequence[Lane], timeline: Timeline, format: PlaneFormat, options: Options) -> None:
        self.lanes = lanes
        self.timeline = timeline
        self.format = format
        self.options = options
        self.decider = Decider(options, format)
        self._jobs: OrderedDict[int, Future[Made]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def offsets(self) -> range:
        """Offsets of the source frames a job is to be given, around the output frame's own source frame."""
        first, last = self.decider.offsets
        around = _AROUND if self.options.show == "scene" else 0
        return range(first - around, last + around + 1)

    @property
    def concurrency(self) -> int:
        """How many frames there should be in work at a time: enough that no device waits for the next one."""
        return sum(lane.in_work for lane in self.lanes)

    def submit(self, n: int, window: Window) -> None:
        """Queue output frame n; comes back at once."""
        position = self.timeline.at(n)
        if not self._has_work(position):
            return
        if callable(self.options.scene_change):
            # The user's function runs here, on the frame server's thread, where scripts expect their callbacks.
            self.decider.decide(position.source, window)
        with self._lock:
            if n in self._jobs:
                return
            self._jobs[n] = self.lane(position).start(self._make, n, position, window)
            if len(self._jobs) > _PENDING:
                self._jobs.popitem(last=False)

    def collect(self, n: int, window: Window) -> Made:
        """Wait for output frame n.

        The frame server may ask here without having asked `submit` (it had that node's frame in its cache): then the
        work is done now, with the same result.
        """
        position = self.timeline.at(n)
        if not self._has_work(position):
            return Made("tail" if position.t else "source")
        with self._lock:
            job = self._jobs.pop(n, None)
        if job is None:
            job = self.lane(position).start(self._make, n, position, window)
        return job.result()

    def lane(self, position: Position) -> Lane:
        """The device that makes frames at this position."""
        return self.lanes[position.source // _RUN % len(self.lanes)]

    def _has_work(self, position: Position) -> bool:
        if self.options.show is not None:
            return True
        return position.t != 0 and not self.timeline.held(position)

    def _make(self, n: int, position: Position, window: Window) -> Made:
        lane = self.lane(position)
        if self.options.show is not None:
            return self._shown(lane, n, position, window)
        return self._plain(lane, position, window)

    def _plain(self, lane: Lane, position: Position, window: Window) -> Made:
        if position.t == 0 or self.timeline.held(position):
            return Made("tail" if position.t else "source")
        decision = self.decider.decide(position.source, window)
        if decision.kind == "still":
            return Made("still", decision.score)
        if decision.kind == "cut":
            return self._across_cut(decision, position.t, window)
        ready = lane.between(position.source, float(position.t), window, self._colors(window))
        return Made("motion", decision.score, None, ready)

    def _across_cut(self, decision: Decision, t: Fraction, window: Window) -> Made:
        mode = self.options.on_scene_change
        if mode == "blend":
            views = [self._view(window, k, self._colors(window)[k]) for k in (0, 1)]
            return Made("cut", decision.score, None, Ready(blend(views[0], views[1], float(t))))
        late = mode == "next" or (mode == "nearest" and t > Fraction(1, 2))
        return Made("cut", decision.score, int(late))

    def _shown(self, lane: Lane, n: int, position: Position, window: Window) -> Made:
        if self.options.show == "scene":
            return self._scene_graph(lane, position, window)
        color = self._colors(window)
        decision = Decision("still")
        if not self.timeline.held(position):
            decision = self.decider.decide(position.source, window)
        import torch

        from . import show

        picture = torch.zeros(2, self.format.height, self.format.width)
        flow = self.options.show == "flow"
        if decision.kind == "motion":
            explained = lane.explain(position.source, float(position.t), window, color)
            picture = explained.flow_t0 if flow else explained.mask
        elif not flow:
            picture = torch.full((1, self.format.height, self.format.width), 0.5)
        image = show.flow_picture(picture) if flow else show.mask_picture(picture)
        return Made(decision.kind, decision.score, None, lane.render(image, color[0]))

    def _scene_graph(self, lane: Lane, position: Position, window: Window) -> Made:
        from . import show

        made = self._plain(lane, position, window)
        color = self._colors(window)[0]
        data = [plane.copy() for plane in self._planes(made, window, color).arrays]
        scores = []
        for shift in range(-_AROUND, _AROUND + 1):
            if window[shift] is not None and window[shift + 1] is not None:
                decision = self.decider.decide(position.source + shift, window, shift)
                scores.append((position.source + shift, decision.score, decision.kind))
        caption = f"{position.source}+{position.t} {made.kind}"
        threshold = self.decider.threshold
        show.draw_scene(data, self.format, color, scores, threshold, position.source, caption)
        planes = Planes(self.format, color, tuple(data))
        return Made(made.kind, made.score, None, Ready(planes))

    def _planes(self, made: Made, window: Window, color: ColorInfo) -> Planes:
        if made.ready is not None:
            return made.ready.wait()
        assert made.shown is not None, "a frame is either new or handed on"
        return self._view(window, made.shown, color)

    def _view(self, window: Window, offset: int, color: ColorInfo) -> Planes:
        frame = window[offset]
        assert frame is not None, "asked for frames that exist only"
        return host.view(frame, self.format, color)

    def _colors(self, window: Window) -> tuple[ColorInfo, ColorInfo]:
        first = window[0]
        assert first is not None, "the first frame of a pair always exists"
        second = window[1] or first
        return resolve(first.props, self.format), resolve(second.props, self.format)


def blend(planes0: Planes, planes1: Planes, t: float) -> Planes:
    """(1 - t) * planes0 + t * planes1, sample by sample on the host, integers rounded to nearest."""
    data: list[np.ndarray[Any, Any]] = []
    for a, b in zip(planes0.arrays, planes1.arrays, strict=True):
        mixed = np.float32(1 - t) * a.astype(np.float32) + np.float32(t) * b.astype(np.float32)
        data.append((np.rint(mixed) if planes0.format.sample == "int" else mixed).astype(a.dtype))
    return Planes(planes0.format, planes0.color, tuple(data))
