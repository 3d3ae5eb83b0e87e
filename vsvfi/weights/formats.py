"""Weights files of whatever kind their authors publish, read as what they are: strangers' files.

Which kind a file is shows in its bytes, not its name. A look at it (`look`) checks its sizes and says which tensors it
holds before memory is taken for one; nothing in it is run. Kinds: safetensors; torch.save as a zip archive (torch 1.6
and later) and as pickles in a row (before); TorchScript, of which only the tensors are read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError, WeightsMissingError

if TYPE_CHECKING:
    from torch import Tensor

    from .checkpoint import Shapes

WRAPPERS = ("params_ema", "state_dict", "model_state_dict", "params", "model", "network", "net", "weights")
"""Keys that training scripts put a state_dict under, the one to be preferred first."""

PREFIXES = ("module.", "_orig_mod.")
"""What wrappers of a model (for several devices, for a compiler) put before every key."""

_NOT_WEIGHTS = {
    b"<!DOC": "a web page: the download needs a browser, or its link has moved",
    b"<!doc": "a web page: the download needs a browser, or its link has moved",
    b"<html": "a web page: the download needs a browser, or its link has moved",
    b"versi": "a pointer of git-lfs, not the file it points to",
    b"\x1f\x8b": "compressed with gzip; unpack it and give what is inside",
    b"BZh": "compressed with bzip2; unpack it and give what is inside",
    b"\xfd7zXZ": "compressed with xz; unpack it and give what is inside",
}


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes:
        kind: of file, in words.
        shapes: keys, without wrapper and prefix, and shapes.
        read: gives the tensors, on the CPU.
    """

    kind: str
    shapes: Shapes
    read: Callable[[], dict[str, Tensor]]


def read(file: Path) -> dict[str, Tensor]:
    """The state_dict in a file, without wrapper and prefix.

    Raises:
        WeightsMissingError: there is no such file.
        WeightsError: it is damaged, hostile, or no state_dict.
    """
    return look(file).read()


def look(file: Path) -> Contents:
    """What a file holds; its numbers are not read yet.

    Raises:
        WeightsMissingError: there is no such file.
        WeightsError: it is damaged, hostile, or no state_dict; so may `read` of what is returned.
    """
    if not file.is_file():
        raise WeightsMissingError(f"there is no file {file}")
    with file.open("rb") as stream:
        begin = stream.read(512)
    for magic, what in _NOT_WEIGHTS.items():
        if begin.startswith(magic):
            raise WeightsError(f"{file} is {what}")
    if begin[257:262] == b"ustar":
        raise WeightsError(f"{file} is a tar archive; unpack it and give what is inside")
    with _blaming(file):
        if _is_safetensors(begin, file.stat().st_size):
            return _safetensors(file)
        return _archive(file) if begin.startswith(b"PK\x03\x04") else _old(file)


def unwrapped(found: object, leaf: type, name: str) -> dict[str, Any]:
    """The state_dict in what a file held: out of the dictionaries around it, without the prefixes of its keys.

    Args:
        found: of whatever type.
        leaf: what a tensor is here.
        name: of the file, for the message.

    Raises:
        WeightsError: there is none; the message says what there is.
    """
    for _ in range(3):  # {"model": {"state_dict": {...}}} has been seen
        if isinstance(found, Mapping):
            found = next((found[key] for key in WRAPPERS if isinstance(found.get(key), Mapping)), found)
    if not isinstance(found, Mapping):
        raise WeightsError(f"{name} must be a state_dict (names to tensors), got {_called(found, leaf)}")
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, leaf):
            raise WeightsError(f"{name} must be a state_dict (names to tensors), got {_called(value, leaf)} at {key!r}")
    tensors = dict(found)
    while prefix := next((p for p in PREFIXES if tensors and all(key.startswith(p) for key in tensors)), None):
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def _called(value: object, leaf: type) -> str:
    return "Tensor" if isinstance(value, leaf) else type(value).__name__


@contextmanager
def _blaming(file: Path) -> Iterator[None]:
    """Whatever goes wrong while a file is read is the file's fault: a hostile one may make readers fail in any way."""
    from .outline import Implausible, Unsafe

    try:
        yield
    except WeightsError:
        raise
    except Unsafe as error:
        told = f"{file} holds more than tensors: {error}; nothing of it was run; its state_dict alone would do"
        raise WeightsError(told) from error
    except Implausible as error:
        raise WeightsError(f"{file} is damaged or made up: {error}") from error
    except Exception as error:
        raise WeightsError(f"{file} is damaged, or no weights file; nothing of it was run") from error


def _is_safetensors(begin: bytes, length: int) -> bool:
    """Eight bytes of length, then that much JSON."""
    return len(begin) > 8 and begin[8:9] == b"{" and struct.unpack("<Q", begin[:8])[0] + 8 <= length


def _safetensors(file: Path) -> Contents:
    from safetensors import safe_open  # it compares its header with the file's length before anything else
    from safetensors.torch import load_file

    with safe_open(file, "pt") as opened:
        names = opened.keys()
        found = {name: tuple(opened.get_slice(name).get_shape()) for name in names}
    renamed = unwrapped(found, tuple, str(file))

    def tensors() -> dict[str, Tensor]:
        with _blaming(file):
            loaded = load_file(file)
            return {new: loaded[name] for new, name in zip(renamed, found, strict=True)}

    return Contents("safetensors", renamed, tensors)


def _archive(file: Path) -> Contents:
    from .archive import flattened, read_archive, read_tensors
    from .outline import Declared, Scripted

    archive = read_archive(file)
    found = flattened(archive.found, archive) if isinstance(archive.found, Scripted) else archive.found
    declared = unwrapped(found, Declared, str(file))
    _check_total(declared, file)
    if not archive.scripted:
        return Contents("torch.save", _shapes(declared), lambda: _torch_load(file, declared))

    def tensors() -> dict[str, Tensor]:
        with _blaming(file):
            return read_tensors(file, archive, declared)

    return Contents("TorchScript", _shapes(declared), tensors)


def _old(file: Path) -> Contents:
    from .archive import read_old
    from .outline import Declared

    declared = unwrapped(read_old(file).found, Declared, str(file))
    _check_total(declared, file)
    return Contents("torch.save, before 1.6", _shapes(declared), lambda: _torch_load(file, declared))


def _torch_load(file: Path, declared: Mapping[str, Any]) -> dict[str, Tensor]:
    import torch

    with _blaming(file), file.open("rb") as stream:  # a stream: given a name, torch goes by its suffix
        tensors = unwrapped(torch.load(stream, map_location="cpu", weights_only=True), torch.Tensor, str(file))
        if {key: tuple(tensor.shape) for key, tensor in tensors.items()} != _shapes(declared):
            raise WeightsError(f"{file} says one thing to one reader and another to the next; it is not used")
        return tensors


def _shapes(declared: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {key: tensor.shape for key, tensor in declared.items()}


def _check_total(declared: Mapping[str, Any], file: Path) -> None:
    """Many tensors may show one storage; more than a few times the file's size is no checkpoint."""
    total, most = sum(tensor.nbytes for tensor in declared.values()), 4 * file.stat().st_size
    if total > most:
        raise WeightsError(f"{file} is damaged or made up: it claims {total} bytes of tensors in {most // 4}")
