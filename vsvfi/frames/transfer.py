"""Between the frame server's memory and a device's: up once per source frame, down once per result.

On the CPU both are the same memory and nothing moves. On CUDA planes go through pinned buffers on copy streams of
their own, ordered by events, so that uploads, computing and downloads overlap; nothing synchronises the device.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

from .planes import PlaneFormat, Planes

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..model import Model


class Ready:
    """A result on the host, perhaps still on its way.

    Args:
        planes: on the host; valid once `wait` returned.
        event: marks the end of the copy; None where there is none.
        release: called when the planes are no longer needed.
    """

    def __init__(
        self, planes: Planes, event: torch.cuda.Event | None = None, release: Callable[[], None] | None = None
    ) -> None:
        self._planes = planes
        self._event = event
        self._release = release

    def wait(self) -> Planes:
        """Block until the planes are here."""
        if self._event is not None:
            self._event.synchronize()
        return self._planes

    def release(self) -> None:
        """Give the buffer back; the planes must not be read any more."""
        if self._release is not None:
            self._release()
            self._release = None

    def __del__(self) -> None:
        # A result that nobody collected (a request was dropped) must not keep its buffer for ever.
        self.release()


class HostTransfer:
    """The CPU: views go in, results come out, as they are.

    Args:
        tensors: False where the model computes on arrays, and torch may never be needed.
    """

    def __init__(self, *, tensors: bool) -> None:
        self._tensors = tensors

    def computing(self) -> AbstractContextManager[Any]:
        """Around all device work of one job."""
        if not self._tensors:
            return nullcontext()
        import torch

        return torch.inference_mode()

    def upload(self, planes: Planes) -> Planes:
        """`planes` itself."""
        return planes

    def download(self, planes: Planes) -> Ready:
        """`planes` itself."""
        return Ready(planes)


class CudaTransfer:
    """One CUDA device with its three streams and its pinned buffers.

    Used by one thread at a time (the lane's worker); only `Ready.wait` and `Ready.release` run elsewhere.
    """

    def __init__(self, device: torch.device) -> None:
        import torch

        self._torch = torch
        self.device = device
        self.copy_in = torch.cuda.Stream(device)
        self.compute = torch.cuda.Stream(device)
        self.copy_out = torch.cuda.Stream(device)
        self._ups = PinnedRing()
        self._downs = PinnedRing()

    def computing(self) -> AbstractContextManager[Any]:
        """Makes the compute stream current."""
        both = ExitStack()
        both.enter_context(self._torch.inference_mode())
        both.enter_context(self._torch.cuda.stream(self.compute))
        return both

    def upload(self, planes: Planes) -> Planes:
        """Start the copy to the device; the compute stream will wait for it, this thread does not."""
        staged = self._ups.take(planes.format)
        for target, source in zip(staged, planes.data, strict=True):
            target.copy_(source)
        with self._torch.cuda.stream(self.copy_in):
            data = tuple(plane.to(self.device, non_blocking=True) for plane in staged)
            done = self._torch.cuda.Event()
            done.record()
        self._ups.give(planes.format, staged, done)
        self.compute.wait_event(done)
        for plane in data:
            plane.record_stream(self.compute)  # allocated on copy_in's pool, read on compute
        return Planes(planes.format, planes.color, data)

    def download(self, planes: Planes) -> Ready:
        """Start the copy to pinned memory, after what the compute stream has been given so far."""
        staged = self._downs.take(planes.format)
        self.copy_out.wait_stream(self.compute)
        with self._torch.cuda.stream(self.copy_out):
            for target, source in zip(staged, planes.data, strict=True):
                target.copy_(source, non_blocking=True)
                source.record_stream(self.copy_out)
            done = self._torch.cuda.Event()
            done.record()
        host = Planes(planes.format, planes.color, staged)
        return Ready(host, done, lambda: self._downs.give(planes.format, staged, done))


class PinnedRing:
    """Page-locked buffers by format, reused once the copy that used them is over.

    Pinning memory costs milliseconds, so buffers are kept; there are as many as were ever in flight at once.
    """

    def __init__(self) -> None:
        self._free: dict[PlaneFormat, deque[tuple[tuple[Tensor, ...], torch.cuda.Event]]] = {}

    def take(self, format: PlaneFormat) -> tuple[Tensor, ...]:
        """Buffers for one frame: the oldest free ones if their copy is over, else new ones."""
        import torch

        free = self._free.setdefault(format, deque())
        if free and free[0][1].query():
            return free.popleft()[0]
        return tuple(
            torch.empty(format.plane_size(p), dtype=format.dtype, pin_memory=True) for p in range(format.num_planes)
        )

    def give(self, format: PlaneFormat, buffers: tuple[Tensor, ...], done: torch.cuda.Event) -> None:
        """Take buffers back; they are free once `done` has happened (deque.append is atomic: any thread may call)."""
        self._free[format].append((buffers, done))


type Transfer = HostTransfer | CudaTransfer


def transfer_for(model: Model) -> Transfer:
    """The transfer that suits where and on what a model computes."""
    if model.where.startswith("cuda"):
        return CudaTransfer(model.device)
    return HostTransfer(tensors=model.spec.layout == "rgb")
