"""Plugins are found, registered one by one, and the broken ones named; installed packages of two other people too."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

import vsvfi
from vsvfi import hookspecs, testing
from vsvfi.errors import OptionError, UnknownModelError, VsvfiError
from vsvfi.model import Model, ModelSpec
from vsvfi.plugins import Plugins

CPU = torch.device("cpu")
FACTS: dict[str, Any] = {"family": "f", "variant": "v", "summary": "s", "license": "MIT", "source": "here"}


def spec(name: str) -> ModelSpec:
    return ModelSpec(name=name, commercial=True, **FACTS)


class Built(Model):
    """Remembers what it was built with."""

    def __init__(self, spec, device, dtype, weights, by) -> None:
        super().__init__(spec, device, dtype)
        self.weights, self.by = weights, by

    encode = relate = synthesize = None  # type: ignore[assignment]


Built.__abstractmethods__ = frozenset()


def plugin(name: str, *models: str) -> Any:
    """A plugin that lists these models and builds whatever it is asked for."""
    module: Any = ModuleType(name)
    module.vsvfi_models = vsvfi.hookimpl(specname="vsvfi_models")(lambda: [spec(model) for model in models])
    module.vsvfi_build = vsvfi.hookimpl(specname="vsvfi_build")(
        lambda spec, device, dtype, weights: Built(spec, device, dtype, weights, name)
    )
    return module


def entry(name: str, value: str, load) -> Any:
    """An entry point to something that needs no file."""
    return SimpleNamespace(name=name, value=value, load=load)


def builder(plugins: Plugins, model: str) -> str:
    """Name of the plugin that built this model."""
    built: Any = plugins.build(plugins.spec(model), "cpu", "fp32")
    return str(built.by)


class Found:
    """Entry points to modules written for the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[EntryPoint] = []

    def add(self, source: str, name: str | None = None) -> None:
        module = f"plugin_{self.folder.name}_{len(self.entries)}"
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        self.entries.append(EntryPoint(name or f"p{len(self.entries)}", module, "vsvfi"))

    def good(self, *models: str, name: str | None = None) -> None:
        self.add(
            f"""
            import vsvfi
            from tests.test_plugins import spec

            @vsvfi.hookimpl
            def vsvfi_models():
                return [spec(name) for name in {models!r}]
            """,
            name,
        )

    def plugins(self) -> Plugins:
        return Plugins(lambda: self.entries)


@pytest.fixture
def found(tmp_path, monkeypatch) -> Found:
    monkeypatch.syspath_prepend(tmp_path)
    return Found(tmp_path)


