"""scripts/gpu_check.py runs from end to end, here on small sizes and a CPU, and says what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.measure.gpu import clip, models, targets
from tests.measure.gpu.clock import Device
from tests.measure.published import PLAIN, weights
from vsvfi import plugins
from vsvfi.testing.pictures import pair

FAMILIES = {"ifrnet-s", "uprnet-base", "sdl-vfi-psnr", "film-l1"}
"""Of each family with a published forward written plainly the quickest."""


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = tmp_path_factory.mktemp("report")
    command = [sys.executable, root / "scripts/gpu_check.py", "--device", "cpu", "--quick", "--out", out]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    return done, out


@pytest.mark.slow
def test_it_measures_everything_it_promises(run) -> None:
    done, out = run
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    report = json.loads(next(out.glob("gpu-cpu-*.json")).read_text())
    kernels = {row["kernel"].split()[0] for row in report["kernels"]}
    assert kernels == {
        "backward_warp", "warp_blend", "splat", "local_cost", "lookup", "from_planes", "to_planes"
    }  # fmt: skip
    for row in report["kernels"]:
        assert row["ms"] > 0
        assert row["rival ms"] > 0, "every benchmark compares with something in the same run"
    assert {row["precision"] for row in report["models"]} == {"fp32", "fp16", "bf16"}
    assert {row["model"] for row in report["models"]} >= FAMILIES
    for row in report["models"]:
        assert row["frames per second"] > 0
        assert row["model"] not in FAMILIES or row["plain ms"] > 0
        assert row["share of floor"] > 0
        assert row["off"] == 0, "stages give what the one call gives"
    [through] = report["filter"]
    assert through["filter / bare"] > 0
    assert 0 < through["submit ms"] < 5
    found = {row["model"]: row["different results"] for row in report["determinism"]}
    assert set(found) >= FAMILIES
    assert set(found.values()) == {1}
    assert report["memory"][0]["frames"] == 20
    assert {row["target"].split(",")[0] for row in report["targets"]} > {"backward_warp", "filter", "submit"}
    assert report["about"]["commit"]


@pytest.mark.slow
def test_the_table_says_that_a_quick_run_means_nothing(run) -> None:
    _, out = run
    text = next(out.glob("gpu-cpu-*.md")).read_text()
    assert "too small for the figures to mean anything" in text
    for title in ("targets", "ceilings", "kernels", "models", "filter", "determinism", "memory"):
        assert f"\n## {title}\n" in text


def test_without_a_gpu_it_says_so(root: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    done = subprocess.run([sys.executable, root / "scripts/gpu_check.py"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "no CUDA device here" in done.stderr


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_published_forwards_run_on_another_device(name: str) -> None:
    """What they make themselves is made where their weights are: else the card would be compared with nothing."""
    spec = plugins.spec(name)
    with torch.inference_mode(), torch.device("meta"):
        way = PLAIN.get(spec.family)
        assert way is not None
        known = {key: value.to("meta") for key, value in weights(name).items()}
        made = way(known, *(image.to("meta") for image in pair(70, 100)), 0.5)
    assert isinstance(made, Tensor)
    assert made.device.type == "meta"
    assert made.shape[-2] >= 70


def test_every_network_is_measured_once() -> None:
    device = Device("cpu", quick=False)
    names = [spec.name for spec in models.networks(device)]
    assert names[0] == "ifrnet-s"
    assert {"ifrnet", "ifrnet-l", "uprnet-large", "uprnet-llarge"} <= set(names)
    assert not [name for name in names if name.endswith("-gopro")], "the same networks with other weights"


def test_the_clip_moves_and_does_not_change() -> None:
    once, again = ([bytes(frame[0]) for frame in clip.moving(96, 64, 40).frames()] for _ in range(2))
    assert once == again
    assert len(set(once)) == 32
    assert once[32:] == once[:8]


def test_targets_name_the_worst() -> None:
    kernels = [
        {"kernel": "backward_warp a", "share of copy rate": 0.9, "rival": "x", "times as fast": 9.0},
        {"kernel": "backward_warp b", "share of copy rate": 0.7, "rival": "x", "times as fast": 9.0},
        {"kernel": "splat softmax a", "share of copy rate": 0.1, "rival": "scatter_add", "times as fast": 4.0},
        {"kernel": "splat softmax a", "share of copy rate": 0.1, "rival": "float atomics", "times as fast": 0.5},
        {"left out": "splat softmax b"},
    ]
    networks = [
        {"model": "m", "size": "s", "precision": "fp16", "engine": engine, "times as fast": value}
        for engine, value in (("eager", 1.5), ("graph", 2.5))
    ]
    clips = [
        {"model": "quick", "bare ms": 1.0, "filter / bare": 0.5},
        {"model": "slow", "bare ms": 3.0, "filter / bare": 0.97},
    ]
    memory = [{"model": "m", "device MiB early": 10.0, "device MiB late": 12.5}]
    report = {"kernels": kernels, "models": networks, "filter": clips, "memory": memory}
    found = {row["target"].split(",")[0]: row for row in targets.met(report)}
    assert (found["backward_warp"]["met"], found["backward_warp"]["where"]) == (False, "backward_warp b")
    assert found["splat softmax"]["met"]
    assert (found["best engine in fp16"]["met"], found["best engine in fp16"]["where"]) == (True, "m s graph")
    assert (found["filter"]["met"], found["filter"]["where"]) == (True, "slow")
    assert (found["growth of device memory"]["met"], found["growth of device memory"]["worst"]) == (False, 2.5)
    assert "from_planes" not in found, "nothing measured, nothing claimed"
