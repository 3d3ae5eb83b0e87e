"""The whole filter through VapourSynth beside the bare model; the same bytes every time; memory over a long clip."""

from __future__ import annotations

import hashlib
import itertools
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import vapoursynth as vs

import vsvfi
from vsvfi.executors import run_with
from vsvfi.model import Model
from vsvfi.pipeline import Pipeline
from vsvfi.testing.pictures import pair

from . import models
from .clock import Device, Row

_TURN = 32
"""Frames after which the clip begins again: few enough to be kept by the core, so that they cost nothing."""

_WARM = 40
"""Frames before the clock starts: kernels compile, rings fill."""


def moving(width: int, height: int, length: int) -> vs.VideoNode:
    """A YUV420P8 picture that moves, so that nothing is held as still; its decoding costs next to nothing."""
    bars = [
        vs.core.std.BlankClip(format=vs.YUV420P8, width=16, height=height, length=_TURN, color=color, keep=True)
        for color in ([40 + 12 * k % 180, 90 + 9 * k % 80, 128] for k in range(-(-width // 16) + _TURN // 8))
    ]
    picture = vs.core.std.StackHorizontal(bars)
    crops = [picture.std.CropAbs(width, height, left=2 * k)[0] for k in range(_TURN)]
    turn = vs.core.std.Splice(crops)
    turn.std.SetVideoCache(mode=1, fixedsize=1, maxsize=_TURN)
    return turn.std.Loop(-(-length // _TURN))[:length]


def speed(device: Device, budget: float) -> Iterator[Row]:
    """In-betweens a second through the filter (factor 2, YUV420P8 in and out) and of the bare model at that size."""
    sizes = [(96, 64)] if device.quick else [(1920, 1080), (1280, 720)]
    engines = ("graph", "eager") if device.cuda else ("eager",)
    specs = models.networks(device)[: 1 if device.quick else None]
    ends, left = time.monotonic() + budget, []
    for (width, height), spec, engine in itertools.product(sizes, specs, engines):
        if time.monotonic() > ends:
            left.append(f"{spec.name} {engine} {width}x{height}")
            continue
        about: Row = {"model": spec.name, "size": f"{width}x{height}", "engine": engine}
        try:
            model = models.load(device, spec, "fp16" if device.cuda else "fp32")
            bare = _bare(device, model, engine, width, height)
            yield about | _through(device, model, engine, width, height, bare)
        except (vs.Error, torch.OutOfMemoryError) as error:
            yield about | {"failed": str(error).splitlines()[0]}
        if device.cuda:
            torch.cuda.empty_cache()
    if left:
        yield {"left out": ", ".join(left)}


def _bare(device: Device, model: Model, engine: str, width: int, height: int) -> float:
    """Seconds an in-between on tensors that are there already: what the filter cannot be faster than."""
    running = run_with(model, engine)
    early, late = (image.to(device.name, model.image_dtype) for image in pair(height, width))
    with torch.inference_mode(), models.stream(device):
        before = running.encode(early)
        return device.seconds(
            lambda: running.synthesize(running.relate(before, running.encode(late)), 0.5), budget=1.0
        ).median


def _through(device: Device, model: Model, engine: str, width: int, height: int, bare: float) -> Row:
    warm = 2 if device.quick else _WARM
    frames = warm + (8 if device.quick else 2 * max(50, min(1500, int(1.5 / bare))))
    with _submitting() as submitted:
        out = vsvfi.Interpolate(
            moving(width, height, frames // 2 + 1),
            model,
            2,
            scene_change=False,
            engine=engine,
        )
        began, n = 0.0, 0
        for n, frame in enumerate(itertools.islice(out.frames(close=True), frames)):
            frame.close()
            if n == warm:
                began = time.perf_counter()
        seconds = (time.perf_counter() - began) / ((n - warm) / 2)
    return {
        "bare ms": bare * 1e3, "filter ms": seconds * 1e3, "filter / bare": bare / seconds,
        "submit ms": statistics.median(submitted) * 1e3,
    }  # fmt: skip


@contextmanager
def _submitting() -> Iterator[list[float]]:
    """Seconds that each call of the submit node takes of the frame server's thread."""
    taken: list[float] = []
    submit = Pipeline.submit

    def timed(self: Pipeline, n: int, window: Any) -> None:
        start = time.perf_counter()
        submit(self, n, window)
        taken.append(time.perf_counter() - start)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pipeline, "submit", timed)
        yield taken


def determinism(device: Device, budget: float) -> Iterator[Row]:
    """The bytes of a few frames, again and again in new filters: of a network that warps, and of one that splats."""
    runs, ends = 2 if device.quick else 50, time.monotonic() + budget
    chosen = {spec.family: spec for spec in reversed(models.networks(device))}.values()  # the quickest of each
    for spec, engine in itertools.product(chosen, ("eager", "graph") if device.cuda else ("eager",)):
        model = models.load(device, spec, "fp16" if device.cuda else "fp32")
        found: list[str] = []
        while len(found) < runs and (time.monotonic() < ends or len(found) < 2):
            out = vsvfi.Interpolate(moving(96, 64, 4), model, 2, scene_change=False, engine=engine)
            digest = hashlib.sha256()
            for frame in out.frames(close=True):
                for plane in range(3):
                    digest.update(bytes(frame[plane]))
            found.append(digest.hexdigest())
        yield {"model": spec.name, "engine": engine, "runs": len(found), "different results": len(set(found))}


def memory(device: Device, budget: float) -> Iterator[Row]:
    """Of device and process, early and late in a long clip, and how often torch's allocator went to the driver."""
    spec = models.networks(device)[0]
    model = models.load(device, spec, "fp16" if device.cuda else "fp32")
    frames = 20 if device.quick else 5000
    out = vsvfi.Interpolate(moving(256, 144, frames // 2 + 1), model, 2, scene_change=False)
    ends, found, n = time.monotonic() + budget, [_held(device)], 0
    for n, frame in enumerate(itertools.islice(out.frames(close=True), frames)):
        frame.close()
        if n == frames // 10:
            found.append(_held(device))
        if time.monotonic() > ends:
            break
    found.append(_held(device))
    row: Row = {"model": spec.name, "frames": n + 1}
    for name in found[-1]:
        row |= {f"{name} early": found[-2][name], f"{name} late": found[-1][name]}
    yield row


def _held(device: Device) -> dict[str, float]:
    pages = Path("/proc/self/statm")
    held = {"process MiB": int(pages.read_text().split()[1]) / 256} if pages.exists() else {}
    if device.cuda:
        statistics = torch.cuda.memory_stats()
        held |= {
            "device MiB": statistics["allocated_bytes.all.current"] / 2**20,
            "reserved MiB": statistics["reserved_bytes.all.current"] / 2**20,
            "driver allocations": statistics["segment.all.allocated"],
        }
    return held
