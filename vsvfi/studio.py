"""Frames that the model makes every one of: transitions, translations, styles. transition.py builds them.

Each output frame has two source frames, or one twice, and a t of its own, which need not be a time. The nodes, queues
and devices are those of interpolation: pipeline.py and lane.py.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from .errors import FrameError
from .frames.transfer import Ready
from .lane import Lane, Pair
from .pipeline import Made, Pipeline
from .timeline import Position, Timeline

if TYPE_CHECKING:
    from .decide import Window
    from .frames.planes import ColorInfo, PlaneFormat, Planes
    from .model import Features, Image, Model, Motion
    from .options import Options

_REMEMBERED = 4096
"""Amounts kept: a user's function is asked once for a frame, though several nodes need its answer."""


class Fade(Timeline):
    """A transition: all frames lie between source frames 0 and 1.

    Args:
        ts: of each output frame, strictly between 0 and 1.
        fps: of the clips; None where it varies.
    """

    def __init__(self, ts: list[Fraction], fps: Fraction | None) -> None:
        self.ts = ts
        self.num_source = 2
        self.num_frames = len(ts)
        self.fps = fps

    def at(self, n: int) -> Position:
        """See Timeline."""
        return Position(0, self.ts[n])

    def duration(self, n: int, source_duration: Callable[[int], Fraction]) -> Fraction:
        """As long as the frame before."""
        return source_duration(0)


class Amounts(Timeline):
    """Every source frame becomes one output frame, by some amount.

    Args:
        num_frames: of the clip.
        fps: of the clip; None where it varies.
        amount: of frame n.
        admits: whether the model takes it.
        wanted: what it takes, for errors.
    """

    between = False

    def __init__(
        self,
        num_frames: int,
        fps: Fraction | None,
        amount: Callable[[int], object],
        admits: Callable[[float], bool],
        wanted: str,
    ) -> None:
        self.num_frames = num_frames
        self.num_source = num_frames + 1  # the other frame of the last one exists too
        self.fps = fps
        self._amount, self._admits, self._wanted = amount, admits, wanted
        self._known = lru_cache(_REMEMBERED)(self._asked)

    def at(self, n: int) -> Position:
        """See Timeline.

        Raises:
            FrameError: the user's function failed, or gave what the model does not take.
        """
        return Position(n, self._known(n))

    def duration(self, n: int, source_duration: Callable[[int], Fraction]) -> Fraction:
        """As long as the source frame."""
        return source_duration(n)

    def _asked(self, n: int) -> Fraction:
        try:
            value = self._amount(n)
        except Exception as error:
            raise FrameError(f"frame {n}: amount({n}) failed: {type(error).__name__}: {error}") from error
        if isinstance(value, bool) or not isinstance(value, (int, float, Fraction)) or not self._admits(float(value)):
            raise FrameError(f"frame {n}: amount must be {self._wanted}, got {value!r}")
        return Fraction(value)


class Studio(Lane):
    """A device's part of a filter of this kind.

    Args:
        model: of any task that makes images.
        format: of the clip.
        options: of the filter.
        workers: see Lane.
        side: of the squares the model is given; None: frames as they are.
        moving: whether the second source frame is another for every output frame.
    """

    def __init__(
        self, model: Model, format: PlaneFormat, options: Options, workers: int, side: int | None, moving: bool
    ) -> None:
        super().__init__(model, format, options, workers)
        self.side = side
        self.moving = moving

    def _relate(self, source: int, window: Window, color: tuple[ColorInfo, ColorInfo]) -> Pair:
        first = self._side_features(("first", source), window, 0, color[0])
        if self.model.spec.inputs == 1:
            return Pair(self.model.relate(first, first))
        key = "second", source if self.moving else 0
        return Pair(self.model.relate(first, self._side_features(key, window, 1, color[1])))

    def _side_features(self, key: tuple[str, int], window: Window, offset: int, color: ColorInfo) -> Features:
        return self.features.get_or_compute(key, lambda: self.model.encode(self._image(window, offset, color)))

    def _image(self, window: Window, offset: int, color: ColorInfo) -> Image:
        if self.side is None:
            return super()._image(window, offset, color)  # type: ignore[return-value]
        from . import fitting
        from .padding import Padding

        picture = self._picture(window, offset, color, Padding())
        return fitting.resized(picture, self.side, self.side)  # type: ignore[arg-type]

    def _synthesized(self, motion: Motion, t: float) -> Image | Planes:
        made = super()._synthesized(motion, t)
        if self.side is None:
            return made
        from . import fitting

        return fitting.restored(made, self.format.height, self.format.width)  # type: ignore[arg-type]


class StudioPipeline(Pipeline):
    """See the module.

    Args:
        name: of the filter.
        lanes: a device each.
        timeline: of the output.
        format: of the clip.
        options: of the filter.
    """

    def __init__(
        self, name: str, lanes: list[Studio], timeline: Timeline, format: PlaneFormat, options: Options
    ) -> None:
        super().__init__(lanes, timeline, format, options)
        self.name = name

    @property
    def offsets(self) -> range:
        """The two frames of a pair."""
        return range(2)

    def _has_work(self, position: Position) -> bool:
        return True

    def _plain(self, lane: Lane, position: Position, window: Window) -> Made:
        ready: Ready = lane.between(position.source, float(position.t), window, self._colors(window))
        return Made("motion", None, None, ready)
