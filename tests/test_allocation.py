"""Large blocks stay with the process, in threads too, unless one says otherwise."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from vsvfi import allocation

SCRIPT = """
import resource
from concurrent.futures import ThreadPoolExecutor
from vsvfi.allocation import keep_large_blocks
print(keep_large_blocks())

letter = b"x"

def faults():
    for _ in range(3):
        letter * (100 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        letter * (100 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with ThreadPoolExecutor(1) as pool:
    print(pool.submit(faults).result())
"""

on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")


def run(tmp_path: Path, **env: str) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env={**os.environ, **env}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    effect, faults = done.stdout.split()
    return effect, int(faults)


@on_glibc
def test_a_thread_gets_the_same_memory_again(tmp_path: Path) -> None:
    effect, faults = run(tmp_path)
    assert effect == "True"
    assert faults < 2_000, "ten times 100 MiB are 256,000 pages"


@on_glibc
def test_it_can_be_left_alone(tmp_path: Path) -> None:
    effect, faults = run(tmp_path, VSVFI_KEEP_MEMORY="0")
    assert effect == "False"
    assert faults > 4_000


def test_elsewhere_nothing_happens(monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert allocation.keep_large_blocks.__wrapped__() is False
