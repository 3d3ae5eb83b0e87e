"""What a plugin says of its models' published weights: which keys and shapes, and what their values tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

type Shapes = Mapping[str, tuple[int, ...]]
type Facts = Mapping[str, bool | int | float | str]

_SHOWN = 3
"""Keys that a message names of each kind of difference; the others are counted."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The published weights of one model, as its plugin answers `vsvfi_checkpoint`.

    Attributes:
        shapes: official keys, without wrapper or prefix, and the shape of each.
        facts: computes what values tell and shapes do not; it is written into the record of an installed file.
        promised: the facts that hold of the published file. They tell models apart that share their shapes.
        twins: pairs of keys under which the published file holds one tensor; a conversion may leave out either.
    """

    shapes: Shapes
    facts: Callable[[Mapping[str, Tensor]], Facts] | None = None
    promised: Facts = field(default_factory=dict)
    twins: tuple[tuple[str, str], ...] = ()

    def completed[T](self, found: Mapping[str, T]) -> dict[str, T]:
        """By key what a file holds (tensors, or their shapes), twins that it leaves out included."""
        whole = dict(found)
        for key, other in (*self.twins, *((b, a) for a, b in self.twins)):
            if other in whole:
                whole.setdefault(key, whole[other])
        return whole

    def facts_of(self, weights: Mapping[str, Tensor]) -> dict[str, bool | int | float | str]:
        """What these weights tell; they have the right keys and shapes."""
        return dict(self.facts(weights)) if self.facts else {}

    def keeps(self, facts: Facts) -> bool:
        """Whether these are the facts of the published file."""
        return all(facts.get(name) == value for name, value in self.promised.items())


def misfit(expected: Shapes, found: Shapes) -> str | None:
    """What differs between two sets of keys and shapes, in words; None: nothing does."""
    missing = [key for key in expected if key not in found]
    besides = [key for key in found if key not in expected]
    wrong = [
        f"{key} is {found[key]}, not {shape}" for key, shape in expected.items() if key in found and found[key] != shape
    ]
    parts = ((missing, "it lacks"), (besides, "it has besides"), (wrong, "of another shape:"))
    return "; ".join(f"{what} {_few(items)}" for items, what in parts if items) or None


def _few(items: Iterable[str]) -> str:
    items = list(items)
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more
