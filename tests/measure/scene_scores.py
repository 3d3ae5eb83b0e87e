"""Precision and recall of the scene detector and of the plain luma difference, in one run.

    python -m tests.measure.scene_scores CLIPS

The luma difference is the rule peers use (misc.SCDetect): the mean absolute difference of two frames' luma exceeds
0.15 of the range.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vsvfi import scene

from .scenes import Sequence, sequences

PLAIN = 0.15


@dataclass(frozen=True)
class Pair:
    """One pair of neighbours: is it a cut, and what do the detectors say."""

    kind: str
    cut: bool
    ours: float
    plain: float


def pairs(sequence: Sequence) -> list[Pair]:
    """All pairs of a sequence, judged as the filter judges them."""
    frames = sequence.frames
    known = [None, *(scene.signature(f, 255.0, "YUV") for f in frames), None]
    found = []
    for n in range(len(frames) - 1):
        verdict = scene.judge(*known[n : n + 4])
        plain = float(np.abs(frames[n][0].astype(int) - frames[n + 1][0]).mean() / 255)
        found.append(Pair(sequence.kind, n + 1 in sequence.cuts, verdict.score, plain))
    return found


def rates(found: list[Pair], scores: list[float], threshold: float) -> tuple[int, int, int]:
    """(hits, false alarms, misses) at a threshold."""
    hits = sum(p.cut and s >= threshold for p, s in zip(found, scores, strict=True))
    false = sum(not p.cut and s >= threshold for p, s in zip(found, scores, strict=True))
    return hits, false, sum(p.cut for p in found) - hits


def quality(hits: int, false: int, misses: int) -> tuple[float, float, float]:
    """Precision, recall and their harmonic mean."""
    precision = hits / (hits + false) if hits + false else 1.0
    recall = hits / (hits + misses) if hits + misses else 1.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def main() -> None:
    found = [pair for sequence in sequences(Path(sys.argv[1])) for pair in pairs(sequence)]
    ours, plain = [p.ours for p in found], [p.plain for p in found]
    best = max((n / 200 for n in range(2, 120)), key=lambda t: quality(*rates(found, plain, t))[2])
    print(f"{len(found)} pairs, {sum(p.cut for p in found)} cuts\n")
    print("| rule | threshold | hits | false alarms | misses | precision | recall | F1 |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    lines = [("vsvfi", ours, t) for t in (0.4, scene.DEFAULT_THRESHOLD, 0.6)]
    for name, scores, threshold in [
        *lines,
        ("luma difference", plain, PLAIN),
        ("luma difference, its best", plain, best),
    ]:
        counts = rates(found, scores, threshold)
        p, r, f = quality(*counts)
        print(f"| {name} | {threshold:g} | {' | '.join(map(str, counts))} | {p:.3f} | {r:.3f} | {f:.3f} |")
    print(f"\n| sequences | pairs | cuts | vsvfi: false, missed | luma difference at {PLAIN}: false, missed |")
    print("|---|---:|---:|---:|---:|")
    kinds = defaultdict(list)
    for pair in found:
        kinds[pair.kind].append(pair)
    for kind, some in kinds.items():
        a = rates(some, [p.ours for p in some], scene.DEFAULT_THRESHOLD)
        b = rates(some, [p.plain for p in some], PLAIN)
        print(f"| {kind} | {len(some)} | {sum(p.cut for p in some)} | {a[1]}, {a[2]} | {b[1]}, {b[2]} |")


if __name__ == "__main__":
    main()
