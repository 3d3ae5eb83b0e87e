"""`vsvfi models`: what models there are, and the facts of one."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from ..model import ModelSpec

models_app = typer.Typer(help="The models there are.", invoke_without_command=True, no_args_is_help=False)


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

    from .. import loading, plugins

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("name", "family", "licence", "commercial", "t", "precision", "installed", "what it is"):
        table.add_column(heading, no_wrap=heading != "what it is")
    for name, spec in plugins.specs().items():
        table.add_row(
            name, spec.family, spec.license, _yes(spec.commercial), spec.timesteps, " ".join(spec.precisions),
            _yes(loading.is_installed(spec)), spec.summary,
        )  # fmt: skip
    Console().print(table)


@models_app.command("show")
def show_model(name: Annotated[str, typer.Argument(help="A name of `vsvfi models list`.")]) -> None:
    """Every fact of one model."""
    from rich.console import Console
    from rich.table import Table

    from .. import loading, plugins
    from .failing import failing

    with failing("models"):
        spec = plugins.spec(name)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan")
    table.add_column()
    for field in dataclasses.fields(ModelSpec):
        table.add_row(field.name, _text(getattr(spec, field.name)))
    table.add_row("installed", _yes(loading.is_installed(spec)))
    Console().print(table)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return _yes(value)
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}={default!r}" for key, default in value.items()) or "none"
    return "none" if value is None else str(value)
