"""The filter on CUDA devices: the result of the CPU, the same bytes every time, on one card or two."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import pytest
import torch
import vapoursynth as vs

import vsvfi
from tests.backends import ifrnet, uprnet
from vsvfi.model import Model

from .conftest import all_data, moving

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("format", [vs.YUV420P8, vs.YUV444P16, vs.RGBS], ids=lambda f: f.name)
def test_as_on_the_cpu(format) -> None:
    clip = moving(6, format=format)
    limit = 1 if clip.format.sample_type == vs.INTEGER else 1e-3
    both = [vsvfi.Interpolate(clip, "test-blend", 3, device=device) for device in ("cpu", "cuda")]
    for cpu, cuda in zip(*(clip.frames(close=False) for clip in both), strict=True):
        for p in range(cpu.format.num_planes):
            a, b = (np.asarray(f[p]).astype(np.float64) for f in (cpu, cuda))
            assert np.abs(a - b).max() <= limit


def test_the_same_bytes_every_time() -> None:
    clip = moving(12)
    first = all_data(vsvfi.Interpolate(clip, "test-blend", 2, device="cuda"))
    for _ in range(10):
        assert all_data(vsvfi.Interpolate(clip, "test-blend", 2, device="cuda")) == first


def test_two_devices() -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("one CUDA device only")
    clip = moving(24)
    one = all_data(vsvfi.Interpolate(clip, "test-blend", 2, device="cuda:0"))
    assert all_data(vsvfi.Interpolate(clip, "test-blend", 2, device=["cuda:0", "cuda:1"])) == one


NETWORKS = {"ifrnet-s": lambda: ifrnet.weights("ifrnet-s"), "uprnet-base": lambda: uprnet.weights("base")}


def network(name: str) -> Model:
    return vsvfi.load(name, weights=NETWORKS[name](), device="cuda", dtype=torch.float16)


@contextmanager
def waiting_refused() -> Iterator[None]:
    """torch raises where an operation would make the host wait for the device."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("engine", ["eager", "graph"])
@pytest.mark.parametrize("name", NETWORKS)
def test_no_frame_waits_for_the_device(name: str, engine: Literal["eager", "graph"], monkeypatch) -> None:
    clip = moving(40, 256, 144)
    frames = vsvfi.Interpolate(clip, network(name), 2, scene_change=False, engine=engine).frames(close=True)
    for frame in itertools.islice(frames, 16):  # kernels are compiled, tables copied, graphs recorded
        frame.close()

    def refused(*_: object) -> None:
        raise AssertionError("something waits for the whole device")

    monkeypatch.setattr(torch.cuda, "synchronize", refused)
    with waiting_refused():
        for frame in frames:
            frame.close()


@pytest.mark.parametrize("engine", ["eager", "graph"])
@pytest.mark.parametrize("name", NETWORKS)
def test_no_frame_takes_memory_from_the_driver(name: str, engine: Literal["eager", "graph"]) -> None:
    out = vsvfi.Interpolate(moving(64, 256, 144).std.Loop(6), network(name), 2, scene_change=False, engine=engine)
    found = []
    for n, frame in enumerate(out.frames(close=True)):
        frame.close()
        if n in (100, 700):
            device, host = torch.cuda.memory_stats(), torch.cuda.host_memory_stats()
            found.append((device["segment.all.allocated"], host["num_host_alloc"]))
    assert found[0] == found[1]


def test_device_memory_is_flat() -> None:
    out = vsvfi.Interpolate(moving(64).std.Loop(20), "test-blend", 2, device="cuda")
    sizes = []
    for n, frame in enumerate(out.frames(close=True)):
        frame.close()
        if n in (200, 2000):
            sizes.append(torch.cuda.memory_allocated())
    assert sizes[1] <= sizes[0] + (1 << 20)
