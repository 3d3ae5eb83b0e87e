"""`vsvfi models install` and `convert`: official weights onto this machine, downloaded or from a file one has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .failing import failing, refuse_existing
from .progress import say

if TYPE_CHECKING:
    from ..model import ModelSpec
    from ..weights.fetch import Progress
    from ..weights.install import Ready

_UNKNOWN_SIZE = 4 << 30  # bytes that a download may have where nothing is known of it
_OVERHEAD = 64 << 20  # bytes of a file besides its numbers: TorchScript's code, a training's settings


def install(
    names: Annotated[list[str] | None, typer.Argument(help="Names of `vsvfi models list`.")] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE|DIR|URL", help="A file you have, a folder of such, or an address."),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option("--sha256", metavar="HEX", help="Take only a file with this SHA-256.")
    ] = None,
) -> None:
    """Install weights; with --from the name may be left out, where the file shows which model it is."""
    from .. import plugins
    from ..errors import OptionError

    with failing("models"):
        specs = [plugins.spec(name) for name in names or []]
        for spec in specs:
            if spec.checkpoint is None:
                raise OptionError(f"{spec.name} has no weights; it works as it is")
        if source is None:
            if not specs:
                raise OptionError("name a model (vsvfi models list), or give a file: --from FILE")
            for spec in specs:
                _download_published(spec, sha256)
        elif Path(source).is_dir():
            _from_folder(Path(source), specs)
        elif len(specs) > 1:
            raise OptionError(f"{source} is one file and cannot be {len(specs)} models")
        elif "://" in source:
            _download(source, specs[0] if specs else None, sha256, None)
        else:
            _from_file(Path(source), specs[0] if specs else None, sha256)


def convert(
    family: Annotated[str, typer.Argument(help="film")],
    source: Annotated[Path, typer.Argument(help="A TensorFlow SavedModel: the folder with saved_model.pb.")],
    out: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
) -> None:
    """Turn weights that are in no format of torch into a file that `install --from` takes."""
    from safetensors.torch import save_file

    from .. import plugins
    from ..weights import store

    with failing("models"):
        refuse_existing(out, overwrite=overwrite)
        weights = plugins.convert(family, source)
        with store.explaining(out.parent), store.replacing(out) as file:
            save_file({key: value.contiguous() for key, value in weights.items()}, file)
        names = [spec.name for spec in plugins.specs().values() if spec.family == family]
        typer.echo(f"{out}: {len(weights)} tensors; now: vsvfi models install {'|'.join(names)} --from {out}")


def _download_published(spec: ModelSpec, sha256: str | None) -> None:
    """From where its authors put it."""
    from ..errors import WeightsError
    from ..weights import store

    if store.weights_file(spec).is_file():
        record = store.verify(spec)
        typer.echo(f"{spec.name}: already installed, from {record.source}")
        return
    if spec.url is None:
        file = str(spec.checkpoint)
        convert = ""
        if file.endswith("saved_model"):
            convert, file = (
                f"vsvfi models convert {spec.family} {file} {spec.name}.safetensors, then: ",
                f"{spec.name}.safetensors",
            )
        raise WeightsError(
            f"{spec.name}: its authors publish {spec.checkpoint} on {spec.source}; get it there, then run: {convert}"
            f"vsvfi models install {spec.name} --from {file}"
        )
    _download(spec.url, spec, sha256 or spec.sha256, spec.git_blob)


def _download(url: str, spec: ModelSpec | None, sha256: str | None, git_blob: str | None) -> None:
    from ..weights import store
    from ..weights.fetch import Wanted, fetch

    wanted = Wanted(url=url, sha256=sha256, git_blob=git_blob, at_most=_at_most(spec))
    with _progress(wanted.name) as progress:
        file = fetch(wanted, store.folder() / "downloads", progress)
    try:
        _install(file, spec, url)
    finally:
        file.unlink(missing_ok=True)


def _from_file(file: Path, spec: ModelSpec | None, sha256: str | None) -> None:
    from ..errors import WeightsError
    from ..weights import store

    if sha256 is not None and file.is_file() and (got := store.sha256(file)) != sha256.lower():
        raise WeightsError(f"{file} has the SHA-256 {got}, not {sha256.lower()}; it is not installed")
    _install(file, spec, str(file.resolve()))


def _from_folder(folder: Path, specs: list[ModelSpec]) -> None:
    """Whatever in it is one of the models meant; all it holds where none is named."""
    from ..errors import OptionError, WeightsError
    from ..weights.install import files_in

    passed: list[str] = []
    done: set[str] = set()
    for file in files_in(folder):
        try:
            ready = _recognised(file, specs)
        except (WeightsError, OptionError) as error:
            passed.append(str(error))
            continue
        if ready.spec.name in done:
            passed.append(f"{file} is {ready.spec.name} as well")
        elif not specs or ready.spec in specs:
            _keep(ready, file, str(file.resolve()))
            done.add(ready.spec.name)
    lacking = [spec.name for spec in specs if spec.name not in done]
    if lacking or not done:
        said = "; ".join(passed[:3]) + (f"; and {len(passed) - 3} more" if len(passed) > 3 else "")
        raise WeightsError(f"nothing in {folder} is {' or '.join(lacking) or 'a known model'}. {said}")
    for reason in passed:
        say(f"vsvfi models: passed over: {reason}")


def _recognised(file: Path, specs: list[ModelSpec]) -> Ready:
    from ..errors import OptionError
    from ..weights.install import prepare

    try:
        return prepare(file)
    except OptionError:  # it fits several alike; of which the user may have named one
        if len(specs) != 1:
            raise
        return prepare(file, specs[0])


def _install(file: Path, spec: ModelSpec | None, source: str) -> None:
    from ..weights.install import prepare

    _keep(prepare(file, spec), file, source)


def _keep(ready: Ready, file: Path, source: str) -> None:
    from ..weights import store
    from ..weights.install import keep

    spec = ready.spec
    known = store.record(spec)
    if not spec.commercial and not (known and known.license_shown):
        say(f"{spec.name}: for non-commercial use only ({spec.license}, {spec.source})")
    if ready.remark:
        say(f"{spec.name}: note: {ready.remark}")
    keep(ready, file, source, license_shown=not spec.commercial)
    size = store.weights_file(spec).stat().st_size / 1e6
    unchecked = "" if ready.checked else ", not checked: its plugin does not say what its weights look like"
    typer.echo(f"{spec.name}: installed, {len(ready.weights)} tensors, {size:.1f} MB, from {ready.kind}{unchecked}")


def _at_most(spec: ModelSpec | None) -> int:
    """Bytes that a model's file may have: what is known, else a few times what its architecture takes."""
    from math import prod

    from .. import plugins

    if spec is not None and spec.nbytes:
        return spec.nbytes
    checkpoint = plugins.checkpoint(spec) if spec is not None else None
    if checkpoint is None:
        return _UNKNOWN_SIZE
    return 4 * 4 * sum(prod(shape) for shape in checkpoint.shapes.values()) + _OVERHEAD


@contextmanager
def _progress(name: str) -> Iterator[Progress]:
    """A bar on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(
        *columns, TimeRemainingColumn(compact=True), console=console, transient=True, disable=not console.is_terminal
    )
    with bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
