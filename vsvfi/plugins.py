"""Finds plugins, registers them one by one, and names the broken: which models there are and who builds them.

A plugin is a module (or any object) with the hooks of hookspecs.py, named in the entry-point group `vsvfi`; those
that come with vsvfi are registered the same way. One that fails is left out with one warning; the others work.
"""

from __future__ import annotations

import difflib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from . import hookspecs
from .errors import OptionError, UnknownModelError, VsvfiError
from .model import Model, ModelSpec

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from .weights.checkpoint import Checkpoint

log = logging.getLogger("vsvfi")

GROUP = "vsvfi"
"""Entry-point group that plugins are named in."""


class Plugins:
    """All plugins of one process; the functions below serve the one that everybody uses.

    Args:
        find: lists entry points; called once, when the first model is asked for.
    """

    def __init__(self, find: Callable[[], Iterable[EntryPoint]]) -> None:
        self._find = find
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._offers: dict[str, list[ModelSpec]] = {}
        self._owners: dict[str, str] = {}
        self._specs: dict[str, ModelSpec] = {}
        self._broken: dict[str, str] = {}
        self._found = False
        self._finding = False
        self._lock = threading.RLock()

    def specs(self) -> dict[str, ModelSpec]:
        """All models by name. Where two plugins offer one name, the one registered first has it."""
        self._load()
        return dict(self._specs)

    def spec(self, name: str) -> ModelSpec:
        """The model of this name.

        Raises:
            UnknownModelError: there is none; the message names the nearest and lists all.
        """
        known = self.specs()
        if name in known:
            return known[name]
        near = difflib.get_close_matches(name.lower(), known, 1)
        hint = f'did you mean "{near[0]}"? ' if near else ""
        listed = f"there are: {', '.join(sorted(known))}" if known else "no plugin offers any"
        raise UnknownModelError(f'no model "{name}"; {hint}{listed} (vsvfi models list)')

    def broken(self) -> dict[str, str]:
        """Why each plugin that was left out was, by name."""
        self._load()
        return dict(self._broken)

    def build(
        self,
        spec: ModelSpec,
        device: str,
        precision: str,
        weights: Mapping[str, torch.Tensor] | None = None,
    ) -> Model:
        """Have a plugin make the model: the one that listed it is asked first, then all others.

        Args:
            spec: of the model.
            device: "cpu", "cuda:0", ...
            precision: "fp32", "fp16" or "bf16".
            weights: for the plugin.

        Raises:
            VsvfiError: no plugin makes it, or what one made is no Model.
        """
        self._load()
        asked = _Asked(spec, device, precision, weights)
        owner = self._manager.get_plugin(self._owners.get(spec.name, ""))
        hook = self._manager.hook.vsvfi_build
        model = next((made for made in _answers(hook, owner, asked) if made is not None), None)
        if model is None:
            model = hook(**dict(asked))
        if model is None:
            raise VsvfiError(f"{spec.name}: no plugin builds it; its plugin's vsvfi_build answered None")
        if not isinstance(model, Model):
            raise VsvfiError(f"{spec.name}: vsvfi_build must answer with a vsvfi.Model, got {type(model).__name__}")
        return model

    def checkpoint(self, spec: ModelSpec) -> Checkpoint | None:
        """What the model's plugin says of its published weights; None where it says nothing."""
        self._load()
        found: Checkpoint | None = self._manager.hook.vsvfi_checkpoint(spec=spec)
        return found

    def convert(self, family: str, source: Path) -> Mapping[str, torch.Tensor]:
        """Have a plugin read weights that are in no format of torch.

        Raises:
            OptionError: no plugin does that for the family.
        """
        self._load()
        found: Mapping[str, torch.Tensor] | None = self._manager.hook.vsvfi_convert(family=family, source=source)
        if found is None:
            raise OptionError(f'there is nothing to convert for "{family}"; its files install as they are')
        return found

    def register(self, plugin: object, name: str | None = None) -> None:
        """Add a plugin without an entry point, as a script or a test does.

        Args:
            plugin: a module or an object with the hooks.
            name: as it is to be called in messages; the module's own if None.

        Raises:
            OptionError: it cannot be used; the message says why.
        """
        self._load()
        called = name or str(getattr(plugin, "__name__", type(plugin).__name__))
        try:
            self._add(called, plugin)
        except Exception as error:
            raise OptionError(f"plugin {called}: {_reason(error)}") from error

    def unregister(self, plugin: object) -> None:
        """Take out what `register` added; models already built go on working.

        Raises:
            OptionError: it is not registered.
        """
        with self._lock:
            name = self._manager.get_name(plugin)
            if name is None:
                raise OptionError(f"plugin {getattr(plugin, '__name__', plugin)!r} is not registered")
            self._manager.unregister(plugin)
            del self._offers[name]
            self._index()

    def _load(self) -> None:
        if self._found:
            return
        with self._lock:
            if self._found or self._finding:  # finding: a plugin that asks for models while it is imported
                return
            self._finding = True
            # Ours first, then by name: which of two gets a model's name must not depend on the order of folders.
            found = sorted(self._find(), key=lambda e: (not e.value.startswith("vsvfi."), e.name, e.value))
            for entry in found:
                try:
                    self._add(entry.name, entry.load())
                except (Exception, SystemExit) as error:  # whatever somebody else's code may do on import
                    self._blame(entry, _reason(error))
            self._found = True

    def _add(self, name: str, plugin: object) -> None:
        """Register one plugin whole, or not at all."""
        with self._lock:
            if self._manager.has_plugin(name):
                raise ValueError(f"another plugin is already registered as {name!r}")
            if (other := self._manager.get_name(plugin)) is not None:
                raise ValueError(f"this is the same plugin as {other!r}")
            try:
                self._manager.register(plugin, name)
                self._manager.check_pending()  # without it a misspelt hook is accepted and never called
                if not self._manager.get_hookcallers(plugin):
                    raise ValueError("it implements no hook of vsvfi.hookspecs; is @vsvfi.hookimpl missing?")
                self._offers[name] = _offered(_answers(self._manager.hook.vsvfi_models, plugin, {}))
            except BaseException:
                if self._manager.is_registered(plugin):
                    self._manager.unregister(plugin)
                raise
            self._index(warn=name)

    def _index(self, warn: str | None = None) -> None:
        specs: dict[str, ModelSpec] = {}
        owners: dict[str, str] = {}
        for plugin, offers in self._offers.items():
            for spec in offers:
                if spec.name not in specs:
                    specs[spec.name], owners[spec.name] = spec, plugin
                elif plugin == warn:
                    log.warning(
                        "plugin %s: its model %s is left out, plugin %s has one of that name",
                        plugin, spec.name, owners[spec.name],
                    )  # fmt: skip
        self._specs, self._owners = specs, owners  # replaced, never changed: readers need no lock

    def _blame(self, entry: EntryPoint, why: str) -> None:
        name = entry.name
        if self._manager.has_plugin(name) or name in self._broken:  # the name is another's: say whose plugin it is
            name = f"{name} ({entry.value})"
        self._broken[name] = why
        log.warning("plugin %s is left out: %s", name, why)


