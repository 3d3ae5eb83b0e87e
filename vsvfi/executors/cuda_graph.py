"""CUDA graphs: the launches of a stage recorded once for a shape, then replayed in one call.

A graph reads and writes fixed memory. So what goes in is copied there, t too, and what comes out is copied away before
the next replay overwrites it: Features and Motion are kept in caches long after.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..model import Model
from .recordable import Watch
from .staged import Staged
from .tree import put_together, take_apart

log = logging.getLogger("vsvfi")

_MOST = 64
"""Graphs of one model: enough for a clip's stages, and for the timesteps of any usual rate where a model wants numbers.
What is beyond runs eagerly."""

_recording = threading.Lock()
"""Of the process: recording begins by waiting for the device, which would break another thread's recording off."""

type Run = Callable[[], list[Tensor]]


class Recorder:
    """Records what is launched on the current stream.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._memory: Any = None
        self._stream: Any = None

    def forget(self) -> None:
        """No graph is left: the next has memory of its own."""
        self._memory = None

    def record(self, run: Run) -> tuple[Callable[[], None], list[Tensor]]:
        """What replays `run`, and the tensors each replay writes. `run` itself is called a few times.

        Raises:
            RuntimeError: something in `run` cannot be recorded: the host must know a result, or host memory is read.
        """
        # Shared by all graphs of one model: they run one after the other, and what one hands on is copied away.
        self._memory = self._memory or torch.cuda.graph_pool_handle()
        # A stream of its own, always the same: what other threads do to the lane's stream meanwhile (buffers that come
        # back are marked with events) must not end up in the graph.
        stream = self._stream = self._stream or torch.cuda.Stream(self._device)
        graph, current = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self._device)
        with _recording:
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                run()  # kernels are compiled, libraries choose algorithms, tables are made
                with Watch(self._device):
                    run()
            # thread_local: other lanes go on launching and waiting meanwhile.
            with torch.cuda.graph(graph, pool=self._memory, stream=stream, capture_error_mode="thread_local"):
                made = run()
            current.wait_stream(stream)
        return graph.replay, made


@dataclass(frozen=True, slots=True)
class Recorded:
    """A graph with its memory.

    Attributes:
        inputs: what it reads.
        replay: runs it.
        outputs: what it writes.
        skeleton: of the stage's answer.
    """

    inputs: list[Tensor]
    replay: Callable[[], None]
    outputs: list[Tensor]
    skeleton: Hashable


class Graphed(Staged):
    """A model whose stages are replayed. Each filter instance has its own: two streams never share a graph's memory.

    Args:
        inner: on a CUDA device.
        recorder: records and replays.
    """

    def __init__(self, inner: Model, recorder: Recorder) -> None:
        super().__init__(inner)
        self._recorder = recorder
        self._graphs: dict[tuple[tuple[str, Hashable, Hashable], float | None], Recorded | None] = {}
        self._inputs: dict[Hashable, list[Tensor]] = {}  # graphs for several t read the same
        self._one = threading.Lock()  # a graph's memory is one caller's at a time

    def around(self, inner: Model) -> Graphed:
        """See Staged."""
        return type(self)(inner, self._recorder)

    @property
    def refused(self) -> set[str]:
        """Stages that could not be recorded, for some input at least."""
        return {inputs[0] for (inputs, _), graph in self._graphs.items() if graph is None}

    def forget(self) -> None:
        """Give the graphs' memory back."""
        with self._one:
            self._graphs.clear()
            self._inputs.clear()
            self._recorder.forget()
        self.inner.forget()

    def run(self, stage: Callable[..., Any], arguments: tuple[Any, ...], t: float | None = None) -> Any:
        """See Staged."""
        try:
            tensors, skeleton = take_apart(arguments)
        except TypeError as error:
            log.warning("%s.%s runs eagerly: %s", self.spec.name, stage.__name__, error)
            return stage(*arguments) if t is None else stage(*arguments, t)
        shapes = tuple((tensor.shape, tensor.stride(), tensor.dtype) for tensor in tensors)
        inputs = stage.__name__, skeleton, shapes
        key = inputs, t
        with self._one:
            if key not in self._graphs and len(self._graphs) < _MOST:
                if inputs not in self._inputs:
                    self._inputs[inputs] = [tensor.clone() for tensor in tensors]
                self._graphs[key] = self._recorded(stage, self._inputs[inputs], skeleton, t)
                if self._graphs[key] is None:
                    del self._inputs[inputs]
            graph = self._graphs.get(key)
            if graph is None:
                return stage(*arguments) if t is None else stage(*arguments, t)
            for fixed, tensor in zip(graph.inputs, tensors, strict=True):
                fixed.copy_(tensor)
            graph.replay()
            given = dict(zip(map(id, graph.inputs), tensors, strict=True))
            # What a stage only hands on comes back as it went in, and takes no second place in the caches.
            made = [given[id(output)] if id(output) in given else output.clone() for output in graph.outputs]
        return put_together(graph.skeleton, made)

    def _recorded(
        self, stage: Callable[..., Any], fixed: list[Tensor], skeleton: Hashable, t: float | None
    ) -> Recorded | None:
        arguments = put_together(skeleton, fixed)
        answer: list[Hashable] = []

        def run() -> list[Tensor]:
            made, answer[:] = _apart(stage(*arguments) if t is None else stage(*arguments, t))
            return made

        try:
            replay, outputs = self._recorder.record(run)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            # Where recording broke off, its end fails too, and says less of why.
            why = error.__context__ or error
            log.warning("%s.%s cannot be recorded and runs eagerly: %s", self.spec.name, stage.__name__, why)
            return None
        return Recorded(fixed, replay, outputs, answer[0])


def _apart(value: object) -> tuple[list[Tensor], list[Hashable]]:
    tensors, skeleton = take_apart(value)
    return tensors, [skeleton]
