"""Floors on real clips: what `flow` reached when it was measured, less a margin for other builds of OpenCV.

The whole table is in docs/benchmarks/flow-quality.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vsvfi
from vsvfi.frames.planes import PlaneFormat, Planes

from . import scenes

FRAMES = 9


def read(core: Any, path: Path) -> list[Planes]:
    clip = core.bs.VideoSource(str(path), cachemode=0)[:FRAMES]
    format = PlaneFormat("YUV", "int", 8, (1, 1), clip.width, clip.height)
    return [
        Planes(format, scenes.COLOR, tuple(torch.from_numpy(np.array(frame[p])) for p in range(3)))
        for frame in clip.frames(close=True)
    ]


@pytest.mark.parametrize(("clip", "floor", "gain"), [("bbb_pan", 45.0, 14.0), ("dog_run", 35.0, 4.0)])
def test_dropped_frames_are_rebuilt(clip: str, floor: float, gain: float, shared: Path, core: Any) -> None:
    frames = read(core, shared / "clips" / f"{clip}.mp4")
    model = vsvfi.load("flow", device="cpu")
    features = [model.encode(frame) for frame in frames[::2]]
    made, plain = [], []
    for k, truth in enumerate(frames[1::2]):
        rebuilt: Any = model.synthesize(model.relate(features[k], features[k + 1]), 0.5)
        mean = (frames[2 * k].data[0].double() + frames[2 * k + 2].data[0].double()) / 2
        made.append(scenes.psnr(rebuilt.data[0], truth.data[0], 255))
        plain.append(scenes.psnr(mean, truth.data[0], 255))
    assert np.mean(made) > floor
    assert np.mean(made) > np.mean(plain) + gain
