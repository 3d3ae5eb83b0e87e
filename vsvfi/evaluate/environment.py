"""What a figure was measured on: date, version, commit, machine, libraries. Goes into every JSON report."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import vsvfi

LIBRARIES = ("vapoursynth", "vapoursynth-bestsource", "vapoursynth-mvtools", "torch", "numpy", "numba", "av")
"""Those a measurement depends on. OpenCV and CuPy come in several packages and are asked for apart."""


def describe() -> dict[str, object]:
    """Date, version, commit, machine and library versions, ready for JSON."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "vsvfi": vsvfi.__version__,
        "commit": commit(),
        "machine": {
            "system": platform.platform(),
            "processor": processor(),
            "cores": cores(),
            "gpus": gpus(),
        },
        "libraries": {"python": platform.python_version(), **versions()},
    }


def commit() -> str | None:
    """The git commit of a checkout, "-dirty" added where files differ from it; None for an installed package."""
    package = Path(vsvfi.__file__).parent
    try:
        done = subprocess.run(
            ["git", "-C", str(package), "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        # A package installed below somebody else's repository is not part of it.
        subprocess.run(
            ["git", "-C", str(package), "ls-files", "--error-unmatch", "__init__.py"],
            capture_output=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def processor() -> str:
    """The processor's name as people know it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def cores() -> int:
    """Logical processors this process may use."""
    return len(_affinity())


def gpus() -> list[str]:
    """Names of the CUDA devices torch sees; empty without one."""
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def versions() -> dict[str, str]:
    """Versions of the libraries a measurement depends on; those not installed are left out."""
    wanted = {*LIBRARIES}
    prefixes = ("opencv-", "cupy-")
    found = {}
    for item in metadata.distributions():
        name = (item.metadata["Name"] or "").lower()
        if name in wanted or name.startswith(prefixes):
            found[name] = item.version
    return dict(sorted(found.items()))


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))
