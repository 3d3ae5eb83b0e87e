"""Time on a device, its ceilings, and a budget of seconds that measuring keeps to."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

type Row = dict[str, object]

_SCRAP = 256 << 20
"""Bytes that are filled before a kernel is timed: more than any second-level cache holds."""

_AHEAD = 2e-3
"""Seconds of filling: so long has the host to queue a kernel and its events, whose gaps are then not timed."""


@dataclass(frozen=True)
class Taken:
    """Seconds a call took.

    Attributes:
        median, least, most: of all runs.
        host: median of what the calling thread was held up for; 0 where it was not looked at.
    """

    median: float
    least: float
    most: float
    host: float = 0.0

    @property
    def spread(self) -> float:
        """Most less least, as a share of the median: a smaller difference between two ways is none."""
        return (self.most - self.least) / self.median


class Device:
    """Where it is measured.

    Args:
        name: "cuda" or "cpu".
        quick: one or two runs of small sizes, to show that it works.
    """

    def __init__(self, name: str, *, quick: bool) -> None:
        self.name = name
        self.quick = quick
        self.cuda = name.startswith("cuda")
        self._scrap = torch.empty(_SCRAP if self.cuda else 0, dtype=torch.uint8, device=name)
        self._fills = 0

    def seconds(self, call: Callable[[], object], *, budget: float = 0.3) -> Taken:
        """Of a call in a row of them, as a clip has it: the host may run ahead within a batch.

        Args:
            call: queues work, or does it. It ran three times before the clock starts.
            budget: seconds to go on for; at least 3 batches.
        """
        for _ in range(1 if self.quick else 3):
            call()
        began = time.monotonic()
        first = self._batch(call, 1)
        size = 1 if self.quick else max(1, min(20, int(budget / 10 / first)))
        runs: list[float] = []
        while len(runs) < (2 if self.quick else 3) or (not self.quick and time.monotonic() - began < budget):
            runs.append(self._batch(call, size))
        return Taken(statistics.median(runs), min(runs), max(runs))

    def alone(self, call: Callable[[], object], *, budget: float = 0.3) -> Taken:
        """Of a call by itself, its inputs not in the cache, and the time of the host apart.

        The device is kept busy before each run, so that neither the launch nor the gap before it is timed.
        """
        if not self.cuda:
            return self.seconds(call, budget=budget)
        for _ in range(3):
            call()
        self._fills = self._fills or math.ceil(_AHEAD / self._batch(self._scrap.zero_, 8))
        first = self._batch(call, 1)
        count = max(5, min(50, int(budget / (first + _AHEAD))))
        pairs, host = [], []
        for _ in range(count):
            for _ in range(self._fills):
                self._scrap.zero_()
            began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            began.record()
            start = time.perf_counter()
            call()
            host.append(time.perf_counter() - start)
            ended.record()
            pairs.append((began, ended))
        pairs[-1][1].synchronize()
        runs = [began.elapsed_time(ended) / 1e3 for began, ended in pairs]
        return Taken(statistics.median(runs), min(runs), max(runs), statistics.median(host))

    def _batch(self, call: Callable[[], object], size: int) -> float:
        """Seconds a call, of `size` in a row."""
        if not self.cuda:
            start = time.perf_counter()
            for _ in range(size):
                call()
            return (time.perf_counter() - start) / size
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record()
        for _ in range(size):
            call()
        ended.record()
        ended.synchronize()
        return float(began.elapsed_time(ended)) / 1e3 / size

    def rand(self, *shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
        """Values in [0, 1): never zeros, which some hardware is faster on."""
        generator = torch.Generator(self.name).manual_seed(seed)
        return torch.rand(shape, generator=generator, device=self.name).to(dtype)

    def flow(self, n: int, h: int, w: int, seed: int = 1) -> Tensor:
        """A smooth motion of some pixels, as networks answer: neighbours read neighbours."""
        coarse = torch.randn(n, 2, -(-h // 32) + 1, -(-w // 32) + 1, generator=torch.Generator().manual_seed(seed)) * 6
        return torch.nn.functional.interpolate(coarse, (h, w), mode="bilinear").to(self.name)


@dataclass(frozen=True)
class Ceilings:
    """What the device does at best.

    Attributes:
        copy: bytes a second, read plus written, of a large copy.
        matmul: operations a second of a large matrix product, by precision.
    """

    copy: float
    matmul: dict[str, float]


def ceilings(device: Device) -> Ceilings:
    """Measured, not read off a data sheet. TF32 is off, as the filter leaves it."""
    size = (1 << 22) if device.quick else (1 << 28)
    source = device.rand(size)
    target = torch.empty_like(source)
    copied = device.seconds(lambda: target.copy_(source))
    rates = {}
    side = 256 if device.quick else 8192
    for name, dtype in (("fp32", torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)):
        a, b = device.rand(side, side, dtype=dtype), device.rand(side, side, dtype=dtype, seed=1)
        rates[name] = 2 * side**3 / device.seconds(lambda a=a, b=b: a @ b).median  # type: ignore[misc]
    return Ceilings(2 * source.nbytes / copied.median, rates)
