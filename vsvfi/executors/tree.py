"""Features and Motion taken apart into their tensors and the rest, and put together again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a tensor stood."""

    index: int


@dataclass(frozen=True, slots=True)
class Token:
    """Where a bare `object()` stood: such tell one thing from all others, so each rebuilding has new ones."""

    index: int


@dataclass(frozen=True, slots=True)
class Node:
    """A dataclass, tuple or list: what makes it again, and its parts by name (None: by position)."""

    kind: type
    names: tuple[str, ...] | None
    parts: tuple[Hashable, ...]


def take_apart(value: object) -> tuple[list[Tensor], Hashable]:
    """The tensors of a value, each once, and a skeleton without them.

    Two values with equal skeletons differ in their tensors alone. Knows dataclasses, tuples, lists and tensors; all
    else stands in the skeleton as it is.

    Raises:
        TypeError: something that is no tensor cannot be hashed, so that nobody could tell whether it changed.
    """
    tensors: list[Tensor] = []
    seen: dict[int, int] = {}
    tokens: dict[int, Token] = {}

    def walk(item: Any) -> Hashable:
        if isinstance(item, Tensor):
            if id(item) not in seen:
                seen[id(item)] = len(tensors)
                tensors.append(item)
            return Slot(seen[id(item)])
        if dataclasses.is_dataclass(item) and not isinstance(item, type):
            names = tuple(field.name for field in dataclasses.fields(item) if field.init)
            return Node(type(item), names, tuple(walk(getattr(item, name)) for name in names))
        if isinstance(item, (tuple, list)):
            return Node(type(item), None, tuple(map(walk, item)))
        if type(item) is object:
            return tokens.setdefault(id(item), Token(len(tokens)))
        hash(item)
        return item  # type: ignore[no-any-return]

    return tensors, walk(value)


def put_together(skeleton: Hashable, tensors: Sequence[Tensor]) -> Any:
    """A value of this skeleton with these tensors."""
    tokens: dict[Token, object] = {}

    def build(item: Any) -> Any:
        if isinstance(item, Slot):
            return tensors[item.index]
        if isinstance(item, Token):
            return tokens.setdefault(item, object())
        if not isinstance(item, Node):
            return item
        parts = list(map(build, item.parts))
        if item.names is not None:
            return item.kind(**dict(zip(item.names, parts, strict=True)))
        make: Callable[..., Any] = getattr(item.kind, "_make", item.kind)  # a NamedTuple wants them one by one
        return make(parts)

    return build(skeleton)
