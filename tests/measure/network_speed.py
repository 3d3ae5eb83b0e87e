"""Time networks on the CPU against their published forward written plainly, in one run, and what reuse of stages gains.

    python -m tests.measure.network_speed MODEL... [--size 448x256] [--threads 2] [--runs 3] [--frames 16] [--no-runs]

Plain: NCHW, float32, every call from scratch (tests/backends/reference_*.py), in a process as it comes. Ours:
`interpolate`, in float32 and bfloat16, with malloc set as vsvfi.loading sets it; a process a row, plain first. Weights
are those of the parity tests; values do not matter for time. Then a run of frames at 2x and 8x: each in-between by a
call of its own, and through the stages as the filter does; floating-point operations counted per stage say what that
is to gain. docs/benchmarks/networks-cpu.md holds results.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tests.measure.published import PLAIN, weights
from vsvfi import plugins
from vsvfi.allocation import keep_large_blocks
from vsvfi.model import Model
from vsvfi.testing.pictures import pair, texture

type Between = Callable[[Tensor, Tensor, float], Tensor]


@dataclass(frozen=True)
class Subject:
    """A model, and the published way to the same picture."""

    plain: Between
    build: Callable[[str], Model]


def subject(name: str) -> Subject:
    spec, known = plugins.spec(name), weights(name)
    return Subject(partial(PLAIN[spec.family], known), lambda precision: plugins.build(spec, "cpu", precision, known))


def seconds(calls: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Of each call, in turn, so that all see the same machine; the first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for n in range(runs + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if n:
                taken[name].append(time.perf_counter() - start)
    return taken


def isolated(name: str, size: tuple[int, int], runs: int) -> None:
    """One pair, nothing known of it. Sets malloc for what follows."""
    image0, image1 = pair(*size)
    who = subject(name)
    ours, low = who.build("fp32"), who.build("bf16")
    off = (who.plain(image0, image1, 0.5).clamp(0, 1) - ours.interpolate(image0, image1, 0.5)).abs()
    # FlowFormer's own rounding moves what splats reach by whole pixels at their edges, so not every pixel agrees.
    apart, allowed = (off.mean(), 1e-3) if name.startswith("gimmvfi-f") else (off.max(), 1e-4)
    assert apart < allowed, f"{name}: ours differs from the plain forward by {apart}"
    taken = seconds({"plain": lambda: who.plain(image0, image1, 0.5)}, runs)
    keep_large_blocks()
    taken |= seconds(
        {
            "float32": lambda: ours.interpolate(image0, image1, 0.5),
            "bfloat16": lambda: low.interpolate(image0.to(low.image_dtype), image1.to(low.image_dtype), 0.5),
        },
        runs,
    )
    base = median(taken["plain"])
    cells = [
        f"{median(t):.3f} ({min(t):.3f}-{max(t):.3f})" + (f", {base / median(t):.2f}x" if key != "plain" else "")
        for key, t in taken.items()
    ]
    print(f"| {name} | {size[1]}x{size[0]} | {' | '.join(cells)} |", flush=True)


def operations(model: Model, image0: Tensor, image1: Tensor) -> tuple[float, float, float]:
    """GFLOP of encode, relate and synthesize."""
    counted = []

    def count[T](call: Callable[[], T]) -> T:
        with FlopCounterMode(display=False) as counter:
            result = call()
        counted.append(counter.get_total_flops() / 1e9)
        return result

    with torch.no_grad():
        features0, features1 = count(lambda: model.encode(image0)), model.encode(image1)
        motion = count(lambda: model.relate(features0, features1))
        count(lambda: model.synthesize(motion, 0.3))
    return counted[0], counted[1], counted[2]


def reuse(name: str, size: tuple[int, int], frames: int, factor: int) -> None:
    """A run of frames, each in-between alone and through the stages."""
    model = subject(name).build("fp32")
    images = [texture(*size, seed=k) for k in range(frames)]
    times = [k / factor for k in range(1, factor)]
    e, r, s = operations(model, images[0], images[1])
    pairs, between = frames - 1, (frames - 1) * len(times)
    promised = between * (2 * e + r + s) / (frames * e + pairs * r + between * s)

    def alone() -> None:
        model.interpolate(images[0], images[1], 0.5)

    def staged() -> None:
        features = model.encode(images[0])
        for image in images[1:]:
            later = model.encode(image)
            motion = model.relate(features, later)
            for t in times:
                model.synthesize(motion, t)
            features = later

    with torch.inference_mode():
        alone()
        single = []
        for _ in range(5):
            start = time.perf_counter()
            alone()
            single.append(time.perf_counter() - start)
        start = time.perf_counter()
        staged()
        whole = time.perf_counter() - start
    measured = between * median(single) / whole
    print(
        f"| {name} | {size[1]}x{size[0]} | {factor}x | {e:.1f} / {r:.1f} / {s:.1f} | {promised:.2f} | {measured:.2f} "
        f"({100 * (measured / promised - 1):+.0f} %) |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--size", action="append", default=None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--no-runs", action="store_true", help="isolated pairs only")
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    sizes = args.size or ["448x256"]
    if args.row:
        width, height = map(int, sizes[0].split("x"))
        with torch.inference_mode():
            isolated(args.models[0], (height, width), args.runs)
        return
    print("| model | size | plain, s | ours float32, s | ours bfloat16, s |\n|---|---|---:|---:|---:|", flush=True)
    for name in args.models:
        for size in sizes:
            options = ["--threads", str(args.threads), "--runs", str(args.runs), "--size", size, "--row"]
            subprocess.run([sys.executable, "-m", "tests.measure.network_speed", name, *options], check=True)
    if args.no_runs:
        return
    keep_large_blocks()
    print("\n| model | size | rate | GFLOP encode / relate / synthesize | promised gain | measured |")
    print("|---|---|---|---:|---:|---:|")
    width, height = map(int, sizes[0].split("x"))
    for name in args.models:
        for factor in (2, 8):
            reuse(name, (height, width), args.frames, factor)


if __name__ == "__main__":
    main()
