"""The nodes: neighbours remapped to the output's rate, submit, collect. The only caller of std.ModifyFrame.

submit enqueues a frame's work and hands its left source frame on; collect waits for the result and writes it into a
new frame. Two nodes, because the core runs one call at a time per ModifyFrame: while collect waits for frame n,
submit has queued n + 1. A node that waits also keeps the core from beginning with its next frame, so several collect
nodes take turns; and source frames, which need no waiting, have nodes of their own: behind one that waits they would
take up the client's few requests. With one node for all, half of a machine idled at factor 2.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import vapoursynth as vs

from .errors import FrameError, VsvfiError
from .frames import host
from .properties import Durations, write_properties
from .timeline import MAX_FRAMES, Timeline, Uniform

if TYPE_CHECKING:
    import numpy as np

    from .pipeline import Made, Pipeline

log = logging.getLogger("vsvfi")

_MOST_TURNS = 16
"""Collect nodes that take turns, at most; and how often source frames must come to have nodes of their own."""

_MOST_COPIES = 2048
"""Interleave with more copies than this costs more to build and to walk than asking for each frame by number."""


def build(clip: vs.VideoNode, pipeline: Pipeline, durations: Durations) -> vs.VideoNode:
    """The output clip.

    Args:
        clip: the source, of constant format and size.
        pipeline: its engine.
        durations: how long source frames last.
    """
    return assemble(
        [remap(shifted(clip, offset), pipeline.timeline) for offset in pipeline.offsets], pipeline, durations
    )


def assemble(window: list[vs.VideoNode], pipeline: Pipeline, durations: Durations) -> vs.VideoNode:
    """The output clip.

    Args:
        window: for each of the pipeline's offsets a clip whose frame n is the source frame that output frame n needs.
        pipeline: its engine.
        durations: how long source frames last.
    """
    timeline = pipeline.timeline
    left = window[pipeline.offsets.index(0)]
    submit = left.std.ModifyFrame(window, _Submit(pipeline))
    fps = timeline.fps or Fraction(0)  # 0/1 is how a clip says that its rate varies
    template = left.std.BlankClip(fpsnum=fps.numerator, fpsden=fps.denominator, keep=True)
    collect, source = _Collect(pipeline, durations), _Collect(pipeline, durations, waits=False)
    every, cycle = _cycle(pipeline)
    parts = [
        template.std.ModifyFrame([left, *window], source)
        if every and k % every == 0
        else template.std.ModifyFrame([submit, *window], collect)
        for k in range(cycle)
    ]
    if cycle == 1:
        return parts[0]
    turns = [part.std.SelectEvery(cycle, k, modify_duration=False) for k, part in enumerate(parts)]
    return vs.core.std.Interleave(turns, modify_duration=False)


def _cycle(pipeline: Pipeline) -> tuple[int, int]:
    """(after how many output frames a source frame comes again, 0 if never or rarely; nodes that take turns)."""
    timeline, wanted = pipeline.timeline, min(pipeline.concurrency, _MOST_TURNS)
    every = 0
    if isinstance(timeline, Uniform) and timeline.factor.numerator <= _MOST_TURNS and pipeline.options.show is None:
        every = timeline.factor.numerator
    if every == 1:
        return 1, 1  # nothing but source frames
    cycle = every * -(-wanted // (every - 1)) if every else wanted
    # The core refuses to interleave clips of so many frames.
    return (every, cycle) if cycle <= timeline.num_frames <= MAX_FRAMES - cycle else (0, 1)


def remap(clip: vs.VideoNode, timeline: Timeline) -> vs.VideoNode:
    """Output frame n shows the source frame at its position, by native nodes where they fit, so that they prefetch."""
    if isinstance(timeline, Uniform):
        copies, step = timeline.factor.numerator, timeline.factor.denominator
        if copies <= _MOST_COPIES and clip.num_frames * copies <= MAX_FRAMES:
            many = vs.core.std.Interleave([clip] * copies, modify_duration=False) if copies > 1 else clip
            kept = many.std.SelectEvery(step, 0, modify_duration=False) if step > 1 else many
            return kept.std.Trim(length=timeline.num_frames)
    return _by_number(clip, timeline)


def _by_number(clip: vs.VideoNode, timeline: Timeline) -> vs.VideoNode:
    """The same where the native nodes do not fit: clips of 2**31 - 1 frames, odd ratios, timecodes."""

    def pick(n: int, *, clip: vs.VideoNode = clip) -> vs.VideoNode:
        # FrameEval asks the node it is given for frame n; a loop of one frame has every n.
        return clip.std.Trim(first=timeline.at(n).source, length=1).std.Loop(0)

    template = clip.std.BlankClip(length=timeline.num_frames, keep=True)
    return template.std.FrameEval(pick, clip_src=clip)


def shifted(clip: vs.VideoNode, offset: int) -> vs.VideoNode:
    """Frame i of the result is frame i + offset of the clip; beyond its ends, the end's frame."""
    last = clip.num_frames - 1
    if offset == 0 or last == 0:
        return clip
    size = min(abs(offset), last)
    if offset > 0:
        return clip.std.Trim(first=size) + clip.std.Trim(first=last).std.Loop(size)
    return clip.std.Trim(length=1).std.Loop(size) + clip.std.Trim(last=last - size)


