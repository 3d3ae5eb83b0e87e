"""docs/models.md is held to models.yaml, and models.yaml to itself."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from vsvfi import plugins
from vsvfi.model import ModelSpec
from vsvfi.weights import formats, registry

GUIDE = Path(__file__).parents[2] / "docs" / "models.md"
SPECS = registry.known()


def row(spec: ModelSpec) -> str:
    """A model's line in the guide."""
    if spec.checkpoint is None:
        weights = "none"
    elif spec.url:
        weights = f"[`{spec.checkpoint}`]({spec.url}), downloaded"
    else:
        weights = f"`{spec.checkpoint}` from [its authors' page]({spec.source})"
    commercial = "yes" if spec.commercial else "no"
    low, high = spec.timestep_range
    times = {"any": "any", "half": "1/2, others by halving"}[spec.timesteps]
    times = times if (low, high) == (0, 1) else f"{low:g} to {high:g}"
    cells = (f"`{spec.name}`", weights, spec.license, commercial, times, spec.trained_on or "nothing")
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("name", SPECS)
def test_the_guide_has_every_model(name: str) -> None:
    assert row(SPECS[name]) in GUIDE.read_text(encoding="utf-8").splitlines()


def test_the_guide_has_no_other_model() -> None:
    shown = re.findall(r"^\| `([a-z0-9-]+)` \| (?:\[|`|none)", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(shown) == sorted(SPECS)


def test_the_guide_names_what_is_taken() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in (*formats.WRAPPERS, *formats.PREFIXES))


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.name)
def test_facts(spec: ModelSpec) -> None:
    assert urlsplit(spec.source).scheme == "https"
    assert spec.checkpoint is None or (spec.trained_on and spec.paper)
    if spec.url is not None:
        assert urlsplit(spec.url).scheme == "https"
        assert spec.url.endswith(f"/{spec.checkpoint}")
    assert spec.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", spec.sha256)
    assert spec.git_blob is None or re.fullmatch(r"[0-9a-f]{40}", spec.git_blob)
    assert (spec.quality > 1) == (spec.task == "interpolate" and spec.name != "flow")


def test_names_and_ranks_are_nobody_elses() -> None:
    checkpoints = [(spec.family, spec.checkpoint) for spec in SPECS.values()]
    assert len(set(checkpoints)) == len(checkpoints)
    ranks = [spec.quality for spec in SPECS.values() if spec.task == "interpolate"]
    assert len(set(ranks)) == len(ranks)


def test_licences() -> None:
    """As their authors state them; no model that may not be used commercially is chosen for anybody."""
    for spec in SPECS.values():
        assert spec.commercial == (spec.license in ("MIT", "Apache-2.0", "BSD-3-Clause")), spec.name
    assert {spec.family for spec in SPECS.values() if not spec.commercial} == {"uprnet", "gimmvfi", "sdl"}


def test_every_model_has_a_backend() -> None:
    offered = plugins.specs()
    assert offered.keys() >= SPECS.keys()
    assert {spec.family for spec in offered.values()} >= {"flow", "ifrnet", "uprnet", "film", "sdl", "gimmvfi"}
