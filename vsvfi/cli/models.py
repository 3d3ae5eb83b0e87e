"""`vsvfi models`: what models there are, the facts of one, and what is installed. Installing is next door."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import typer

from ..model import ModelSpec
from . import install
from .failing import failing
from .progress import say

models_app = typer.Typer(help="The models there are.", invoke_without_command=True, no_args_is_help=False)
models_app.command("install")(install.install)
models_app.command("convert")(install.convert)

_LIST_WIDTH = 120
"""Columns at least: in fewer, names and licences leave no room for what a model is; the terminal breaks lines then."""

Name = Annotated[str, typer.Argument(help="A name of `vsvfi models list`.")]


@models_app.callback()
def models(context: typer.Context) -> None:
    """List the models there are."""
    if context.invoked_subcommand is None:
        list_models()


@models_app.command("list")
def list_models() -> None:
    """A line a model."""
    from rich.console import Console
    from rich.table import Table

    from .. import plugins
    from ..weights import store

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("name", "installed", "task", "t", "licence", "what it is"):
        table.add_column(heading, no_wrap=heading != "what it is")
    for name, spec in plugins.specs().items():
        summary = spec.summary if spec.commercial else f"{spec.summary} (not for commercial use)"
        table.add_row(name, _yes(store.is_installed(spec)), spec.task, _times(spec), spec.license, summary)
    console = Console()
    console.width = max(console.width, _LIST_WIDTH)
    console.print(table)


@models_app.command("show")
def show_model(name: Name) -> None:
    """Every fact of one model, and where its installed weights are from."""
    from rich.console import Console
    from rich.table import Table

    from .. import plugins
    from ..weights import store

    with failing("models"):
        spec = plugins.spec(name)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan")
    table.add_column()
    for field in dataclasses.fields(ModelSpec):
        table.add_row(field.name, _text(getattr(spec, field.name)))
    table.add_row("installed", _yes(store.is_installed(spec)))
    record = store.record(spec) if spec.checkpoint and store.is_installed(spec) else None
    if record is not None:
        for what in ("source", "installed", "sha256", "facts"):
            table.add_row("installed from" if what == "source" else f"  {what}", _text(getattr(record, what)))
    Console().print(table)


@models_app.command("path")
def path(name: Annotated[str | None, typer.Argument(help="A model; without one the folder of all.")] = None) -> None:
    """Where a model's weights are; exit status 1 if they are not installed."""
    from .. import plugins
    from ..weights import store

    with failing("models"):
        if name is None:
            typer.echo(store.folder())
            return
        spec = plugins.spec(name)
        store.require(spec)
        typer.echo(store.weights_file(spec))


@models_app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models; without one all installed.")] = None,
) -> None:
    """Compare installed weights with what was written down when they were installed."""
    from .. import plugins
    from ..errors import WeightsError
    from ..weights import store

    with failing("models"):
        specs = [plugins.spec(name) for name in names or []] or [
            spec for spec in plugins.specs().values() if spec.checkpoint and store.is_installed(spec)
        ]
        wrong = 0
        for spec in specs:
            try:
                record = store.verify(spec)
            except WeightsError as error:
                say(f"vsvfi models: {error}")
                wrong += 1
            else:
                typer.echo(f"{spec.name}: as installed {record.installed} from {record.source}")
    if wrong:
        raise typer.Exit(1)


@models_app.command("remove")
def remove(names: Annotated[list[str], typer.Argument(help="Models.")]) -> None:
    """Delete installed weights."""
    from .. import plugins
    from ..weights import store

    with failing("models"):
        for spec in [plugins.spec(name) for name in names]:
            typer.echo(f"{spec.name}: removed, {store.remove(spec) / 1e6:.1f} MB")


def _times(spec: ModelSpec) -> str:
    low, high = spec.timestep_range
    if spec.task == "flow":
        return "-"
    return {"any": "any", "half": "1/2"}[spec.timesteps] if (low, high) == (0, 1) else f"{low:g} to {high:g}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return _yes(value)
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={default!r}" for key, default in value.items()) or "none"
    return "none" if value is None else str(value)
