"""What a pickle of tensors says it holds, found out without making a tensor or running anything it names.

A pickle is a program. This reads it twice: first only the names of its instructions, of which those that torch.save
and TorchScript write are allowed; then with stand-ins for the few names that a file of tensors needs, so that what
comes out are descriptions, each held against the storage behind it. torch.load(weights_only=True), which reads the
file afterwards, runs nothing either, but takes sizes on trust: a file of 1 kB gives a tensor that is 1 GB as soon as it
is copied (strides of 0), and in the older layout a storage grows to what is claimed before its numbers are missed.
"""

from __future__ import annotations

import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import IO, Any

import torch

MOST_INSTRUCTIONS = 2_000_000
"""A checkpoint of 1000 tensors has about 30 000."""

# What torch.save writes by default, in Python 2 and 3, and TorchScript: protocol 2, all that weights_only knows.
_INSTRUCTIONS = """
PROTO STOP MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 BINFLOAT
BINUNICODE BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES
EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT DICT SETITEM SETITEMS
BINPUT LONG_BINPUT BINGET LONG_BINGET GLOBAL REDUCE BUILD NEWOBJ BINPERSID
"""
_ALLOWED = frozenset(_INSTRUCTIONS.split())
_DTYPES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip


class Unsafe(pickle.UnpicklingError):
    """The pickle wants more than tensors; the message says what."""


class Implausible(pickle.UnpicklingError):
    """What the pickle claims cannot be; the message says why."""


@dataclass(frozen=True)
class Storage:
    """A run of `numel` samples of one kind, under `key` in the archive."""

    dtype: torch.dtype
    key: str
    numel: int

    @property
    def nbytes(self) -> int:
        """Its size."""
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True)
class Declared:
    """A tensor as the pickle describes it: a view of a storage; strides and offset in samples."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """What it takes on its own."""
        return prod(self.shape) * self.storage.dtype.itemsize


class Scripted:
    """Stand-in for a TorchScript module: `kind` is its class, `state` its attributes."""

    kind = ""
    state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state


@dataclass(frozen=True)
class Outline:
    """What a pickle holds, with Declared for tensors, and all storages it refers to, by key."""

    found: object
    storages: Mapping[str, Storage]

    @property
    def nbytes(self) -> int:
        """What its storages take."""
        return sum(storage.nbytes for storage in self.storages.values())


def outline(stream: IO[bytes], *, scripted: bool = False) -> Outline:
    """Read one pickle at the stream's position; the stream then stands behind it.

    Args:
        stream: seekable.
        scripted: allow TorchScript modules; they come out as Scripted.

    Raises:
        Unsafe: it wants something that a file of tensors does not need.
        Implausible: a tensor is larger than what is behind it.
        pickle.UnpicklingError, ValueError, EOFError and others: it is damaged.
    """
    begin = stream.tell()
    _check_instructions(stream)
    end = stream.tell()
    stream.seek(begin)
    describer = _Describer(stream, scripted)
    found = describer.load()
    stream.seek(end)
    return Outline(found, describer.storages)


def _check_instructions(stream: IO[bytes]) -> None:
    for count, (code, argument, _) in enumerate(pickletools.genops(stream)):
        if code.name not in _ALLOWED:
            raise Unsafe(f"it uses the pickle instruction {code.name}")
        if code.name == "LONG_BINPUT" and argument is not None and argument > count:
            raise Implausible("it numbers its parts wrongly")  # the reader would reserve memory for all in between
        if count >= MOST_INSTRUCTIONS:
            raise Implausible(f"its pickle has more than {MOST_INSTRUCTIONS} instructions")


class _Stand:
    """A callable that nothing in a pickle can change."""

    __slots__ = ("_call",)
    _call: Callable[..., object]

    def __init__(self, call: Callable[..., object]) -> None:
        object.__setattr__(self, "_call", call)

    def __call__(self, *args: object) -> object:
        return self._call(*args)

    def __setattr__(self, name: str, value: object) -> None:
        raise Unsafe(f"it wants to set {name} of a function")


class _Describer(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], scripted: bool) -> None:
        super().__init__(stream, encoding="utf-8")
        self._scripted = scripted
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        stand = _STANDS.get((module, name))
        if stand is not None:
            return stand
        if module in ("torch", "torch.cuda") and name in _DTYPES:
            return _DTYPES[name]
        if module == "torch" and isinstance(kind := getattr(torch, name, None), torch.dtype):
            return kind
        if self._scripted and module.split(".")[0] == "__torch__":
            return type("Scripted", (Scripted,), {"kind": f"{module}.{name}"})
        if self._scripted and module == "torch.jit._pickle":
            return _Stand(lambda value, *_: value)  # build_intlist and the like: a list with its type
        raise Unsafe(f"it wants {module}.{name}")

    def persistent_load(self, told: Any) -> Storage:
        kind, dtype, key, _, numel, *view = told
        if any(view):
            raise Implausible("it has storages within storages")
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(numel, int) or numel < 0:
            raise Implausible(f"it refers to {kind!r} of {numel!r} samples")
        storage = Storage(dtype, str(key), numel)
        if self.storages.setdefault(storage.key, storage) != storage:
            raise Implausible(f"it describes its part {key!r} in two ways")
        return storage


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: object) -> Declared:
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, Storage) or len(shape) != len(strides) or not all(map(_is_count, numbers)):
        raise Implausible("it describes a tensor that cannot be")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    # The number of samples too: a stride of 0 shows one of them any number of times.
    if prod(shape) and max(last + 1, prod(shape)) > storage.numel:
        raise Implausible(f"it claims a tensor of shape {tuple(shape)}, and has {storage.numel} numbers for it")
    return Declared(storage, offset, tuple(shape), tuple(strides))


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


_STANDS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): _Stand(tuple),
    ("torch._utils", "_rebuild_tensor"): _Stand(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Stand(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Stand(lambda data, *_: data),
}
