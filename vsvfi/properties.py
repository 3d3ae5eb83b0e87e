"""Frame properties of the output: durations, times, and why a frame is as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import vapoursynth as vs

    from .decide import Window
    from .pipeline import Made
    from .timeline import Position, Timeline


@dataclass(frozen=True)
class Durations:
    """How long source frames last and when they begin.

    Attributes:
        fps: the source's constant rate; None where it varies.
        times: start times in seconds from timecodes, with the end of the last frame behind them; None without.
    """

    fps: Fraction | None
    times: Sequence[Fraction] | None = None

    def of(self, source: int, frame: vs.VideoFrame | None) -> Fraction | None:
        """Seconds source frame `source` lasts; None where nothing says."""
        if self.times is not None:
            return self.times[source + 1] - self.times[source]
        if self.fps is not None:
            return 1 / self.fps
        if frame is None or not frame.props.get("_DurationDen", 0) or "_DurationNum" not in frame.props:
            return None
        return Fraction(int(frame.props["_DurationNum"]), int(frame.props["_DurationDen"]))

    def start(self, source: int, frame: vs.VideoFrame) -> float | None:
        """Seconds at which source frame `source` begins; None where nothing says."""
        if self.times is not None:
            return float(self.times[source])
        if "_AbsoluteTime" in frame.props:
            return float(frame.props["_AbsoluteTime"])
        return None if self.fps is None else float(source / self.fps)


def write_properties(
    frame: vs.VideoFrame, n: int, made: Made, window: Window, timeline: Timeline, durations: Durations
) -> None:
    """Set what is new on output frame n; it carries the properties of the source frame it shows or follows.

    `_DurationNum`, `_DurationDen` and `_AbsoluteTime` are exact for the output. `VsvfiSource` and `VsvfiTimestep` say
    where the frame sits, `VsvfiScene` what was decided (source, motion, cut, still, tail), `VsvfiSceneScore` on what
    score. Scene-change marks of the source move to the frames between which the picture now changes.
    """
    position = timeline.at(n)
    props = frame.props
    props["VsvfiSource"] = position.source
    props["VsvfiTimestep"] = float(position.t)
    props["VsvfiScene"] = made.kind
    if made.score is not None:
        props["VsvfiSceneScore"] = made.score
    _time(frame, n, position, window, timeline, durations)
    if position.t and timeline.between:
        _scene_marks(frame, n, made, timeline)


def _time(
    frame: vs.VideoFrame, n: int, position: Position, window: Window, timeline: Timeline, durations: Durations
) -> None:
    i = position.source
    known = {i + k: durations.of(i + k, window[k]) for k in (0, 1) if i + k < timeline.num_source}
    length = known[i]
    if length is not None and None not in known.values():
        exact = timeline.duration(n, lambda j: known[j] or Fraction(0))
        frame.props["_DurationNum"], frame.props["_DurationDen"] = exact.numerator, exact.denominator
    if timeline.fps is not None:
        each = 1 / timeline.fps
        frame.props["_DurationNum"], frame.props["_DurationDen"] = each.numerator, each.denominator
    left = window[0]
    assert left is not None, "every output frame has a source frame"
    start = durations.start(i, left)
    if start is not None and length is not None:
        frame.props["_AbsoluteTime"] = start + (float(position.t * length) if timeline.between else 0.0)


def _scene_marks(frame: vs.VideoFrame, n: int, made: Made, timeline: Timeline) -> None:
    """An in-between belongs to the scene it shows: only the frames on the two sides of a cut may carry its marks."""
    last_of_gap = n + 1 >= timeline.num_frames or timeline.at(n + 1).source != timeline.at(n).source
    first_of_gap = n == 0 or timeline.at(n - 1).source != timeline.at(n).source or timeline.at(n - 1).t == 0
    if "_SceneChangeNext" in frame.props and not (made.shown == 0 and last_of_gap):
        frame.props["_SceneChangeNext"] = 0
    if "_SceneChangePrev" in frame.props and not (made.shown == 1 and first_of_gap):
        frame.props["_SceneChangePrev"] = 0
