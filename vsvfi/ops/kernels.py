"""Compiles and launches cuda/*.cu: the only importer of CuPy. What a kernel means stands in the op that launches it.

NVRTC compiles an instance when it is first launched (tenths of a second); CuPy keeps the result on disk.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import logging
import os
import re
import threading
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vsvfi.errors import DeviceError

log = logging.getLogger("vsvfi")

OPTIONS = ("-std=c++17",)
THREADS = 256
_MOST_BLOCKS = (1 << 31) - 1
_MOST_INT32 = (1 << 31) - 1

TYPES = {torch.float32: "float", torch.float16: "Half", torch.bfloat16: "BFloat16"}
SAMPLES = {torch.uint8: "unsigned char", torch.uint16: "unsigned short", torch.float16: "Half", torch.float32: "float"}
_KNOWN = {*TYPES, *SAMPLES}
_INDICES = ("int32", "int64")
_BOOLS = ("false", "true")
_FLOATS = tuple(TYPES.values())
_WITH_FLOWS = (("float", "float"), ("Half", "float"), ("Half", "Half"), ("BFloat16", "float"), ("BFloat16", "BFloat16"))
"""(image, flow): a flow may be in the image's type or in float."""

type Argument = Tensor | np.generic | None
"""A pointer, a number of declared width, or a null pointer: CuPy checks none, and sends a Python float as a double."""


def _table(name: str, *axes: Iterable[str | tuple[str, ...]]) -> list[str]:
    rows = itertools.product(*axes)
    flat = (itertools.chain.from_iterable((x,) if isinstance(x, str) else x for x in row) for row in rows)
    return [f"{name}<{', '.join(row)}>" for row in flat]


INSTANCES: dict[str, list[str]] = {
    "backward_warp": [
        *_table("backward_warp", _WITH_FLOWS, _INDICES, _BOOLS),
        *_table("backward_warp_packed", _WITH_FLOWS, _INDICES, _BOOLS),
    ],
    "warp_blend": _table("warp_blend", _WITH_FLOWS, _INDICES),
    "from_planes": _table("from_planes", SAMPLES.values(), _FLOATS),
    "to_planes": _table("to_planes", _FLOATS, SAMPLES.values()),
    "scene_score": [
        "thumbnail<unsigned char, true>",
        "thumbnail<unsigned short, true>",
        "thumbnail<Half, false>",
        "thumbnail<float, false>",
        *_table("difference", SAMPLES.values()),
    ],
    "bilinear_slope": _table("bilinear_slope", _INDICES, _BOOLS),
    "local_cost": _table("local_cost", _FLOATS, _INDICES, ("3", "4"), _BOOLS),
    "lookup": [
        *_table("lookup_products", _FLOATS, _INDICES, _BOOLS),
        *_table("lookup", _FLOATS, _INDICES),
    ],
    "splat": [
        *_table("splat_bound", _FLOATS, _INDICES),
        *_table("splat_top", _INDICES),
        *_table("splat", _FLOATS, _INDICES, ("int64", "float"), _BOOLS),
        *_table("splat_finish", _FLOATS, _INDICES, ("int64", "float")),
    ],
}
"""Every instance there is, by file: what CI compiles, and what `launch` may be asked for."""


def usable(*tensors: Tensor | None) -> bool:
    """Whether the kernels can compute on these: on a CUDA device, in types they know, and CuPy installed.

    VSVFI_KERNELS=0 switches them off: then torch's own operators do the work.
    """
    there = [tensor for tensor in tensors if tensor is not None]
    return all(tensor.is_cuda and tensor.dtype in _KNOWN for tensor in there) and _present()


def source(stem: str) -> str:
    """A .cu file with what it includes pasted in: CuPy's cache on disk looks at the text it is given alone."""
    seen: set[str] = set()

    def paste(name: str) -> str:
        if name in seen:
            return ""
        seen.add(name)
        text = (resources.files("vsvfi.cuda") / name).read_text(encoding="utf-8").replace("#pragma once\n", "")
        return re.sub(r'^#include "(.+)"$', lambda found: paste(found[1]), text, flags=re.MULTILINE)

    return paste(f"{stem}.cu")


