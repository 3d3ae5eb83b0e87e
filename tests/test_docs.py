"""The documentation is held to the code: options with their defaults, properties, commands, hooks, models, links."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from typer.main import get_command

import vsvfi
from vsvfi import hookspecs, plugins
from vsvfi.cli.app import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_option_with_its_default() -> None:
    from vsvfi import Interpolate

    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", read("options.md"), re.MULTILINE))
    for name, parameter in inspect.signature(Interpolate).parameters.items():
        if name == "clip":
            continue
        shown = '"' + parameter.default + '"' if isinstance(parameter.default, str) else str(parameter.default)
        assert rows.pop(name, None) == shown, f"options.md: `{name}` with default `{shown}`"
    assert not rows, f"options.md describes what does not exist: {rows}"


@pytest.mark.parametrize("function", ["Transition", "Translate", "Stylize"])
def test_every_argument_of_what_is_made_whole(function: str) -> None:
    page = read("transitions.md")
    section = page[page.index(f"\n## {function}\n") :].split("\n## ")[1]
    rows = dict(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (`[^`]+`)? ?\|", section, re.MULTILINE))
    listed = {name.strip("`"): shown.strip("`") for names, shown in rows.items() for name in names.split(", ")}
    for name, parameter in inspect.signature(getattr(vsvfi, function)).parameters.items():
        default = parameter.default
        shown = "" if default is parameter.empty else f'"{default}"' if isinstance(default, str) else str(default)
        assert listed.pop(name, None) == shown, f"transitions.md: `{name}` of {function} with default `{shown}`"
    assert not listed, f"transitions.md describes what {function} does not have: {listed}"


@pytest.mark.parametrize("function", ["Interpolate", "Transition", "Translate", "Stylize"])
def test_every_option_stands_in_the_docstring(function: str) -> None:
    text = inspect.getdoc(getattr(vsvfi, function)) or ""
    for name in inspect.signature(getattr(vsvfi, function)).parameters:
        assert re.search(rf"^    {name}: ", text, re.MULTILINE), name


def test_every_property_that_is_written() -> None:
    written = set(re.findall(r'props\["(\w+)"\]', (ROOT / "vsvfi/properties.py").read_text(encoding="utf-8")))
    assert {"VsvfiScene", "VsvfiSceneScore", "VsvfiSource", "VsvfiTimestep", "_AbsoluteTime"} <= written
    for name in written:
        assert f"`{name}`" in read("properties.md"), name


def test_every_command_and_its_options() -> None:
    text = read("cli.md") + read("render.md") + read("models.md")
    commands = dict(get_command(app).commands)
    commands |= {f"models {name}": command for name, command in commands["models"].commands.items()}
    for name, command in commands.items():
        assert f"vsvfi {name}" in text, name
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--") and option not in ("--help", "--install-completion", "--show-completion"):
                    assert option in text, f"vsvfi {name} {option}"


def test_every_hook() -> None:
    for name in vars(hookspecs):
        if name.startswith("vsvfi_"):
            assert name in read("plugins.md"), name


def test_every_model() -> None:
    text = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in plugins.specs():
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_anchors_exist(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        text = (page.parent / target if target else page).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in slugs, f"{page.name}: {target}#{anchor}"
