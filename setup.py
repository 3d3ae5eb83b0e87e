"""Packaging. The folders `backends` and `cuda` at the top become `vsvfi.backends` and `vsvfi.cuda`.

pyproject.toml configures tools only; everything a wheel is made of stands here.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
INIT = (ROOT / "vsvfi/__init__.py").read_text(encoding="utf-8")
VERSION = re.search(r'^__version__ = "(.+)"$', INIT, re.MULTILINE).group(1)

# Import package -> folder. A top-level import package called `cuda` or `backends` would collide with other people's.
FOLDERS = {"vsvfi": "vsvfi", "vsvfi.backends": "backends", "vsvfi.cuda": "cuda"}


def packages() -> list[str]:
    """Every package of the three folders, under the name it is imported by."""
    found = []
    for name, folder in FOLDERS.items():
        found += [name, *(f"{name}.{sub}" for sub in find_packages(folder))]
    return found


setup(
    name="vsvfi",
    version=VERSION,
    description="In-between video frames on demand: a frame interpolation filter for VapourSynth",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.12",
    packages=packages(),
    package_dir=FOLDERS,
    package_data={"vsvfi": ["py.typed", "*.yaml"], "vsvfi.cuda": ["*.cu", "*.cuh"]},
    install_requires=[
        "av>=19",
        "matplotlib>=3.9",
        "numba>=0.61",
        "numpy>=2.0",
        "opencv-python-headless>=4.10",
        "pillow>=11",
        "platformdirs>=4.3",
        "pluggy>=1.5",
        "pooch>=1.8",
        "pyyaml>=6.0",
        "requests>=2.31",
        "rich>=13.9",
        "safetensors>=0.5",
        "torch>=2.6",
        "typer>=0.15",
        "vapoursynth>=74",
        "vapoursynth-bestsource>=10",
    ],
    extras_require={
        "cuda12": ["cupy-cuda12x[ctk]>=14"],
        "cuda13": ["cupy-cuda13x[ctk]>=14"],
        "dev": [
            "build>=1.2",
            "codespell>=2.3",
            # With NVRTC, which needs no GPU: every kernel is compiled in CI.
            'cupy-cuda13x>=14; sys_platform == "linux" and platform_machine == "x86_64"',
            "hypothesis>=6.120",
            "mypy>=1.14",
            'nvidia-cuda-nvrtc>=13,<14; sys_platform == "linux" and platform_machine == "x86_64"',
            "pre-commit>=4.0",
            "pytest>=8.3",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "ruff>=0.9",
            "setuptools>=75",
            "types-PyYAML",
            "vapoursynth-mvtools>=24",
        ],
        # TensorFlow reads FILM's published files once, for `vsvfi models convert film`; nothing else needs it.
        "film-convert": [
            'tensorflow-cpu>=2.16; sys_platform != "darwin"',
            'tensorflow>=2.16; sys_platform == "darwin"',
        ],
        "preview": ["vspreview>=0.17", "vsjetpack==1.2.1"],
    },
    entry_points={
        "console_scripts": ["vsvfi = vsvfi.cli.app:main"],
        # Our own backends are registered the way somebody else's package would be.
        "vsvfi": [
            f"{family} = vsvfi.backends.{family}" for family in ("flow", "ifrnet", "uprnet", "film", "sdl", "gimmvfi")
        ],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: GPU :: NVIDIA CUDA",
        "Intended Audience :: End Users/Desktop",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Multimedia :: Video :: Conversion",
        "Typing :: Typed",
    ],
)
