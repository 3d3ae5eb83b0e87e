"""From a file somebody has to installed weights: which model it is, whether it fits, what is written down of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .. import plugins
from ..errors import OptionError, WeightsError
from . import formats, store
from .checkpoint import Checkpoint, Facts, Shapes, misfit

if TYPE_CHECKING:
    from torch import Tensor

    from ..model import ModelSpec

log = logging.getLogger("vsvfi")

SUFFIXES = (".pth", ".pt", ".pkl", ".ckpt", ".bin", ".safetensors")
"""What weights files are called; others in a folder are passed over."""

_PRECISION = re.compile("[-_](fp32|fp16|bf16)$")
"""What conversions put behind a file's name."""


@dataclass(frozen=True)
class Ready:
    """Weights that fit a model, before they are stored.

    Attributes:
        spec: of the model.
        weights: under the official keys.
        kind: of file they were in.
        checked: whether keys and shapes were held against the architecture; without a plugin's word they are not.
        facts: what the values tell.
        remark: how the facts differ from the published file's; None: they do not.
    """

    spec: ModelSpec
    weights: Mapping[str, Tensor]
    kind: str
    checked: bool
    facts: Facts = field(default_factory=dict)
    remark: str | None = None


def prepare(file: Path, spec: ModelSpec | None = None) -> Ready:
    """Read a file and hold it against a model, or find out which model it is.

    Args:
        file: of any kind that `formats` reads.
        spec: the model meant; None: whichever the file fits.

    Raises:
        WeightsMissingError: there is no such file.
        WeightsError: it is damaged or hostile, or does not fit; the message says what differs.
        OptionError: it fits several models, and nothing tells which it is.
    """
    contents = formats.look(file)
    if spec is not None:
        return _fitted(file, contents, spec)
    known = _known()
    fitting = {name: spec for name, (spec, checkpoint) in known.items() if _fits(contents.shapes, checkpoint)}
    if not fitting:
        raise WeightsError(f"{file} fits no model; {_nearest(contents.shapes, known)}")
    if len(fitting) == 1:
        return _fitted(file, contents, next(iter(fitting.values())))
    weights = contents.read()
    by_facts = [spec for name, spec in fitting.items() if _keeps(known[name][1], weights)]
    chosen = by_facts if len(by_facts) == 1 else _named_like(file, by_facts)
    if len(chosen) != 1:
        names = ", ".join(fitting)
        raise OptionError(f"{file} fits {names} alike; say which it is: vsvfi models install NAME --from {file.name}")
    return _fitted(file, contents, chosen[0], weights)


def keep(ready: Ready, file: Path, source: str, *, license_shown: bool) -> store.Record:
    """Store what `prepare` found.

    Args:
        ready: from `prepare`.
        file: that it was read from.
        source: where the file is from, for the record.
        license_shown: whether the user was told of a licence that forbids commercial use.
    """
    record = store.Record(
        name=ready.spec.name, source=source, source_kind=ready.kind, source_sha256=store.sha256(file),
        license=ready.spec.license, commercial=ready.spec.commercial, license_shown=license_shown,
        checked=ready.checked, facts=ready.facts,
    )  # fmt: skip
    return store.put(ready.spec, ready.weights, record)


def files_in(folder: Path) -> list[Path]:
    """The weights files in a folder and below, by name.

    Raises:
        WeightsError: there is none; a folder that needs converting first is named as such.
    """
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not found and any(folder.rglob("saved_model.pb")):
        raise WeightsError(
            f"{folder} holds a TensorFlow SavedModel; convert it first: vsvfi models convert film SAVEDMODEL OUT"
        )
    if not found:
        raise WeightsError(f"{folder} holds no weights file ({', '.join(SUFFIXES)})")
    return found


def _fitted(
    file: Path, contents: formats.Contents, spec: ModelSpec, weights: Mapping[str, Tensor] | None = None
) -> Ready:
    checkpoint = plugins.checkpoint(spec)
    if checkpoint is not None and (differs := misfit(checkpoint.shapes, checkpoint.completed(contents.shapes))):
        others = [name for name, (_, other) in _known().items() if _fits(contents.shapes, other)]
        is_another = f"; it fits {', '.join(others)}" if others else ""
        raise WeightsError(f"{file} does not fit {spec.name}: {differs}{is_another}")
    weights = contents.read() if weights is None else weights
    for key, value in weights.items():
        if not bool(value.isfinite().all()):
            raise WeightsError(f"{file} is damaged: {key} holds numbers that are not finite")
    if checkpoint is None:
        return Ready(spec, weights, contents.kind, checked=False)
    weights = checkpoint.completed(weights)
    facts = checkpoint.facts_of(weights)
    return Ready(spec, weights, contents.kind, True, facts, _remark(checkpoint, facts))


def _fits(shapes: Shapes, checkpoint: Checkpoint) -> bool:
    return checkpoint.completed(shapes) == checkpoint.shapes


def _remark(checkpoint: Checkpoint, facts: Facts) -> str | None:
    if checkpoint.keeps(facts):
        return None
    differing = (
        f"{name} is {facts.get(name)}" for name, value in checkpoint.promised.items() if facts.get(name) != value
    )
    return f"unlike in the published weights, {', '.join(differing)}"


def _known() -> dict[str, tuple[ModelSpec, Checkpoint]]:
    """Every model whose plugin says what its weights look like."""
    found = {}
    for name, spec in plugins.specs().items():
        try:
            checkpoint = plugins.checkpoint(spec) if spec.checkpoint else None
        except Exception as error:  # somebody else's code: the other plugins' models are found all the same
            log.warning("%s is left out of the search: its plugin fails with %s: %s", name, type(error).__name__, error)
            continue
        if checkpoint is not None:
            found[name] = spec, checkpoint
    return found


def _keeps(checkpoint: Checkpoint, weights: Mapping[str, Tensor]) -> bool:
    return checkpoint.keeps(checkpoint.facts_of(weights))


def _named_like(file: Path, specs: Iterable[ModelSpec]) -> list[ModelSpec]:
    """Those that the file has the name of: the published file's, whatever it was converted to, or the model's own."""
    stem = _PRECISION.sub("", file.stem.lower())
    return [spec for spec in specs if stem in (Path(str(spec.checkpoint)).stem.lower(), spec.name)]


def _nearest(shapes: Shapes, known: Mapping[str, tuple[ModelSpec, Checkpoint]]) -> str:
    """The model that shares most with a file, and what differs."""
    shared = {
        name: len(shapes.items() & checkpoint.shapes.items()) / len(checkpoint.shapes)
        for name, (_, checkpoint) in known.items()
    }
    if not shared or max(shared.values()) < 0.5:
        return f"there are: {', '.join(known) or 'none that can be told by their files'}"
    name = max(shared, key=shared.__getitem__)
    return f"it is nearest to {name}: {misfit(known[name][1].shapes, shapes)}"
