"""Planes to a CUDA device and back: pinned buffers, three streams, events; nothing ever waits for the whole device.

Uploads, computing and downloads each have a stream, so that they overlap. A buffer is used again in the order of the
streams: the one that writes next waits, on the device, for the event after the last that read it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .planes import PlaneFormat, Planes
from .pool import Pool
from .transfer import Ready, Transfer

if TYPE_CHECKING:
    from torch import Tensor

    from .pool import Buffers


class Cuda:
    """What a transfer asks of torch.cuda, in one place: tests put a device of their own here.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def stream(self) -> Any:
        """A new stream."""
        return torch.cuda.Stream(self.device)

    def event(self, stream: Any) -> Any:
        """An event that happens when all given to `stream` so far is done."""
        # A host thread that waits sleeps: an encoder has use for the core that spinning would take.
        event = torch.cuda.Event(blocking=True)
        event.record(stream)
        return event

    def on(self, stream: Any) -> AbstractContextManager[Any]:
        """What is queued within is queued on `stream`."""
        return torch.cuda.stream(stream)

    def pinned(self, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
        """Page-locked host memory; to lock it takes milliseconds."""
        return torch.empty(size, dtype=dtype, pin_memory=True)

    def memory(self, size: tuple[int, int], dtype: torch.dtype, writer: Any, reader: Any) -> Tensor:
        """Device memory that one stream writes and another reads.

        torch's allocator may take what was used and freed a moment ago on the stream it allocates for, which is safe
        on that stream only: so it is the writer's, and is told of the reader for when it is freed.
        """
        with torch.cuda.stream(writer):
            memory = torch.empty(size, dtype=dtype, device=self.device)
        memory.record_stream(reader)
        return memory

    def read_by(self, memory: Tensor, reader: Any) -> None:
        """Tell torch's allocator, before `memory` is let go of, of another stream that reads it."""
        memory.record_stream(reader)

    def copy(self, target: Tensor, source: Tensor) -> None:
        """Queue a copy between pinned and device memory on the current stream."""
        target.copy_(source, non_blocking=True)


class CudaTransfer(Transfer):
    """One clip's way to one CUDA device.

    Used by one thread at a time (the lane's worker); only `Ready.wait` and `Ready.release` run elsewhere, and planes
    may be let go of anywhere.

    Args:
        cuda: the device.
        format: of the clip; all buffers are of its size.
    """

    # With two, a device that takes 2 ms a frame idles a quarter of the time, until Python brings the next.
    ahead = 4

    def __init__(self, cuda: Cuda, format: PlaneFormat) -> None:
        self._cuda = cuda
        self._copy_in, self._compute, self._copy_out = (cuda.stream() for _ in range(3))
        sizes = [(format.plane_size(p), format.dtype) for p in range(format.num_planes)]

        def pool(make: Callable[..., Tensor], *streams: Any) -> Pool:
            @torch.inference_mode(False)  # what is made within it cannot be written to outside
            def frame() -> Buffers:
                return tuple(make(*size, *streams) for size in sizes)

            return Pool(frame, self.ahead)

        self._staged_up, self._staged_down = pool(cuda.pinned), pool(cuda.pinned)
        self._sources = pool(cuda.memory, self._copy_in, self._compute)
        self._results = pool(cuda.memory, self._compute, self._copy_out)

    @property
    def allocated(self) -> int:
        """Frames' worth of buffers made so far, of all kinds: constant once a clip is under way."""
        return sum(pool.made for pool in (self._staged_up, self._staged_down, self._sources, self._results))

    def computing(self) -> AbstractContextManager[Any]:
        """Makes the compute stream current."""
        both = ExitStack()
        both.enter_context(torch.inference_mode())
        both.enter_context(self._cuda.on(self._compute))
        return both

    def upload(self, planes: Planes) -> Planes:
        """Start the copy; the compute stream will wait for it, this thread does not. See Transfer."""
        staged = self._staged_up.take_done()
        for buffer, samples in zip(staged, planes.arrays, strict=True):
            np.copyto(buffer.numpy(), samples)  # torch would wake a team of threads for it
        data, read_until = self._sources.take()
        if read_until is not None:
            self._copy_in.wait_event(read_until)
        with self._cuda.on(self._copy_in):
            for into, plane in zip(data, staged, strict=True):
                self._cuda.copy(into, plane)
        arrived = self._cuda.event(self._copy_in)
        self._staged_up.give(staged, arrived)
        self._compute.wait_event(arrived)
        uploaded = Planes(planes.format, planes.color, data)
        # Whoever holds the planes may still queue work that reads them; all of it is queued when nobody does.
        weakref.finalize(uploaded, self._let_go, data).atexit = False
        return uploaded

    def result(self) -> Buffers:
        """Device memory from the pool; the compute stream will wait until its last result is on the host."""
        data, copied = self._results.take()
        if copied is not None:
            self._compute.wait_event(copied)
        return data

    def download(self, planes: Planes, *, pooled: bool = False) -> Ready:
        """Start the copy to pinned memory. See Transfer."""
        staged, _ = self._staged_down.take()  # written by one stream alone, so in order
        self._copy_out.wait_event(self._cuda.event(self._compute))
        with self._cuda.on(self._copy_out):
            for into, plane in zip(staged, planes.data, strict=True):
                self._cuda.copy(into, plane)
        done = self._cuda.event(self._copy_out)
        if pooled:
            self._results.give(planes.data, done)
        else:
            for plane in planes.data:
                self._cuda.read_by(plane, self._copy_out)
            # They may be a source's own, which is used again in the order of the compute stream.
            self._compute.wait_event(done)
        host = Planes(planes.format, planes.color, staged)
        return Ready(host, done, lambda: self._staged_down.give(staged, done))

    def _let_go(self, data: Buffers) -> None:
        self._sources.give(data, self._cuda.event(self._compute))