BROKEN = {
    "import": ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
    "syntax": ("def", "SyntaxError: invalid syntax"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "misspelt hook": (
        """
        import vsvfi

        @vsvfi.hookimpl
        def vsvfi_model():
            return []
        """,
        "unknown hook 'vsvfi_model'",
    ),
    "misspelt argument": (
        """
        import vsvfi

        @vsvfi.hookimpl
        def vsvfi_build(spec, devise):
            return None
        """,
        "'devise'",
    ),
    "no hook": ("def vsvfi_models(): return []", "implements no hook of vsvfi.hookspecs; is @vsvfi.hookimpl missing?"),
    "raises": (
        """
        import vsvfi

        @vsvfi.hookimpl
        def vsvfi_models():
            raise RuntimeError("no licence server")
        """,
        "RuntimeError: no licence server",
    ),
    "rubbish": (
        """
        import vsvfi

        @vsvfi.hookimpl
        def vsvfi_models():
            return ["flow"]
        """,
        "vsvfi_models must return a list of vsvfi.ModelSpec, got list of str",
    ),
    "a generator": (
        """
        import vsvfi

        @vsvfi.hookimpl
        def vsvfi_models():
            yield None
        """,
        "vsvfi_models must return a list of vsvfi.ModelSpec, got generator",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_named_once_and_the_others_work(found: Found, caplog, kind: str) -> None:
    source, why = BROKEN[kind]
    found.good("before")
    found.add(source)
    found.good("after")
    plugins = found.plugins()
    assert list(plugins.specs()) == ["before", "after"]
    assert list(plugins.specs()) == ["before", "after"]
    assert list(plugins.broken()) == ["p1"]
    assert why in plugins.broken()["p1"]
    [record] = caplog.records
    assert (record.name, record.levelno) == ("vsvfi", logging.WARNING)
    assert record.getMessage() == f"plugin p1 is left out: {plugins.broken()['p1']}"
    with pytest.raises(VsvfiError, match="before: no plugin builds it"):
        plugins.build(plugins.spec("before"), "cpu", "fp32")


def test_a_second_plugin_of_one_name_is_named(found: Found, caplog) -> None:
    found.good("first", name="same")
    found.good("second", name="same")
    plugins = found.plugins()
    assert list(plugins.specs()) == ["first"]
    [name] = plugins.broken()
    assert name == f"same ({found.entries[1].value})"
    assert "another plugin is already registered as 'same'" in plugins.broken()[name]
    assert len(caplog.records) == 1


def test_one_module_under_two_names_is_named(found: Found, caplog) -> None:
    found.good("model")
    found.entries.append(EntryPoint("twice", found.entries[0].value, "vsvfi"))
    plugins = found.plugins()
    assert list(plugins.specs()) == ["model"]
    assert plugins.broken() == {"twice": "ValueError: this is the same plugin as 'p0'"}
    assert len(caplog.records) == 1


def test_the_first_registered_keeps_a_models_name(caplog) -> None:
    plugins = Plugins(lambda: [])
    first, second = plugin("first", "a", "b"), plugin("second", "b", "c")
    plugins.register(first)
    plugins.register(second)
    assert list(plugins.specs()) == ["a", "b", "c"]
    assert [r.getMessage() for r in caplog.records] == [
        "plugin second: its model b is left out, plugin first has one of that name"
    ]
    assert [builder(plugins, name) for name in "abc"] == ["first", "first", "second"]
    plugins.unregister(first)
    assert list(plugins.specs()) == ["b", "c"]
    assert builder(plugins, "b") == "second"
    assert len(caplog.records) == 1


def test_our_own_come_before_others_whatever_they_are_called(monkeypatch) -> None:
    own = entry("flow", "vsvfi.backends.flow", lambda: plugin("own", "flow"))
    other = entry("aaa", "somewhere", lambda: plugin("other", "flow"))
    plugins = Plugins(lambda: [other, own])
    assert builder(plugins, "flow") == "own"


def test_nothing_is_imported_before_a_model_is_asked_for_and_then_once(found: Found) -> None:
    calls = []
    slow = threading.Event()

    def find():
        calls.append(1)
        slow.wait(0.05)
        return found.entries

    found.good("model")
    plugins = Plugins(find)
    assert calls == []
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: list(plugins.specs()), range(6)))
    assert answers == [["model"]] * 6
    assert calls == [1]


def test_a_plugin_may_ask_for_models_while_it_is_imported() -> None:
    early = entry("a", "a", lambda: plugin("a", "early"))
    asks = entry("b", "b", lambda: plugin("b", *(f"{name}-again" for name in plugins.specs())))
    plugins: Plugins = Plugins(lambda: [early, asks])
    assert list(plugins.specs()) == ["early", "early-again"]


def test_an_unknown_model() -> None:
    plugins = Plugins(lambda: [])
    with pytest.raises(UnknownModelError, match=r'^no model "flow"; no plugin offers any \(vsvfi models list\)$'):
        plugins.spec("flow")
    plugins.register(plugin("p", "ifrnet-s", "ifrnet-l", "flow"))
    listed = r"there are: flow, ifrnet-l, ifrnet-s \(vsvfi models list\)$"
    for name in ("ifrnet_l", "IFRNet-L"):
        with pytest.raises(UnknownModelError, match=f'^no model "{name}"; did you mean "ifrnet-l"\\? {listed}'):
            plugins.spec(name)
    with pytest.raises(UnknownModelError, match=f'^no model "zzz"; {listed}'):
        plugins.spec("zzz")


def test_build_hands_everything_on() -> None:
    plugins = Plugins(lambda: [])
    plugins.register(plugin("p", "model"))
    weights = {"w": torch.ones(1)}
    model: Any = plugins.build(plugins.spec("model"), "cpu", "fp16", weights)
    assert (model.spec.name, model.device, model.dtype) == ("model", CPU, torch.float16)
    assert model.weights is weights


def test_the_plugin_that_listed_a_model_builds_it() -> None:
    """A plugin that answers for whatever it is asked, or raises at it, does not get the models of others."""
    plugins = Plugins(lambda: [])
    greedy, raising = plugin("greedy", "g"), plugin("raising", "r")
    raising.vsvfi_build = vsvfi.hookimpl(specname="vsvfi_build")(lambda spec: 1 / 0)
    for module in (greedy, plugin("wanted", "w"), raising):
        plugins.register(module)
    assert builder(plugins, "w") == "wanted"


def test_a_plugin_may_build_what_another_lists() -> None:
    plugins = Plugins(lambda: [])
    lister = plugin("lister", "model")
    del lister.vsvfi_build
    plugins.register(plugin("builder"))
    plugins.register(lister)
    assert builder(plugins, "model") == "builder"


def test_any_object_with_the_hooks_is_a_plugin() -> None:
    """Also one that cannot be hashed, as instances of most dataclasses."""

    @dataclass
    class Configured:
        models: list[str]

        @vsvfi.hookimpl
        def vsvfi_models(self):
            return [spec(name) for name in self.models]

        @vsvfi.hookimpl
        def vsvfi_build(self, device, spec):
            return Built(spec, device, torch.float32, None, "Configured")

    plugins = Plugins(lambda: [])
    plugins.register(Configured(["x", "y"]))
    plugins.register(plugin("other", "z"))
    assert [builder(plugins, name) for name in "xyz"] == ["Configured", "Configured", "other"]


def test_what_is_built_must_be_a_model() -> None:
    plugins = Plugins(lambda: [])
    module = plugin("p", "model")
    module.vsvfi_build = vsvfi.hookimpl(specname="vsvfi_build")(lambda spec: "a model")
    plugins.register(module)
    with pytest.raises(VsvfiError, match=r"model: vsvfi_build must answer with a vsvfi\.Model, got str"):
        plugins.build(plugins.spec("model"), "cpu", "fp32")


def test_register_raises_where_entry_points_only_warn(caplog) -> None:
    plugins = Plugins(lambda: [])
    bad: Any = ModuleType("bad")
    bad.vsvfi_models = vsvfi.hookimpl(specname="vsvfi_models")(lambda: None)
    with pytest.raises(OptionError, match="plugin bad: TypeError: vsvfi_models must return a list"):
        plugins.register(bad)
    with pytest.raises(OptionError, match="plugin 'bad' is not registered"):
        plugins.unregister(bad)
    good = plugin("good", "model")
    plugins.register(good)
    with pytest.raises(OptionError, match="plugin good: ValueError: another plugin is already registered as 'good'"):
        plugins.register(plugin("good", "other"))
    plugins.unregister(good)
    plugins.register(good)
    assert list(plugins.specs()) == ["model"]
    assert caplog.records == []


SAMPLES = Path(__file__).parent / "sample_plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both sample packages, built and installed as anybody's would be."""
    target = tmp_path_factory.mktemp("site")
    copies = tmp_path_factory.mktemp("source")  # building leaves files beside the source
    for name in ("crossfade", "broken"):
        for file in (SAMPLES / name).rglob("*.*"):
            if file.suffix in (".py", ".toml"):
                copy = copies / name / file.relative_to(SAMPLES / name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(file.read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--target", target, copies / "crossfade", copies / "broken"],
        check=True, timeout=120,
    )  # fmt: skip
    return target


def run(script: str, site: Path, *options: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, *options, "-c", textwrap.dedent(script)]
    return subprocess.run(command, env=env, cwd=site, capture_output=True, text=True, timeout=120)


def test_an_installed_plugin_works_beside_a_broken_one(installed: Path) -> None:
    done = run(
        """
        import logging, sys
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
        from vsvfi import plugins
        assert {"flow", "crossfade"} <= set(plugins.specs())
        assert "torch" not in sys.modules, "listing models must be quick"
        print(plugins.broken())
        import torch, vsvfi
        half = vsvfi.load("crossfade", device="cpu").interpolate(torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16))
        print(round(half.mean().item(), 4))
        """,
        installed,
    )
    assert done.returncode == 0, done.stderr
    why = "ModuleNotFoundError: No module named 'a_library_nobody_has'"
    assert done.stdout.splitlines() == [str({"broken": why}), "0.7492"]  # (1/2) ** (1/2.4)
    assert done.stderr.splitlines() == [f"WARNING vsvfi: plugin broken is left out: {why}"]


def test_the_installed_plugin_passes_the_conformance_suite(installed: Path) -> None:
    done = run("from vsvfi import testing; testing.check_backend('crossfade')", installed)
    assert done.returncode == 0, done.stderr


def test_the_filter_uses_an_installed_plugin(installed: Path) -> None:
    done = run(
        """
        import vapoursynth as vs, vsvfi
        dark = vs.core.std.BlankClip(width=64, height=48, format=vs.RGBS, length=1)
        light = dark.std.Invert()
        clip = vsvfi.Interpolate(dark + light, "crossfade", 2, False, options={"gamma": 1.0})
        print(clip.get_frame(1)[1][0, 0])
        """,
        installed,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0.5"


def test_the_guide_shows_the_sample_plugin_as_it_is(root: Path) -> None:
    """Its blocks are the files that are installed and run above, to the letter."""
    guide = (root / "docs/plugins.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)```$", guide, re.MULTILINE | re.DOTALL))
    files = [f for f in (SAMPLES / "crossfade").rglob("*.*") if f.suffix in (".py", ".toml") and f.is_file()]
    assert blocks == {f.relative_to(SAMPLES / "crossfade").as_posix(): f.read_text(encoding="utf-8") for f in files}


def test_the_guides_script_runs(root: Path, installed: Path) -> None:
    guide = (root / "docs/plugins.md").read_text(encoding="utf-8")
    [script] = re.findall(r"^<!-- run -->\n\n```python\n(.*?)```$", guide, re.MULTILINE | re.DOTALL)
    done = run(script, installed)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "torch.Size([1, 3, 90, 160])"


def test_the_guide_names_the_whole_contract(root: Path) -> None:
    guide = (root / "docs/plugins.md").read_text(encoding="utf-8")
    hooks = [name for name in vars(hookspecs) if name.startswith("vsvfi_")]
    stages = ["encode", "relate", "synthesize", "explain", "configured", "interpolate"]
    names = [*hooks, *stages, *(f.name for f in fields(ModelSpec)), *(check.__name__ for check in testing.CHECKS)]
    names += [check.__name__ for check in (*testing.PLANES_CHECKS, *testing.FLOW_CHECKS)]
    assert [name for name in names if f"`{name}`" not in guide] == []
