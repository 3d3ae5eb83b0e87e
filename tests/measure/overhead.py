"""What the filter itself costs per output frame: a backend that does nothing, beside the core doing as little.

    python -m tests.measure.overhead [--json FILE]

The backend hands on the earlier frame's planes, so all that is timed is nodes, decisions, jobs, properties and writing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import vapoursynth as vs

import vsvfi
from tests.filter import models
from vsvfi import plugins

FRAMES, RUNS, WARM = 600, 5, 60
FORMATS = (vs.YUV420P8, vs.YUV420P10)


def source(format: int) -> vs.VideoNode:
    """1080p that changes in every frame, as cheaply as the core can: two noise-free pictures fading."""
    still = vs.core.std.BlankClip(width=1920, height=1080, format=format, length=1, keep=True)
    steps = [still.std.BlankClip(color=[40 + 10 * k, 110 + k, 140 - k], keep=True) for k in range(12)]
    return vs.core.std.Splice(steps).std.Loop(0)[: FRAMES + WARM]


def seconds(clip: vs.VideoNode) -> float:
    """Per frame, over FRAMES frames after a warm-up, the clients' usual way: as many requests as threads."""
    start = 0.0
    for n, frame in enumerate(clip.frames(close=True)):
        frame.close()
        if n == WARM:
            start = time.perf_counter()
        if n == WARM + FRAMES - 1:
            return (time.perf_counter() - start) / (FRAMES - 1)
    raise AssertionError("the clip is too short")


def cases(clip: vs.VideoNode) -> dict[str, vs.VideoNode]:
    def copied(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        return f[0].copy()

    return {
        "core: std.Interleave": vs.core.std.Interleave([clip, clip]),
        "one ModifyFrame that copies the frame": vs.core.std.Interleave([clip, clip]).std.ModifyFrame(
            [vs.core.std.Interleave([clip, clip])] * 2, copied
        ),
        "vsvfi, nothing to decide": vsvfi.Interpolate(clip, "test-first", 2, False, static="off"),
        "vsvfi, cuts and stills decided": vsvfi.Interpolate(clip, "test-first", 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    out = parser.parse_args().json
    plugins.register(models)
    results = {}
    print("| format | case | ms per output frame, median of 5 | spread |\n|---|---|---:|---:|")
    for format in FORMATS:
        timed: dict[str, list[float]] = {}
        for _ in range(RUNS):  # in turn, so that all see the same machine
            for name, clip in cases(source(format)).items():
                timed.setdefault(name, []).append(1000 * seconds(clip))
        for name, values in timed.items():
            print(f"| {format.name} | {name} | {statistics.median(values):.3f} | {min(values):.3f}-{max(values):.3f} |")
            results[f"{format.name} {name}"] = values
    if out:
        out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
