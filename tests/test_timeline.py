"""Time is exact: positions, lengths and durations for any rational factor, any length, any source timing."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsvfi.errors import OptionError
from vsvfi.timeline import MAX_FRAMES, Timed, Uniform, read_timecodes, round_half_up

factors = st.fractions(min_value=1, max_value=200, max_denominator=1001)
lengths = st.integers(1, 5000)
durations = st.lists(st.fractions(Fraction(1, 1000), 2, max_denominator=90000), min_size=1, max_size=40)


@given(lengths, factors)
def test_length_keeps_the_duration_to_half_a_frame(num_source: int, factor: Fraction) -> None:
    timeline = Uniform(num_source, factor, Fraction(24))
    assert abs(timeline.num_frames - num_source * factor) <= Fraction(1, 2)


@given(lengths, factors, st.data())
def test_position_is_n_over_factor(num_source: int, factor: Fraction, data: st.DataObject) -> None:
    timeline = Uniform(num_source, factor, None)
    n = data.draw(st.integers(0, timeline.num_frames - 1))
    position = timeline.at(n)
    assert position.source + position.t == n / factor
    assert 0 <= position.t < 1
    assert 0 <= position.source < num_source


@given(durations, factors)
def test_variable_durations_keep_their_total(source: list[Fraction], factor: Fraction) -> None:
    timeline = Uniform(len(source), factor, None)
    each = [timeline.duration(n, source.__getitem__) for n in range(timeline.num_frames)]
    assert sum(each) == sum(source)
    assert all(d > 0 for d in each)


@given(durations, st.integers(1, 8))
def test_whole_factor_divides_each_duration(source: list[Fraction], factor: int) -> None:
    timeline = Uniform(len(source), Fraction(factor), None)
    for n in range(timeline.num_frames):
        assert timeline.duration(n, source.__getitem__) == source[n // factor] / factor


@given(durations, factors)
def test_a_frame_needs_only_its_own_and_the_next_duration(source: list[Fraction], factor: Fraction) -> None:
    timeline = Uniform(len(source), factor, None)
    for n in range(timeline.num_frames):
        i = timeline.at(n).source
        timeline.duration(n, {i: Fraction(1), i + 1: Fraction(1)}.__getitem__)  # KeyError if it asked for another


@pytest.mark.parametrize(
    ("num_source", "factor", "length"),
    [(10, "2", 20), (10, "5/2", 25), (1, "2", 2), (3, "3/2", 5), (10, "1001/400", 25), (5, "1", 5)],
)
def test_lengths(num_source: int, factor: str, length: int) -> None:
    assert Uniform(num_source, Fraction(factor), None).num_frames == length


def test_length_is_capped_where_the_core_cannot_count() -> None:
    timeline = Uniform(MAX_FRAMES, Fraction(2), None)
    assert timeline.num_frames == MAX_FRAMES
    assert timeline.at(MAX_FRAMES - 1).source == (MAX_FRAMES - 1) // 2


@pytest.mark.parametrize(("value", "rounded"), [("1/2", 1), ("3/2", 2), ("5/2", 3), ("7/3", 2), ("0", 0)])
def test_halves_round_up(value: str, rounded: int) -> None:
    assert round_half_up(Fraction(value)) == rounded


def test_last_frame_is_held_and_nothing_before_it() -> None:
    timeline = Uniform(4, Fraction(5, 2), Fraction(24))
    assert [timeline.held(timeline.at(n)) for n in range(timeline.num_frames)] == [False] * 8 + [True] * 2
    assert timeline.fps == 60


@given(durations, st.fractions(1, 240, max_denominator=1001))
def test_target_rate_over_times(lasting: list[Fraction], fps: Fraction) -> None:
    times = [sum(lasting[:i], Fraction(7)) for i in range(len(lasting))]
    timeline = Timed(times, fps)
    for n in range(timeline.num_frames):
        position = timeline.at(n)
        shown = n / fps + 7
        i = position.source
        assert times[i] <= shown or i == 0
        if i + 1 < len(times):
            assert shown < times[i + 1]
            assert times[i] + position.t * (times[i + 1] - times[i]) == shown
        assert 0 <= position.t < 1
    assert timeline.duration(0, lambda i: Fraction(0)) == 1 / fps


def test_timecodes_are_read_exactly(tmp_path) -> None:
    file = tmp_path / "v2.txt"
    file.write_text("# timecode format v2\n0.000000\n41.708333\n\n83.4\n")
    assert read_timecodes(file) == [0, Fraction("0.041708333"), Fraction("0.0834")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0\n1\n", "does not begin with"),
        ("# timecode format v2\n0\nx\n", "line 3 is not a number"),
        ("# timecode format v2\n0\n0\n", "frame 1 does not come after frame 0"),
        ("# timecode format v2\n", "holds no times"),
        ("# timecode format v1\nAssume 24\n", "does not begin with"),
    ],
)
def test_bad_timecodes_are_refused(tmp_path, text: str, complaint: str) -> None:
    file = tmp_path / "bad.txt"
    file.write_text(text)
    with pytest.raises(OptionError, match=complaint):
        read_timecodes(file)


def test_missing_timecodes_are_refused(tmp_path) -> None:
    with pytest.raises(OptionError, match="cannot read"):
        read_timecodes(tmp_path / "none.txt")
