"""What becomes of the model that a user names or hands in."""

from __future__ import annotations

import pytest

import vsvfi
from vsvfi.errors import OptionError
from vsvfi.intake import model_for
from vsvfi.options import Options


@pytest.mark.parametrize(("asked", "found"), [(None, 0.5), (1.0, 1.0), (0.25, 0.25)])
def test_a_models_own_scale_stays_unless_another_is_asked_for(asked: float | None, found: float) -> None:
    own = vsvfi.load("flow", device="cpu").configured(scale=0.5)
    chosen = model_for(own, ("interpolate",), "cpu", Options(scale=asked), (64, 64))
    assert chosen.settings["scale"] == found
    assert own.settings["scale"] == 0.5


def test_a_scale_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    own = vsvfi.load("flow", device="cpu")
    monkeypatch.setattr(own, "spec", own.spec.__class__(**{**vars(own.spec), "scales": None}))
    monkeypatch.setattr(own, "settings", {})
    assert model_for(own, ("interpolate",), "cpu", Options(), (64, 64)).settings == {}
    with pytest.raises(OptionError, match="flow has no scale; leave scale out"):
        model_for(own, ("interpolate",), "cpu", Options(scale=0.5), (64, 64))
