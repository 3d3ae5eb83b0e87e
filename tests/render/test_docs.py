"""docs/render.md says what the command has."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from vsvfi.cli.render import render
from vsvfi.render.encoders import ENCODERS


def test_every_option_and_encoder_stands_in_the_docs(root: Path) -> None:
    text = (root / "docs/render.md").read_text(encoding="utf-8")
    app = typer.Typer(add_completion=False)
    app.command()(render)
    options = {name for p in typer.main.get_command(app).params for name in p.opts if name.startswith("--")}
    documented = set(re.findall(r"`(--[a-z-]+)`", text))
    assert options - documented == set()
    assert documented - options == set()
    for name, row in ENCODERS.items():
        assert f"`{name}`" in text
        assert row.crf is None or f"{row.crf:g}" in text
