"""A CUDA device of the tests' own: each stream does its work later, in an order no program may rely on.

Only what events order happens in order. The rest runs when somebody waits, streams taking turns at random, so that a
buffer that is used again too early shows in the bytes.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class SlowEvent:
    def __init__(self, stream: SlowStream) -> None:
        self.stream, self.position = stream, stream.queued

    def query(self) -> bool:
        return self.stream.done >= self.position

    def synchronize(self) -> None:
        self.stream.run_to(self.position)


class SlowStream:
    def __init__(self, device: SlowCuda) -> None:
        self.device = device
        self.work: deque[Callable[[], None] | SlowEvent] = deque()
        self.queued = self.done = 0
        self.waits = False

    def queue(self, work: Callable[[], None] | SlowEvent) -> None:
        self.work.append(work)
        self.queued += 1

    def wait_event(self, event: SlowEvent) -> None:
        self.queue(event)

    def run_to(self, position: int) -> None:
        while self.done < position:
            assert not self.waits, "streams wait for each other"
            self.device.disturb()
            first = self.work[0] if self.done < position else None
            if isinstance(first, SlowEvent):
                self.waits = True
                first.synchronize()
                self.waits = False
            if first is not None:
                self.step()

    def step(self) -> None:
        """The next piece of work, unless that is to wait for what has not happened."""
        if self.work and (not isinstance(self.work[0], SlowEvent) or self.work[0].query()):
            work = self.work.popleft()
            if not isinstance(work, SlowEvent):
                work()
            self.done += 1


class SlowCuda:
    """In the place of frames.cuda.Cuda."""

    def __init__(self, seed: int = 0) -> None:
        self.current: SlowStream | None = None
        self.allocations = 0
        self.streams: list[SlowStream] = []
        self.random = random.Random(seed)
        self.disturbing = False

    def stream(self) -> SlowStream:
        self.streams.append(SlowStream(self))
        return self.streams[-1]

    def disturb(self) -> None:
        """Any stream may get on at any time."""
        if self.disturbing:
            return
        self.disturbing = True
        for stream in self.random.sample(self.streams, len(self.streams)):
            for _ in range(self.random.choice((0, 2, 5, 50))):
                stream.step()
        self.disturbing = False

    def event(self, stream: SlowStream) -> SlowEvent:
        return SlowEvent(stream)

    @contextmanager
    def on(self, stream: SlowStream) -> Iterator[None]:
        before, self.current = self.current, stream
        yield
        self.current = before

    def pinned(self, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
        self.allocations += 1
        return torch.zeros(size, dtype=dtype)

    def memory(self, size: tuple[int, int], dtype: torch.dtype, writer: SlowStream, reader: SlowStream) -> Tensor:
        return self.pinned(size, dtype)

    def read_by(self, memory: Tensor, reader: SlowStream) -> None:
        pass

    def copy(self, target: Tensor, source: Tensor) -> None:
        assert self.current is not None, "a copy must be queued on a stream"
        self.current.queue(lambda: target.copy_(source))