def _answers(hook: pluggy.HookCaller, plugin: object, asked: Mapping[str, Any]) -> list[Any]:
    """What one plugin answers to a hook; not through pluggy, which asks all and drops an answer that is None."""
    own = [impl for impl in hook.get_hookimpls() if impl.plugin is plugin]
    return [impl.function(*(asked[name] for name in impl.argnames)) for impl in own]


def _offered(answers: list[Any]) -> list[ModelSpec]:
    """What a plugin's vsvfi_models gave, checked. A plugin without that hook offers nothing."""
    offered: list[ModelSpec] = []
    for answer in answers:
        if not isinstance(answer, (list, tuple)) or not all(isinstance(spec, ModelSpec) for spec in answer):
            kinds = ", ".join(sorted({type(a).__name__ for a in answer})) if isinstance(answer, (list, tuple)) else ""
            got = f"{type(answer).__name__} of {kinds}" if kinds else type(answer).__name__
            raise TypeError(f"vsvfi_models must return a list of vsvfi.ModelSpec, got {got}")
        offered += answer
    return offered


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class _Asked(Mapping[str, Any]):
    """The arguments of vsvfi_build; device and dtype, and with them torch, are made when a plugin asks for them."""

    def __init__(self, spec: ModelSpec, device: str, precision: str, weights: object) -> None:
        self._plain: dict[str, object] = {"spec": spec, "weights": weights}
        self._made: dict[str, Callable[[], object]] = {
            "device": partial(torch_device, device),
            "dtype": partial(torch_dtype, precision),
        }

    def __getitem__(self, name: str) -> Any:
        return self._made[name]() if name in self._made else self._plain[name]

    def __iter__(self) -> Iterator[str]:
        yield from (*self._plain, *self._made)

    def __len__(self) -> int:
        return len(self._plain) + len(self._made)


def torch_device(name: str) -> torch.device:
    """The device of this name."""
    import torch

    return torch.device(name)


def torch_dtype(precision: str) -> torch.dtype:
    """The dtype of "fp32", "fp16" or "bf16"."""
    import torch

    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]


_plugins = Plugins(lambda: entry_points(group=GROUP))

specs = _plugins.specs
spec = _plugins.spec
broken = _plugins.broken
build = _plugins.build
checkpoint = _plugins.checkpoint
convert = _plugins.convert
register = _plugins.register
unregister = _plugins.unregister
