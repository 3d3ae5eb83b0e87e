"""models.yaml as ModelSpecs: the facts of the models that come with vsvfi."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

from ..model import ModelSpec


@cache
def known() -> dict[str, ModelSpec]:
    """Every row of models.yaml, by name."""
    # libyaml where it is there: the plain loader takes 20 ms, and every script that uses the filter would wait for it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    rows = yaml.load(files("vsvfi").joinpath("models.yaml").read_bytes(), loader)
    return {name: _spec(name, row) for name, row in rows.items()}


def family(name: str) -> list[ModelSpec]:
    """The rows of one family, in the order of the file."""
    return [spec for spec in known().values() if spec.family == name]


def _spec(name: str, row: dict[str, object]) -> ModelSpec:
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return ModelSpec(name=name, **fields)  # type: ignore[arg-type]
