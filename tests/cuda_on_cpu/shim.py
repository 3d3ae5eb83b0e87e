"""Builds cuda/*.cu as C++ (shim.hpp adds the words of CUDA) and launches its kernels as vsvfi.ops.kernels would."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from vsvfi.ops import kernels

HERE = Path(__file__).parent
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
_FLAGS = ("-std=c++17", "-O1", "-shared", "-fPIC", "-ffp-contract=off", "-Wall", "-Werror", "-Wno-unknown-pragmas")


def build(stem: str, folder: Path, flags: Sequence[str] = ()) -> Path:
    """A shared library with every instance of a file; `launch(i, ...)` runs the i-th of kernels.INSTANCES.

    Args:
        stem: of the .cu file.
        folder: where the library goes; one of the same source and flags is taken as it is.
        flags: more of them for the compiler.
    """
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler: neither g++ nor c++ is on PATH")
    cases = "".join(
        f"    case {i}: return shim::launch({instance}, blocks, threads, arguments);\n"
        for i, instance in enumerate(kernels.INSTANCES[stem])
    )
    code = (
        f'#include "{HERE}/shim.hpp"\n{kernels.source(stem)}\n'
        'extern "C" void launch(int which, unsigned blocks, unsigned threads, void** arguments) {\n'
        f"  switch (which) {{\n{cases}  }}\n}}\n"
    )
    marks = hashlib.sha256((code + (HERE / "shim.hpp").read_text() + " ".join(flags)).encode()).hexdigest()[:16]
    made = folder / f"{stem}-{marks}.so"
    if not made.exists():
        with tempfile.TemporaryDirectory(dir=folder) as own:  # processes side by side each build, one wins
            (text := Path(own) / f"{stem}.cpp").write_text(code)
            subprocess.run([compiler, *_FLAGS, *flags, text, "-o", f"{own}/made.so"], check=True)
            os.replace(f"{own}/made.so", made)
    return made


@functools.cache
def library(stem: str) -> ctypes.CDLL:
    """The library of a file, built once for all test processes."""
    folder = Path(tempfile.gettempdir()) / f"vsvfi-shim-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return ctypes.CDLL(str(build(stem, folder)))


def launch(stem: str, instance: str, count: int, *arguments: kernels.Argument, threads: int = 64) -> None:
    """As kernels.launch, on tensors in host memory; fewer threads than work, so that the loops go round."""
    if count == 0:
        return
    cells = [_cell(argument) for argument in arguments]
    pointers = (ctypes.c_void_p * len(cells))(*[cell.ctypes.data for cell in cells])
    blocks = max(1, -(-count // threads) - 1)
    library(stem).launch(kernels.INSTANCES[stem].index(instance), blocks, threads, pointers)


def _cell(argument: kernels.Argument) -> np.ndarray:
    if isinstance(argument, Tensor):
        assert argument.device.type == "cpu"
        return np.array([argument.data_ptr()], np.uintp)
    return np.array([0 if argument is None else argument], np.uintp if argument is None else argument.dtype)


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ops take their kernels for tensors in host memory too."""
    monkeypatch.setattr(kernels, "launch", launch)
    monkeypatch.setattr(kernels, "usable", lambda *tensors: True)
