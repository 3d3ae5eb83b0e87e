"""The two layouts of torch.save, and TorchScript: where their storages are, checked before anything is allocated.

The newer layout is a zip archive with one folder: `data.pkl`, a pickle that refers to storages by key, and
`data/<key>`, their bytes. The older is a row of pickles with all storages behind them.
TorchScript adds `code/`: its modules as text, of which only the lists of parameter names are read.
"""

from __future__ import annotations

import ast
import io
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from .outline import Declared, Implausible, Outline, Scripted, Storage, outline

_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of a file that torch wrote before 1.6
_SMALL = 64 << 20  # bytes that compressed parts of an archive (TorchScript's code) may unpack to, all together

_CLASS = re.compile(
    r"^class (\w+)\(Module\):\s*\n  __parameters__ = (\[[^\]]*\])\s*\n  __buffers__ = (\[[^\]]*\])", re.MULTILINE
)


@dataclass(frozen=True)
class Archive:
    """An archive whose claims have been checked.

    Attributes:
        found: its pickle's outline.
        scripted: whether TorchScript wrote it; `found` is then a Scripted.
        folder: the one that all parts are in.
        tensors: TorchScript's own words on which attributes of a class are parameters and buffers.
    """

    found: object
    scripted: bool
    folder: str
    tensors: dict[str, frozenset[str]]


def read_archive(file: Path) -> Archive:
    """Look into a zip archive.

    Raises:
        Implausible: sizes that cannot be, or a zip archive of another kind.
        Unsafe: see `outline`.
    """
    with zipfile.ZipFile(file) as zipped:
        parts = {part.filename: part for part in zipped.infolist()}
        _check_sizes(list(parts.values()), file.stat().st_size)
        pickles = [name for name in parts if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1 or len(parts) != len(zipped.infolist()):
            raise Implausible("it is a zip archive, but not of torch's kind; unpack it and give what is inside")
        folder = pickles[0].removesuffix("data.pkl")
        scripted = f"{folder}constants.pkl" in parts
        outlined = outline(io.BytesIO(zipped.read(pickles[0])), scripted=scripted)
        for key, storage in outlined.storages.items():
            part = parts.get(f"{folder}data/{key}")
            if part is None or part.file_size < storage.nbytes:
                raise Implausible(f"its part data/{key} is missing or too short")
        code = [name for name in parts if name.startswith(f"{folder}code/") and name.endswith(".py")]
        tensors = dict(_classes((name.removeprefix(f"{folder}code/"), zipped.read(name)) for name in code))
    return Archive(outlined.found, scripted, folder, tensors)


def read_tensors(file: Path, archive: Archive, wanted: dict[str, Declared]) -> dict[str, Tensor]:
    """The bytes behind declared tensors: for TorchScript, which torch.load(weights_only=True) does not read."""
    with zipfile.ZipFile(file) as zipped:
        keys = {tensor.storage.key: tensor.storage for tensor in wanted.values()}
        flat = {
            key: torch.frombuffer(bytearray(zipped.read(f"{archive.folder}data/{key}")), dtype=storage.dtype)
            for key, storage in keys.items()
            if storage.numel
        }
    return {
        name: torch.as_strided(
            flat.get(t.storage.key, torch.empty(0, dtype=t.storage.dtype)), t.shape, t.strides, t.offset
        )
        for name, t in wanted.items()
    }


def flattened(module: Scripted, archive: Archive) -> dict[str, object]:
    """Parameters and buffers of a TorchScript module, under the keys that its state_dict has."""
    found: dict[str, object] = {}
    waiting: list[tuple[str, object]] = [("", module)]
    path: set[str] = set()
    while waiting:
        prefix, item = waiting.pop()
        if not isinstance(item, Scripted) or not isinstance(item.state, dict) or prefix in path:
            continue
        if len(path) > 100_000 or prefix.count(".") > 100:
            raise Implausible("its modules are nested without end")
        path.add(prefix)
        names = archive.tensors.get(item.kind, frozenset())
        for name, value in item.state.items():
            if name in names and isinstance(value, Declared):
                found[f"{prefix}{name}"] = value
            elif isinstance(value, Scripted):
                waiting.append((f"{prefix}{name}.", value))
    return found


def read_old(file: Path) -> Outline:
    """Look into a file that torch wrote before 1.6, or was told to write so: pickles, then storages in turn.

    Raises:
        Implausible: it is none, or shorter than it says.
        Unsafe: see `outline`.
    """
    with file.open("rb") as stream:
        if outline(stream).found != _MAGIC:
            raise Implausible("its pickle is not one of torch.save")
        for _ in ("protocol", "machine"):
            outline(stream)
        found = outline(stream)
        keys = outline(stream).found
        if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(found.storages):
            raise Implausible("its list of parts is not that of its tensors")
        _check_storages(stream, [found.storages[str(key)] for key in keys], file.stat().st_size)
    return found


def _check_storages(stream: IO[bytes], storages: list[Storage], length: int) -> None:
    """Each storage is its length in 8 bytes, then its numbers."""
    claimed = sum(8 + storage.nbytes for storage in storages)
    if stream.tell() + claimed > length:
        raise Implausible(f"it claims {claimed} bytes of numbers, and has {length - stream.tell()}")
    for storage in storages:
        if struct.unpack("<q", stream.read(8)) != (storage.numel,):
            raise Implausible("its parts are not as long as its pickle says")
        stream.seek(storage.nbytes, 1)


def _check_sizes(parts: list[zipfile.ZipInfo], length: int) -> None:
    """Parts that are stored as they are cannot be larger than the file; the few compressed ones must be small."""
    plain = sum(part.file_size for part in parts if part.compress_type == zipfile.ZIP_STORED)
    packed = sum(part.file_size for part in parts if part.compress_type != zipfile.ZIP_STORED)
    if plain > length or packed > _SMALL:
        raise Implausible(
            f"it has {length} bytes and would unpack to {plain + packed}; torch does not compress tensors"
        )


def _classes(code: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, frozenset[str]]]:
    for name, text in code:
        module = name.removesuffix(".py").replace("/", ".")
        for found in _CLASS.finditer(text.decode("utf-8", "replace")):
            names = [*ast.literal_eval(found[2]), *ast.literal_eval(found[3])]
            yield f"{module}.{found[1]}", frozenset(map(str, names))