def still(planes: Sequence[np.ndarray[Any, Any]], format: int) -> vs.VideoNode:
    """A clip of one frame.

    Args:
        planes: (height, width) each, of the format's type; all of one size.
        format: a preset without subsampling.
    """
    height, width = planes[0].shape
    blank = vs.core.std.BlankClip(format=format, width=width, height=height, length=1)
    frame = vs.core.create_video_frame(blank.format, width, height)
    host.write(frame, planes)
    return blank.std.ModifyFrame(blank, lambda n, f: frame)


class _Node:
    """What both callbacks share: their frames by offset, and errors that name the filter."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def window(self, n: int, frames: Sequence[vs.VideoFrame]) -> dict[int, vs.VideoFrame | None]:
        source, last = self.pipeline.timeline.at(n).source, self.pipeline.timeline.num_source - 1
        offsets = self.pipeline.offsets
        return {k: f if 0 <= source + k <= last else None for k, f in zip(offsets, frames, strict=True)}

    def check(self, n: int, window: dict[int, vs.VideoFrame | None]) -> None:
        source = self.pipeline.timeline.at(n).source
        for k in (0, 1):
            frame = window[k]
            if frame is not None and frame.props.get("_FieldBased", 0):
                field = frame.props["_FieldBased"]
                raise FrameError(f"frame {source + k} is interlaced (_FieldBased={field}); deinterlace first")

    def guarded[T](self, n: int, call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as error:
            where, name = "", self.pipeline.name
            if not isinstance(error, FrameError):
                lane = self.pipeline.lane(self.pipeline.timeline.at(n))
                where = f"frame {n} ({lane.model.spec.name}, {lane.device}): "
            what = str(error) or type(error).__name__
            if not isinstance(error, VsvfiError):
                log.error("%s: %s%s", name, where, what, exc_info=error)
            # Not `from error`: the core cuts a filter's message at 4096 bytes, and a chain of tracebacks comes first.
            raise vs.Error(f"{name}: {where}{what}") from None


class _Submit(_Node):
    """Queues the work of output frame n; the frame it returns is only a token."""

    def __call__(self, n: int, f: vs.VideoFrame | list[vs.VideoFrame]) -> vs.VideoFrame:
        frames = f if isinstance(f, list) else [f]
        self.guarded(n, lambda: self._submit(n, frames))
        return frames[0]

    def _submit(self, n: int, frames: Sequence[vs.VideoFrame]) -> None:
        window = self.window(n, frames)
        self.check(n, window)
        self.pipeline.submit(n, window)


class _Collect(_Node):
    """Waits for output frame n and makes a frame of it.

    Args:
        pipeline: to collect from.
        durations: how long source frames last.
        waits: False for frames that are source frames: no submit came before, so the frames are checked here.
    """

    def __init__(self, pipeline: Pipeline, durations: Durations, *, waits: bool = True) -> None:
        super().__init__(pipeline)
        self.durations = durations
        self.waits = waits

    def __call__(self, n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        return self.guarded(n, lambda: self._collect(n, self.window(n, f[1:])))

    def _collect(self, n: int, window: dict[int, vs.VideoFrame | None]) -> vs.VideoFrame:
        if not self.waits:
            self.check(n, window)
        made = self.pipeline.collect(n, window)
        frame = self._frame(made, window)
        write_properties(frame, n, made, window, self.pipeline.timeline, self.durations)
        return frame

    def _frame(self, made: Made, window: dict[int, vs.VideoFrame | None]) -> vs.VideoFrame:
        left = window[0]
        assert left is not None, "every output frame has a source frame"
        if made.ready is None:
            assert made.shown is not None, "a frame is either new or handed on"
            # copy() shares the planes: only the properties become the copy's own.
            return (window[made.shown] or left).copy()
        frame = vs.core.create_video_frame(left.format, left.width, left.height)
        host.write(frame, made.ready.wait().arrays)
        made.ready.release()
        for key, value in left.props.items():
            frame.props[key] = value
        return frame


def rate(clip: vs.VideoNode) -> Fraction | None:
    """The clip's frame rate; None where it varies."""
    return None if clip.fps_num == 0 else Fraction(clip.fps_num, clip.fps_den)