def index_type(*tensors: Tensor | None, count: int = 0) -> str:
    """The type in which every offset into these tensors, and `count` units of work, can be told."""
    furthest = max((_extent(tensor) for tensor in tensors if tensor is not None), default=0)
    # A loop steps once beyond the end before it stops, by at most all the threads of the launch.
    return "int32" if max(furthest, 2 * (count + THREADS)) <= _MOST_INT32 else "int64"


def strides(tensor: Tensor | None, index: str) -> list[np.generic]:
    """An (N, C, H, W) tensor's strides as a kernel's STRIDES; zeros for one that is absent."""
    return indices((0, 0, 0, 0) if tensor is None else tensor.stride(), index)


def in_packs(tensor: Tensor) -> bool:
    """Whether an (N, C, H, W) tensor's channels lie beside each other, in whole packs of 16 aligned bytes."""
    pack = 16 // tensor.element_size()
    along_n, along_c, along_y, along_x = tensor.stride()
    whole = all(number % pack == 0 for number in (tensor.shape[1], along_n, along_y, along_x))
    return along_c == 1 and whole and tensor.data_ptr() % 16 == 0


def indices(values: Iterable[int], index: str) -> list[np.generic]:
    """Whole numbers in the kernel's index type."""
    kind = np.int32 if index == "int32" else np.int64
    return [kind(value) for value in values]


def launch(stem: str, instance: str, count: int, *arguments: Argument) -> None:
    """Start a kernel on the current stream of the device its tensors are on.

    Args:
        stem: of the .cu file.
        instance: one of INSTANCES[stem].
        count: units of work, a thread each; where it is 0 nothing is launched.
        arguments: as the kernel lists them.
    """
    if count == 0:
        return
    assert instance in INSTANCES[stem], f"{instance} stands in no table, so nothing proves that it compiles"
    tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
    device = tensors[0].device
    assert all(tensor.device == device for tensor in tensors), "the op has checked"
    import cupy

    kernel = _kernel(stem, instance, device.index)
    stream = _stream(torch.cuda.current_stream(device).cuda_stream, device.index)
    numbers = [_number(argument) for argument in arguments]
    with cupy.cuda.Device(device.index):
        kernel((min(-(-count // THREADS), _MOST_BLOCKS),), (THREADS,), numbers, stream=stream)


def _number(argument: Argument) -> np.generic:
    if argument is None:
        return np.uintp(0)
    return np.uintp(argument.data_ptr()) if isinstance(argument, Tensor) else argument


def _extent(tensor: Tensor) -> int:
    return sum((size - 1) * abs(stride) for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size)


_compiling = threading.Lock()


@cache
def _kernel(stem: str, instance: str, device: int) -> Any:
    import cupy

    # Two threads may ask for one at the same time: CuPy would compile it twice.
    with _compiling, cupy.cuda.Device(device):
        module = cupy.RawModule(code=source(stem), options=OPTIONS, name_expressions=(instance,))
        try:
            return module.get_function(instance).kernel
        except cupy.cuda.compiler.CompileException as error:
            raise DeviceError(
                f"{instance} cannot be compiled for cuda:{device}; set VSVFI_KERNELS=0 to do without it. {error}"
            ) from error


@functools.lru_cache(maxsize=64)
def _stream(handle: int, device: int) -> Any:
    import cupy

    return cupy.cuda.ExternalStream(handle, device)


@cache
def _present() -> bool:
    if os.environ.get("VSVFI_KERNELS") == "0":
        return False
    if importlib.util.find_spec("cupy") is None:
        log.warning(
            "CuPy is not installed, so torch's operators warp frames, slower, and splats differ in their last bits "
            "from run to run; install vsvfi[cuda12] or vsvfi[cuda13], as the driver is"
        )
        return False
    return True
