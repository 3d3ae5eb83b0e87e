"""What all tests share: where the test clips are, when the `gpu` marker runs, how hypothesis behaves in CI."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    import vapoursynth as vs

# Test processes side by side, each with as many threads as there are cores, wait for each other more than they work.
# Before torch is imported, which reads it once.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]

# No deadline: a busy machine is not a wrong result. CI replays the same examples every time.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def _why_no_gpu() -> str | None:
    """The reason to skip `gpu` tests, or None where a CUDA device answers."""
    import torch  # only where a gpu test was collected: it takes a second or two

    if torch.cuda.is_available():
        return None
    return f"no CUDA device: torch {torch.__version__} reports torch.cuda.is_available() == False"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked `gpu` where there is none, and say why."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    reason = _why_no_gpu() if marked else None
    if reason:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def _activated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The environment's programs come first, as where it is activated, and the user's settings are left alone.

    vspipe starts the Python that `vapoursynth config` wrote down for it. Where nothing is written it runs that command
    itself, from PATH, and the answer goes to the user's settings.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.path.dirname(sys.executable), prepend=os.pathsep)
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("settings")))
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test clips and published answers: $VSVFI_SHARED, else `shared` beside the checkout."""
    folder = Path(os.environ.get("VSVFI_SHARED") or ROOT.parent / "shared")
    if not (folder / "clips").is_dir():
        pytest.skip(f"no test clips: {folder} has no folder `clips` (set VSVFI_SHARED)")
    return folder


@pytest.fixture
def core() -> Iterator[vs.Core]:
    """VapourSynth's core; its outputs are cleared afterwards, so that no test sees another's."""
    import vapoursynth as vs

    yield vs.core.core
    vs.clear_outputs()
