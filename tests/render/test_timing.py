from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsvfi.errors import OptionError
from vsvfi.render.timing import FINEST, clock, clock_text, constant_rate, parse_time

RATES = [Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001), Fraction(120)]
NONE = Fraction(0)


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("ticks", [1000, 90000, 12800, 1_000_000])
@pytest.mark.parametrize("hint", [NONE, Fraction(50, 3)], ids=["no hint", "wrong hint"])
def test_a_rounded_grid_is_recognised(rate: Fraction, ticks: int, hint: Fraction) -> None:
    stamps = [round(Fraction(7, 300) * ticks + n / rate * ticks) for n in range(5000)]
    assert constant_rate(stamps, Fraction(1, ticks), hint) == rate


def test_the_files_own_rate_is_preferred_where_it_fits() -> None:
    short = [0, 42, 83]
    assert constant_rate(short, Fraction(1, 1000), Fraction(24000, 1001)) == Fraction(24000, 1001)
    assert constant_rate(short, Fraction(1, 1000), Fraction(24)) == 24


@pytest.mark.parametrize(
    "stamps",
    [
        [n * 42 for n in range(50) if n % 5 != 3],
        [n * 40 for n in range(50)] + [2000 + n * 20 for n in range(50)],
        [*range(0, 400, 40), 407, *range(440, 800, 40)],
    ],
    ids=["dropped frames", "rate changes", "one frame late"],
)
def test_variable_rates_are_not_straightened(stamps: list[int]) -> None:
    assert constant_rate(stamps, Fraction(1, 1000), Fraction(25)) is None


@given(st.lists(st.fractions(min_value=0, max_value=1000, max_denominator=250), min_size=1, max_size=6))
def test_every_time_is_a_whole_number_of_ticks(times: list[Fraction]) -> None:
    tick = clock(times)
    if tick != Fraction(1, 90000):
        assert all((time / tick).denominator == 1 for time in times)
        assert tick.denominator <= FINEST


def test_a_clock_is_as_coarse_as_can_be() -> None:
    assert clock([Fraction(1001, 24000), Fraction(2002, 24000)]) == Fraction(1001, 24000)
    assert clock([Fraction(23, 1000), Fraction(1, 48)]) == Fraction(1, 6000)
    assert clock([Fraction(1, FINEST + 1)]) == Fraction(1, 90000)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("0.5", Fraction(1, 2)), ("1:30.5", Fraction(181, 2)), ("1:00:01", 3601), ("90:00", 5400)],
)
def test_times_are_read(text: str, seconds: Fraction) -> None:
    assert parse_time("start", text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "-1", "1:60", "1:-2", "1/0", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="end must be a time such as"):
        parse_time("end", text)


def test_times_read_aloud() -> None:
    assert clock_text(Fraction(3_661_500, 1000)) == "1:01:01.500"
