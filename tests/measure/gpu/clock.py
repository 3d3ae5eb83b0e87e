"""Time on a device, its ceilings, and a budget of seconds that measuring keeps to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

type Row = dict[str, object]


@dataclass(frozen=True)
class Taken:
    """Seconds a call took.

    Attributes:
        median, least, most: of all runs.
    """

    median: float
    least: float
    most: float


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

    def seconds(self, call: Callable[[], object], *, budget: float = 1.0) -> Taken:
        """Time a call: by events on CUDA, after runs that compile and warm up.

        Args:
            call: queues work, or does it.
            budget: seconds to go on for; at least 3 runs, at most 50.
        """
        for _ in range(1 if self.quick else 3):
            call()
        runs: list[float] = []
        began = time.monotonic()
        while len(runs) < (2 if self.quick else 3) or (len(runs) < 50 and time.monotonic() - began < budget):
            runs.append(self._once(call))
            if self.quick and len(runs) > 1:
                break
        return Taken(statistics.median(runs), min(runs), max(runs))

    def _once(self, call: Callable[[], object]) -> float:
        if not self.cuda:
            start = time.perf_counter()
            call()
            return time.perf_counter() - start
        began, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        began.record()
        call()
        ended.record()
        ended.synchronize()
        return began.elapsed_time(ended) / 1e3

    def rand(self, *shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
        """Values in [0, 1): never zeros, which some hardware is faster on."""
        return torch.rand(shape, generator=torch.Generator().manual_seed(seed)).to(self.name, dtype)

    def flow(self, n: int, h: int, w: int, seed: int = 1) -> torch.Tensor:
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
