"""How many frames must be in work to keep a device busy: a simulated one behind the real filter.

    python -m tests.measure.in_work

The device takes a fixed time a frame, one after the other; to queue a frame takes 0.5 ms of Python. docs/design.md has
what came out.
"""

from __future__ import annotations

import statistics
import time
from contextlib import nullcontext
from typing import Any

import pytest
import vapoursynth as vs

import vsvfi
from tests.filter import models
from tests.measure.gpu.clip import moving
from vsvfi import lane, plugins
from vsvfi.frames.planes import Planes
from vsvfi.frames.transfer import Ready, Transfer
from vsvfi.hookspecs import hookimpl

DEVICE = (1e-3, 2e-3, 4e-3, 8e-3)
QUEUEING = 0.5e-3
IN_WORK = (2, 3, 4)
RUNS, WARM = 5, 40


class Due:
    """An event that happens at a time."""

    def __init__(self, at: float) -> None:
        self._at = at

    def query(self) -> bool:
        return time.perf_counter() >= self._at

    def synchronize(self) -> None:
        time.sleep(max(0.0, self._at - time.perf_counter()))


class Simulated(Transfer):
    """Copies what goes up, and says when a result would be there."""

    def __init__(self, taking: float, ahead: int) -> None:
        self._taking, self.ahead, self._free = taking, ahead, 0.0

    def computing(self) -> nullcontext[None]:
        return nullcontext()

    def upload(self, planes: Planes) -> Planes:
        self._staged = [plane.copy() for plane in planes.arrays]
        return planes

    def result(self) -> None:
        return None

    def download(self, planes: Planes, *, pooled: bool = False) -> Ready:
        ends = time.perf_counter() + QUEUEING
        while time.perf_counter() < ends:
            pass
        self._free = max(self._free, time.perf_counter()) + self._taking
        return Ready(planes, Due(self._free))


class Alone:
    """A model that hands on planes, one frame at a time."""

    @hookimpl
    def vsvfi_models(self) -> list[Any]:
        return [models.spec("test-alone", layout="planes")]

    @hookimpl
    def vsvfi_build(self, spec: Any, device: Any, dtype: Any) -> Any:
        return models.First(spec, device, dtype) if spec.name == "test-alone" else None


def share(taking: float) -> float:
    """Of the device's own rate."""
    frames = int(min(600, 2 / taking))
    clip = vsvfi.Interpolate(moving(1920, 1080, frames + WARM), "test-alone", 2, scene_change=False, static="off")
    began = 0.0
    for n, frame in enumerate(clip.frames(close=True)):
        frame.close()
        if n == WARM:
            began = time.perf_counter()
        if n == WARM + 2 * frames:
            break
    return frames * taking / (time.perf_counter() - began)


def main() -> None:
    plugins.register(Alone())
    print(f"{vs.core.num_threads} threads")
    print("| device, a frame |" + "".join(f" {ahead} in work |" for ahead in IN_WORK))
    print("|---|" + "---:|" * len(IN_WORK))
    for taking in DEVICE:
        cells = []
        for ahead in IN_WORK:
            device = Simulated(taking, ahead)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(lane, "_transfer", lambda *_, device=device: device)
                cells.append(f"{statistics.median(share(taking) for _ in range(RUNS)):.2f}")
        print(f"| {taking * 1e3:g} ms | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
