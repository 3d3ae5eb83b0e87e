"""Every network through the real vspipe and through `vsvfi render`, with weights of the parity tests' recipe.

Such weights make no picture worth seeing; that the frames come, in their format, number and rate, is what is tested.
"""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from safetensors.torch import save_file

from tests.golden import recipe
from vsvfi import plugins

FAMILIES = ("ifrnet", "uprnet", "film", "sdl", "gimmvfi")
NETWORKS = [spec.name for spec in plugins.specs().values() if spec.family in FAMILIES and spec.task == "interpolate"]
DEMO = Path(__file__).parents[2] / "demo/demo.mp4"
FACTORS = ("2", "2.5")
BETWEEN = 5
"""Frames of each model and factor."""

SCRIPT = """
import vapoursynth as vs, vsvfi
source = vs.core.bs.VideoSource(SOURCE, cachemode=0)
clip = source.std.Crop(left=40, top=40).std.CropAbs(70, 50, left=60, top=60).resize.Bicubic(format=vs.YUV420P10)[:4]
parts = [vsvfi.Interpolate(clip, name, factor, False, device="cpu")[:BETWEEN] for name in NAMES for factor in FACTORS]
vs.core.std.Splice(parts).std.AssumeFPS(fpsnum=24).set_output()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models in which every network has weights; those of Vimeo-90K ignore t, as published."""
    folder = tmp_path_factory.mktemp("models")
    for name in NETWORKS:
        checkpoint = plugins.checkpoint(plugins.spec(name))
        assert checkpoint is not None
        weights = {key: torch.from_numpy(value) for key, value in recipe.fill_state_dict(checkpoint.shapes).items()}
        if checkpoint.promised.get("ignores_t"):
            weights["decoder4.convblock.0.0.weight"][:, -1] = 0
        save_file(weights, folder / f"{name}.safetensors")
    return folder


def test_every_network_through_vspipe_at_an_odd_size(installed: Path, tmp_path: Path) -> None:
    script, out = tmp_path / "all.vpy", tmp_path / "out.y4m"
    constants = f"SOURCE, BETWEEN, NAMES, FACTORS = {str(DEMO)!r}, {BETWEEN}, {NETWORKS!r}, {FACTORS!r}\n"
    script.write_text(constants + SCRIPT, encoding="utf-8")
    done = subprocess.run(
        ["vspipe", "-c", "y4m", str(script), str(out)],
        env={**os.environ, "VSVFI_MODELS": str(installed)}, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as box:
        stream = box.streams.video[0]
        assert (stream.width, stream.height, stream.format.name) == (70, 50, "yuv420p10le")
        frames = [frame.to_ndarray() for frame in box.decode(stream)]
    assert len(NETWORKS) == 18
    assert len(frames) == len(NETWORKS) * len(FACTORS) * BETWEEN
    for k, name in enumerate(NETWORKS):
        twice = frames[2 * k * BETWEEN : (2 * k + 1) * BETWEEN]
        assert (twice[0] == frames[0]).all(), f"{name}: a source frame comes back as it was"
        assert (twice[1] != twice[0]).any(), f"{name}: the in-between is no copy"


def test_render_with_a_network(installed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    done = subprocess.run(
        [sys.executable, "-m", "vsvfi", "render", str(DEMO), str(out), "--model", "ifrnet-s", "--preset", "ultrafast",
         "--end", "0.2", "--device", "cpu"],
        env={**os.environ, "VSVFI_MODELS": str(installed)}, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with av.open(str(DEMO)) as source, av.open(str(out)) as box:
        rate = source.streams.video[0].average_rate
        stream = box.streams.video[0]
        frames = sum(1 for _ in box.decode(stream))
        assert rate is not None
        assert stream.average_rate == pytest.approx(2 * rate, rel=1e-3)
    assert frames == 2 * round(Fraction(1, 5) * rate)
