"""Time `flow` against MVTools FlowFPS in one process, alternating, without the start of either.

    python -m tests.measure.flow_speed CLIP [--size 1280x720] [--threads 2] [--loops 4] [--runs 3]

Every second frame of CLIP is kept, decoded beforehand and played there and back, so that neither reading nor cuts
count. Measured from the WARM-th output frame on. Hold it to one core with `taskset -c 0` for one-thread figures:
`--threads` reaches VapourSynth, not OpenCV's own pool. Docs: docs/benchmarks/flow-quality.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median

import vapoursynth as vs

import vsvfi

core = vs.core

WARM = 20
"""Output frames before the clock starts: kernels are loaded and buffers made by then."""


def source(path: str, size: str | None, loops: int) -> vs.VideoNode:
    clip = core.bs.VideoSource(path, cachemode=0).std.SelectEvery(2, [0], modify_duration=True)
    if size:
        width, height = map(int, size.split("x"))
        clip = clip.resize.Bicubic(width, height)
    clip = clip + clip[::-1]
    frames = list(clip.frames())
    memory = core.std.BlankClip(clip, length=len(frames), keep=True)
    return core.std.ModifyFrame(memory, memory, lambda n, f: frames[n]) * loops


def flow_fps(clip: vs.VideoNode) -> vs.VideoNode:
    """The settings of the quality table."""
    searched = core.mv.Super(clip, pel=2, sharp=2, rfilter=4)
    fine = core.mv.Super(clip, pel=2, sharp=2, rfilter=4, levels=1)
    vectors = []
    for back in (True, False):
        found = core.mv.Analyse(
            searched, isb=back, blksize=16, overlap=8, search=3, searchparam=4, truemotion=True, chroma=True,
            badsad=10000, badrange=24,
        )  # fmt: skip
        for size in (8, 4):
            found = core.mv.Recalculate(
                fine, found, blksize=size, overlap=size // 2, search=3, searchparam=2, thsad=100, truemotion=True
            )
        vectors.append(found)
    return core.mv.FlowFPS(clip, searched, *vectors, num=clip.fps_num * 2, den=clip.fps_den, mask=2)


def flow(clip: vs.VideoNode) -> vs.VideoNode:
    return vsvfi.Interpolate(clip, model="flow", factor=2, device="cpu")


def measure(make: Callable[[vs.VideoNode], vs.VideoNode], clip: vs.VideoNode) -> tuple[float, float]:
    """(wall, CPU) milliseconds per in-between."""
    count, start = 0, (0.0, 0.0)
    for _ in make(clip).frames(close=True):
        count += 1
        if count == WARM:
            start = time.perf_counter(), time.process_time()
    made = (count - WARM) / 2
    return (time.perf_counter() - start[0]) / made * 1e3, (time.process_time() - start[1]) / made * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--size")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--loops", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    core.num_threads = args.threads
    clip = source(args.clip, args.size, args.loops)
    results: dict[str, list[tuple[float, float]]] = {"FlowFPS": [], "flow": []}
    for _ in range(args.runs):
        for name, make in (("FlowFPS", flow_fps), ("flow", flow)):
            results[name].append(measure(make, clip))
    out = [f"{clip.width}x{clip.height}, {args.threads} threads, {args.runs} runs: median (least to most)", ""]
    out += ["| | wall ms per in-between | CPU ms per in-between |", "|---|---:|---:|"]
    for name, runs in results.items():
        cells = [f"{median(v):.1f} ({min(v):.1f} to {max(v):.1f})" for v in zip(*runs, strict=True)]
        out.append(f"| {name} | {' | '.join(cells)} |")
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
