"""The weights on this machine: `<name>.safetensors` and, beside it, a record of where it came from.

Nothing stands under its final name before it is whole: files are written beside it and then renamed. No torch is
imported to ask what is there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from ..errors import WeightsError, WeightsMissingError

if TYPE_CHECKING:
    from torch import Tensor

    from ..model import ModelSpec
    from .checkpoint import Facts


@dataclass(frozen=True, kw_only=True)
class Record:
    """Where installed weights came from.

    Attributes:
        name: of the model.
        source: path or address, as given.
        source_kind: kind of file it was.
        source_sha256: of that file.
        sha256: of the file in the store.
        installed: date and time, UTC, ISO 8601.
        license: of the weights, as known then.
        commercial: whether that licence allows commercial use.
        license_shown: whether the user was told that it does not.
        checked: whether keys and shapes were held against the architecture.
        facts: what the values tell, as the family's plugin computes it.
        writer: the version of vsvfi that wrote the file.
    """

    name: str
    source: str
    source_kind: str
    source_sha256: str
    sha256: str = ""
    installed: str = ""
    license: str
    commercial: bool
    license_shown: bool
    checked: bool
    facts: Facts = field(default_factory=dict)
    writer: str = ""


def folder() -> Path:
    """Where installed weights are: $VSVFI_MODELS, else `models` in the user's data folder."""
    named = os.environ.get("VSVFI_MODELS")
    return Path(named) if named else Path(platformdirs.user_data_dir("vsvfi", appauthor=False)) / "models"


def weights_file(spec: ModelSpec) -> Path:
    """Where the model's weights are, or would be."""
    return folder() / f"{spec.name}.safetensors"


def record_file(spec: ModelSpec) -> Path:
    """Where the record of it is, or would be."""
    return folder() / f"{spec.name}.json"


def is_installed(spec: ModelSpec) -> bool:
    """Whether the model can be built without further files."""
    return spec.checkpoint is None or weights_file(spec).is_file()


def put(spec: ModelSpec, weights: Mapping[str, Tensor], record: Record) -> Record:
    """Write weights and record; a model installed before is replaced.

    Returns:
        The record as written: with hash, date and version.

    Raises:
        WeightsError: the folder cannot be written to.
    """
    from safetensors.torch import save_file

    from .. import __version__

    with explaining(folder()):
        folder().mkdir(parents=True, exist_ok=True)
        with replacing(weights_file(spec)) as file:
            # Copies: two keys may show the same numbers, which the format has no way to say.
            save_file({key: value.detach().contiguous().clone() for key, value in weights.items()}, file)
            record = dataclasses.replace(
                record, sha256=sha256(file), installed=datetime.now(UTC).isoformat(timespec="seconds"),
                writer=f"vsvfi {__version__}",
            )  # fmt: skip
            # First the record: alone it means nothing, whereas weights without one cannot be verified.
            with replacing(record_file(spec)) as beside:
                beside.write_text(json.dumps(dataclasses.asdict(record), indent=1) + "\n", encoding="utf-8")
    return record


def record(spec: ModelSpec) -> Record | None:
    """What was written down when the model was installed; None: nothing was, or it cannot be read."""
    try:
        return Record(**json.loads(record_file(spec).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def verify(spec: ModelSpec) -> Record:
    """Compare the installed file with its record.

    Raises:
        WeightsMissingError: it is not installed.
        WeightsError: there is no record, or the file is not the one that was installed.
    """
    require(spec)
    found = record(spec)
    if found is None:
        raise WeightsError(f"{spec.name}: {weights_file(spec)} has no record beside it, it was not installed by vsvfi")
    got = sha256(weights_file(spec))
    if got != found.sha256:
        raise WeightsError(
            f"{spec.name}: {weights_file(spec)} was changed since it was installed (SHA-256 {got}, was {found.sha256});"
            f" install it again"
        )
    return found


def remove(spec: ModelSpec) -> int:
    """Delete weights and record.

    Returns:
        Bytes freed.

    Raises:
        WeightsMissingError: it is not installed.
        WeightsError: the folder cannot be written to.
    """
    require(spec)
    with explaining(folder()):
        freed = weights_file(spec).stat().st_size
        weights_file(spec).unlink()
        record_file(spec).unlink(missing_ok=True)
    return freed


def require(spec: ModelSpec) -> None:
    """Raise WeightsMissingError where the model has weights that are not installed."""
    if not weights_file(spec).is_file():
        if spec.checkpoint is None:
            raise WeightsMissingError(f"{spec.name} has no weights")
        raise WeightsMissingError(f"{spec.name} is not installed; run: vsvfi models install {spec.name}")


def sha256(file: Path) -> str:
    """Of a file's content, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def replacing(final: Path) -> Iterator[Path]:
    """A file to write, which then takes the final name, or is deleted if anything went wrong.

    Args:
        final: in a folder that exists.
    """
    handle, name = tempfile.mkstemp(prefix=f".{final.stem}-", suffix=".part", dir=final.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def explaining(where: Path) -> Iterator[None]:
    """Raise WeightsError where the file system refuses, naming the folder.

    Args:
        where: the folder.
    """
    try:
        yield
    except OSError as error:
        hint = "; $VSVFI_MODELS names another folder" if where == folder() else ""
        raise WeightsError(f"cannot write to {where}: {error.strerror or error}{hint}") from error
