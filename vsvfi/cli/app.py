"""`vsvfi`: gathers the commands, one file each. Nothing heavy is imported before a command runs."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from . import bench, compare, doctor, images, models, render

app = typer.Typer(
    name="vsvfi",
    help="In-between video frames on demand.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vsvfi {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """In-between video frames on demand."""


app.command()(render.render)
app.command()(images.images)
app.command()(compare.compare)
app.add_typer(models.models_app, name="models")
app.command()(doctor.doctor)
app.command()(bench.bench)


def main() -> None:
    """Run the command that sys.argv names; exits with 0, 1 for a failure, 2 for wrong usage, 130 for Ctrl-C."""
    app()
