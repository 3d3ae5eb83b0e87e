"""Labelled sequences for the scene detector: the clips themselves and harder ones made of them.

Cuts are made by splicing clips, also in the dark. What must not be taken for one: faster motion (frames left out),
noise, flashes of one to three frames over all or half of the picture, fades to black, dissolves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import vapoursynth as vs

type Frame = list[np.ndarray]

LABELS = json.loads((Path(__file__).parents[1] / "data/scene_labels.json").read_text(encoding="utf-8"))
SEED = 0


@dataclass(frozen=True)
class Sequence:
    """Frames (Y, U, V planes, 8 bit) and the numbers of the first frames of new scenes."""

    kind: str
    name: str
    frames: list[Frame]
    cuts: frozenset[int]


def sequences(clips: Path, *, made: bool = True) -> Iterator[Sequence]:
    """The clips, and (`made`) what is made of them."""
    rng = np.random.default_rng(SEED)
    data = {name: _read(clips / f"{name}.mp4") for name in LABELS["cuts"]}
    for name, frames in data.items():
        cuts = LABELS["cuts"][name]
        yield Sequence("as filmed", name, frames, frozenset(cuts))
        if made:
            yield from _changed(name, frames, cuts, rng)
    if made:
        yield from _spliced(data, rng)


def _read(path: Path) -> list[Frame]:
    clip = vs.core.bs.VideoSource(str(path), cachemode=0).resize.Bilinear(640, 360)
    return [[np.array(np.asarray(f[p])) for p in range(3)] for f in clip.frames(close=True)]


def _changed(name: str, frames: list[Frame], cuts: list[int], rng: np.random.Generator) -> Iterator[Sequence]:
    for step in (2, 3):
        yield Sequence(f"every {step}.", name, frames[::step], frozenset(-(-cut // step) for cut in cuts))
    short = frames[:25]
    for sigma in (8, 20):
        noisy = [[_clipped(p + rng.normal(0, sigma, p.shape)) for p in f] for f in short]
        yield Sequence(f"noise {sigma}", name, noisy, frozenset(c for c in cuts if c < 25))
    if cuts:
        return
    for length in (1, 2, 3):
        lit = [_lit(f, 90) if 8 <= n < 8 + length else f for n, f in enumerate(short)]
        yield Sequence(f"flash of {length}", name, lit, frozenset())
    half = [_lit(f, 110, 320) if n == 9 else f for n, f in enumerate(short)]
    yield Sequence("flash in half", name, half, frozenset())
    faded = [[_clipped(f[0] * max(0.0, 1 - n / 12)), *f[1:]] for n, f in enumerate(short)]
    yield Sequence("fade to black", name, faded, frozenset())


def _spliced(data: dict[str, list[Frame]], rng: np.random.Generator) -> Iterator[Sequence]:
    names = sorted(name for name in data if not LABELS["cuts"][name])
    same = [set(pair) for pair in LABELS["same_scene"]]
    for index, first in enumerate(names):
        for second in names:
            if first == second or {first, second} in same:
                continue
            a, b = int(rng.integers(4, 20)), int(rng.integers(0, 20))
            frames = data[first][a - 4 : a] + data[second][b : b + 4]
            yield Sequence("splice", f"{first}>{second}", frames, frozenset({4}))
        other = names[(index + 3) % len(names)]
        dark = [[_clipped(f[0] * 0.25), *f[1:]] for f in data[first][:4] + data[other][:4]]
        yield Sequence("splice in the dark", f"{first}>{other}", dark, frozenset({4}))
        pairs = zip(data[first][:16], data[other][:16], strict=True)
        mixed = [
            [_clipped(p * (1 - n / 15) + q * (n / 15)) for p, q in zip(*pair, strict=True)]
            for n, pair in enumerate(pairs)
        ]
        yield Sequence("dissolve", f"{first}>{other}", mixed, frozenset())


def _lit(frame: Frame, light: int, columns: int | None = None) -> Frame:
    luma = frame[0].astype(np.int64)
    luma[:, :columns] += light
    return [_clipped(luma), *frame[1:]]


def _clipped(plane: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(plane, 0, 255), np.uint8)
