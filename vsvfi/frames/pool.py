"""Buffers that are used again and again: none is allocated for a frame once as many exist as are in use at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

type Buffers = tuple[Tensor, ...]


class Event(Protocol):
    """Of torch.cuda.Event what is used here."""

    def query(self) -> bool:
        """Whether it has happened."""

    def synchronize(self) -> None:
        """Wait for it."""


class Pool:
    """Buffers of one shape; those that came back first are given out first. Any thread may call.

    Args:
        make: makes the buffers of one frame.
        depth: so many are made at once; more only where a taker finds none left.

    Attributes:
        made: frames' worth of buffers made so far.
    """

    def __init__(self, make: Callable[[], Buffers], depth: int) -> None:
        self._make = make
        # Re-entrant: the garbage collector may give buffers back in the middle of a `take`.
        self._lock = threading.RLock()
        self._free: deque[tuple[Buffers, Event | None]] = deque((make(), None) for _ in range(depth))
        self.made = depth

    def take(self) -> tuple[Buffers, Event | None]:
        """Buffers, and the event after which a stream may use them; None: at once.

        Only where all are in use, new ones are made: a client may leave results uncollected.
        """
        with self._lock:
            if self._free:
                return self._free.popleft()
            self.made += 1
        return self._make(), None

    def take_done(self) -> Buffers:
        """Buffers the host itself may use now; waits for those that come back next if none is free yet."""
        buffers, busy_until = self.take()
        if busy_until is not None and not busy_until.query():
            busy_until.synchronize()
        return buffers

    def give(self, buffers: Buffers, busy_until: Event | None) -> None:
        """Take buffers back; they may be used again after the event."""
        with self._lock:
            self._free.append((buffers, busy_until))
