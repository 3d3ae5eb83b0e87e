"""What users type: rates read exactly, nonsense refused with a message that says what was expected."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from vsvfi.errors import OptionError
from vsvfi.options import Options, parse_devices, parse_factor, parse_fps, parse_rational, parse_tile


@pytest.mark.parametrize(
    ("typed", "factor"),
    [
        (2, Fraction(2)),
        (2.5, Fraction(5, 2)),
        ("2.5", Fraction(5, 2)),
        ("5/2", Fraction(5, 2)),
        ("60000/24000", Fraction(5, 2)),
        ("60/23.976", Fraction(60) / Fraction("23.976")),
        (Decimal("2.1"), Fraction(21, 10)),
        (Fraction(1001, 400), Fraction(1001, 400)),
        (1.0, Fraction(1)),
        (2.0000001, Fraction(2)),
        (3.3333333333, Fraction(10, 3)),
    ],
)
def test_factor(typed, factor: Fraction) -> None:
    assert parse_factor(typed) == factor


@pytest.mark.parametrize(
    ("typed", "fps"),
    [
        (60, Fraction(60)),
        ("60000/1001", Fraction(60000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (47.952, Fraction(48000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (119.88, Fraction(120000, 1001)),
        (143.856, Fraction(144000, 1001)),
        (25.0, Fraction(25)),
        (24.5, Fraction(49, 2)),
        (59.9, Fraction(599, 10)),
    ],
)
def test_fps(typed, fps: Fraction) -> None:
    assert parse_fps(typed) == fps


@pytest.mark.parametrize("typed", [0, -1, "x", "", "1/0", "1/2/3", None, True, float("nan"), float("inf"), [2], 1j])
def test_not_a_rate(typed) -> None:
    with pytest.raises(OptionError, match="factor must be a positive number"):
        parse_rational("factor", typed)


def test_factor_below_one() -> None:
    with pytest.raises(OptionError, match=r"factor must be at least 1, got 0\.5"):
        parse_factor(0.5)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("scene_change", 1.5, "between 0 and 1"),
        ("scene_change", "sometimes", "scene_change must be True"),
        ("scene_change", [1, -2], "frame numbers"),
        ("scene_change", 1, "scene_change must be True"),
        ("on_scene_change", "cut", "on_scene_change must be one of"),
        ("static", "keep", "static must be"),
        ("static", -1.0, "static must be"),
        ("protect", 1, "protect must be True or False"),
        ("dither", "fs", "dither must be one of"),
        ("show", "pretty", "show must be one of"),
        ("scale", 0, "scale must be"),
        ("scale", "big", "scale must be"),
        ("scale", float("nan"), "scale must be"),
        ("tile", (32, 512), "tile must be at least 64"),
        ("tile", (128, 128), "more than twice the overlap"),
        ("overlap", -1, "overlap must be"),
        ("engine", "warp", "engine must be one of 'auto', 'eager'"),
        ("precision", "fp8", "precision must be one of"),
        ("model_options", [], "options must be a dict"),
    ],
)
def test_refused(field: str, value, complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        Options(**{field: value})


def test_everything_documented_is_accepted() -> None:
    Options()
    signals: list[Any] = [True, False, 0.3, "props", [3, 7], {3}, frozenset(), lambda n, f0, f1: True]
    for scene_change in signals:
        Options(scene_change=scene_change)
    for static in ("hold", "off", 0.5, 0):
        Options(static=static)
    for show in (None, "flow", "mask", "occlusion", "scene"):
        Options(show=show)
    assert Options(tile=parse_tile(512)).tile == (512, 512)
    assert parse_tile((640, 512)) == (640, 512)


@pytest.mark.parametrize("typed", [1.5, "512", (1,), (1, 2, 3), True])
def test_bad_tile(typed) -> None:
    with pytest.raises(OptionError, match="tile must be"):
        parse_tile(typed)


def test_devices() -> None:
    assert parse_devices(None) == [None]
    assert parse_devices("cuda:1") == ["cuda:1"]
    assert parse_devices(["cpu", "cuda"]) == ["cpu", "cuda"]
    with pytest.raises(OptionError, match="at least one"):
        parse_devices([])
