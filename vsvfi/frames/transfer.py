"""Between the frame server's memory and where a model computes: up once per source frame, down once per result.

One interface (`Transfer`); here its first implementation, for models that compute in host memory: nothing moves.
cuda.py is the one for CUDA devices. What GPU-resident frames of the core would take is in docs/gpu-frames.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from .planes import Planes

if TYPE_CHECKING:
    from .pool import Buffers, Event


class Ready:
    """A result on the host, perhaps still on its way.

    Args:
        planes: on the host; valid once `wait` returned.
        event: marks the end of the copy; None where there is none.
        release: called when the planes are no longer needed.
    """

    def __init__(self, planes: Planes, event: Event | None = None, release: Callable[[], None] | None = None) -> None:
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


class Transfer(ABC):
    """How planes reach a model and how results come back. Used by a lane's workers, in the order of their jobs.

    Attributes:
        ahead: so many frames in work at a time keep the device busy.
    """

    ahead = 2

    @abstractmethod
    def computing(self) -> AbstractContextManager[Any]:
        """Around all device work of one job."""

    @abstractmethod
    def upload(self, planes: Planes) -> Planes:
        """A source frame's planes where the model computes; what is queued next may read them. Does not wait."""

    @abstractmethod
    def result(self) -> Buffers | None:
        """Memory for the planes of a result, to be handed to `download`; None: the result brings its own."""

    @abstractmethod
    def download(self, planes: Planes, *, pooled: bool = False) -> Ready:
        """Send a result to the host, after all that was queued so far. Does not wait.

        Args:
            planes: where the model computes.
            pooled: whether their memory is from `result`, and goes back there.
        """


class HostTransfer(Transfer):
    """The CPU: views go in, results come out, as they are.

    Args:
        tensors: False where the model computes on arrays, and torch may never be needed.
    """

    def __init__(self, *, tensors: bool) -> None:
        self._tensors = tensors

    def computing(self) -> AbstractContextManager[Any]:
        """Without gradients."""
        if not self._tensors:
            return nullcontext()
        import torch

        return torch.inference_mode()

    def upload(self, planes: Planes) -> Planes:
        """`planes` itself."""
        return planes

    def result(self) -> None:
        """None: a result is handed on where it was made."""

    def download(self, planes: Planes, *, pooled: bool = False) -> Ready:
        """`planes` itself."""
        return Ready(planes)
