"""The whole filter through VapourSynth beside the bare model; the same bytes every time; memory over a long clip."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterator

import torch
import vapoursynth as vs

import vsvfi
from vsvfi import loading, plugins
from vsvfi.model import Model

from . import models
from .clock import Device, Row


def moving(width: int, height: int, length: int) -> vs.VideoNode:
    """A YUV420P8 picture that moves, so that nothing is held as still; its decoding costs next to nothing."""
    wide = width + 64
    bars = [
        vs.core.std.BlankClip(format=vs.YUV420P8, width=16, height=height, length=-(-length // 32) * 32, color=color)
        for color in ([40 + 12 * k % 180, 90 + 9 * k % 80, 128] for k in range(-(-wide // 16)))
    ]
    picture = vs.core.std.StackHorizontal(bars)
    crops = [picture.std.CropAbs(width, height, left=2 * k) for k in range(32)]
    turns = vs.core.std.Interleave([crop.std.SelectEvery(32, k) for k, crop in enumerate(crops)])
    return turns[:length]


def model_for(device: Device) -> Model:
    """The quickest network, in half precision where there is a GPU."""
    spec = plugins.spec(models.names(device)[0])
    dtype = torch.float16 if device.cuda else torch.float32
    return loading.load(spec.name, weights=models.weights(spec), device=device.name, dtype=dtype)


def speed(device: Device, budget: float) -> Iterator[Row]:
    """In-betweens a second through the filter (factor 2, YUV420P8 in and out) and of the bare model at that size."""
    model = model_for(device)
    for width, height in [(96, 64)] if device.quick else [(1280, 720), (1920, 1080)]:
        images = [device.rand(1, 3, height, width, dtype=model.dtype, seed=seed) for seed in (0, 1)]
        with torch.inference_mode():
            before = model.encode(images[0])

            def bare(before: object = before, late: torch.Tensor = images[1]) -> object:
                return model.synthesize(model.relate(before, model.encode(late)), 0.5)  # type: ignore[arg-type]

            alone = device.seconds(bare, budget=budget / 8).median
        clip = moving(width, height, 8 if device.quick else 2000)
        out = vsvfi.Interpolate(clip, model, 2, scene_change=False, engine="eager")
        began, made = 0.0, 0
        for n, frame in enumerate(out.frames(close=True)):
            frame.close()
            if n == (2 if device.quick else 40):  # after compiling and filling the rings
                began, made = time.perf_counter(), n
            if began and time.perf_counter() - began > budget / 4:
                break
        seconds = (time.perf_counter() - began) / max(1, (n - made) / 2)
        yield {
            "model": model.spec.name, "size": f"{width}x{height}", "bare ms": alone * 1e3, "filter ms": seconds * 1e3,
            "filter / bare": alone / seconds,
        }  # fmt: skip


def determinism(device: Device) -> Row:
    """The bytes of a few frames, again and again in new filters."""
    model = model_for(device)
    runs = 2 if device.quick else 50
    seen = set()
    for _ in range(runs):
        out = vsvfi.Interpolate(moving(96, 64, 4), model, 2, scene_change=False)
        digest = hashlib.sha256()
        for frame in out.frames(close=True):
            for plane in range(3):
                digest.update(bytes(frame[plane]))
        seen.add(digest.hexdigest())
    return {"model": model.spec.name, "runs": runs, "different results": len(seen)}


def memory(device: Device, budget: float) -> Row:
    """Device memory early and late in a long clip."""
    model = model_for(device)
    frames = 20 if device.quick else 5000
    out = vsvfi.Interpolate(moving(256, 144, frames // 2 + 1), model, 2, scene_change=False)
    ends = time.monotonic() + budget
    sizes, n = [], 0
    for n, frame in enumerate(itertools.islice(out.frames(close=True), frames)):
        frame.close()
        if n in (frames // 10, frames - 1) or time.monotonic() > ends:
            sizes.append(torch.cuda.memory_allocated() if device.cuda else 0)
        if time.monotonic() > ends:
            break
    return {"model": model.spec.name, "frames": n + 1, "MiB early": sizes[0] / 2**20, "MiB late": sizes[-1] / 2**20}
