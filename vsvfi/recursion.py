"""Other timesteps from a model that makes the middle: halve, and halve again, on one fixed tree.

The frame at 3/8 is the middle of those at 1/4 and 1/2, whoever asks for it and in whichever order: so random access
and linear access give the same bytes. backends/ use it inside `synthesize`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from .cache import Cache, share_of

if TYPE_CHECKING:
    from torch import Tensor

    from .model import Features, Image, Motion

STEPS = 16
"""Places between two source frames: t is rounded to the nearest sixteenth, so a frame is at most 1/32 early or late."""


class Halves(Protocol):
    """What the tree needs of a model."""

    where: str

    def encode(self, image: Image) -> Features:
        """See Model."""
        ...

    def relate(self, features0: Features, features1: Features) -> Motion:
        """See Model."""
        ...


@dataclass(frozen=True, slots=True)
class Pair:
    """Two source frames as a root of the tree; a family's Motion holds one.

    Attributes:
        features0, features1: of the source frames.
        token: tells this pair's in-betweens from all others'.
    """

    features0: Features
    features1: Features
    token: object = field(default_factory=object)


class Recursion:
    """In-betweens of pairs, each made once while there is room: images and features, bounded in bytes.

    One belongs to a model and is shared by its configured copies. The bound is a sixteenth of the device's memory.

    Args:
        where: the device's name, as `Model.where`.
    """

    def __init__(self, where: str) -> None:
        self._kept = Cache(share_of(where))

    def image(self, model: Halves, pair: Pair, motion: Motion, middle: Callable[[Any], Tensor], t: float) -> Tensor:
        """The frame at the place nearest to t.

        Args:
            model: encodes in-betweens and relates them.
            pair: of the source frames.
            motion: what `relate` knows of them.
            middle: the frame at t = 1/2 of a Motion.
            t: 0 < t < 1.

        Returns:
            New memory, of the shape that `middle` gives.
        """
        tree = _Tree(self._kept, model, pair, motion, middle)
        return tree.image(nearest(t)).clone()


def nearest(t: float) -> int:
    """The place nearest to t, 1 to STEPS - 1: the ends are source frames."""
    return min(max(int(t * STEPS + 0.5), 1), STEPS - 1)


@dataclass(frozen=True, slots=True)
class _Tree:
    kept: Cache
    model: Halves
    pair: Pair
    motion: Motion
    middle: Callable[[Any], Tensor]

    def image(self, place: int) -> Tensor:
        found: Tensor = self.kept.get_or_compute((self.pair.token, place, "image"), lambda: self._made(place))
        return found

    def features(self, place: int) -> Features:
        if place in (0, STEPS):
            return self.pair.features1 if place else self.pair.features0
        key = self.pair.token, place, "features"
        return self.kept.get_or_compute(key, lambda: self.model.encode(self.image(place)))

    def _made(self, place: int) -> Tensor:
        half = place & -place  # from here to both parents
        if half == STEPS // 2:
            return self.middle(self.motion)
        return self.middle(self.model.relate(self.features(place - half), self.features(place + half)))
