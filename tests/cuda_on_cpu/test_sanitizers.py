"""The kernels under the address and undefined-behaviour sanitizers, over random and hostile inputs."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vsvfi.ops import kernels

from . import shim, workload
from .test_warping import rand

pytestmark = pytest.mark.slow


class Recorder:
    """Stands for kernels.launch: runs a launch, and keeps what it was given and what it made."""

    def __init__(self, libraries: dict[str, Path]) -> None:
        self.libraries = libraries
        self.launches: list[tuple] = []
        self.made: list[list[bytes]] = []

    def __call__(self, stem: str, instance: str, count: int, *arguments: kernels.Argument) -> None:
        if count == 0:
            return
        which = kernels.INSTANCES[stem].index(instance)
        blocks = max(1, -(-count // 64) - 1)
        kept = [self._kept(argument) for argument in arguments]
        self.launches.append((str(self.libraries[stem]), which, blocks, 64, kept))
        shim.launch(stem, instance, count, *arguments)
        self.made.append([self._kept(argument)[1][0] for argument in arguments if isinstance(argument, Tensor)])

    @staticmethod
    def _kept(argument: kernels.Argument) -> tuple:
        """A tensor's reach, from its first to its last sample, as it may be a crop of something larger."""
        if not isinstance(argument, Tensor):
            return "number", np.uintp(0) if argument is None else argument
        size = argument.element_size()
        last = sum((n - 1) * stride for n, stride in zip(argument.shape, argument.stride(), strict=True))
        whole = torch.as_strided(argument, (last + 1,), (1,), argument.storage_offset())
        return "buffer", (whole.contiguous().view(torch.uint8).numpy().tobytes()[: (last + 1) * size], 0)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sanitized")
    return {stem: shim.build(stem, folder, shim.SANITIZED) for stem in kernels.INSTANCES}


def replayed(folder: Path, launches: list[tuple]) -> subprocess.CompletedProcess[str]:
    """Run launches in a process under the sanitizers."""
    (folder / "launches.pkl").write_bytes(pickle.dumps(launches))
    compiler = shutil.which("g++") or "c++"
    runtimes = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    options = {"LD_PRELOAD": " ".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0", "OPENBLAS_NUM_THREADS": "1"}
    environment = {**os.environ, **options}
    script = Path(__file__).with_name("replay.py")
    return subprocess.run(
        [sys.executable, script, folder], env=environment, capture_output=True, text=True, timeout=200
    )


def test_nothing_is_read_or_written_out_of_range(libraries, tmp_path, monkeypatch) -> None:
    recorder = Recorder(libraries)
    monkeypatch.setattr(kernels, "launch", recorder)
    monkeypatch.setattr(kernels, "usable", lambda *tensors: True)
    workload.run()
    stems = {Path(library).name.rsplit("-", 1)[0] for library, *_ in recorder.launches}
    assert stems == set(kernels.INSTANCES), "every kernel took part"
    done = replayed(tmp_path, recorder.launches)
    assert done.returncode == 0, done.stderr[-4000:]
    assert pickle.loads((tmp_path / "results.pkl").read_bytes()) == recorder.made, "the same bytes as without"


def test_the_sanitizer_watches(libraries, tmp_path, monkeypatch) -> None:
    """An image that is one sample shorter than the kernel is told: the harness must see it."""
    recorder = Recorder(libraries)
    monkeypatch.setattr(kernels, "launch", recorder)
    monkeypatch.setattr(kernels, "usable", lambda *tensors: True)
    from vsvfi.ops.backward_warp import operator

    operator(rand(1, 1, 4, 4), torch.zeros(1, 2, 4, 4), True)
    [(library, which, blocks, threads, arguments)] = recorder.launches
    kind, (image, offset) = arguments[0]
    short = [(kind, (image[:-4], offset)), *arguments[1:]]
    done = replayed(tmp_path, [(library, which, blocks, threads, short)])
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
