"""The scene detector on labelled footage and on what must not fool it; stills to the last sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vsvfi import scene

from .measure.scene_scores import PLAIN, pairs, quality, rates
from .measure.scenes import sequences


def texture(seed: int, height: int = 90, width: int = 160, cell: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 236, (height // cell + 1, width // cell + 1)).astype(np.uint8)
    return coarse.repeat(cell, 0).repeat(cell, 1)[:height, :width]


def judged(*luma: np.ndarray) -> scene.Verdict:
    known = [None if y is None else scene.signature([y], 255.0, "GRAY") for y in luma]
    return scene.judge(*known)


@pytest.fixture(scope="module")
def found(shared: Path) -> list:
    return [pair for sequence in sequences(shared / "clips") for pair in pairs(sequence)]


def test_real_cuts_are_found_and_nothing_else(shared: Path) -> None:
    for sequence in sequences(shared / "clips", made=False):
        cuts = {n + 1 for n, pair in enumerate(pairs(sequence)) if pair.ours >= scene.DEFAULT_THRESHOLD}
        assert cuts == set(sequence.cuts), sequence.name


def test_precision_and_recall(found) -> None:
    precision, recall, f1 = quality(*rates(found, [p.ours for p in found], scene.DEFAULT_THRESHOLD))
    assert precision >= 0.99
    assert recall >= 0.97
    plain = quality(*rates(found, [p.plain for p in found], PLAIN))
    assert f1 > plain[2] + 0.3


def test_another_picture_is_a_cut() -> None:
    a, b = texture(1), texture(2)
    assert judged(a, a, b, b).cut
    assert judged(None, a, b, None).cut


@pytest.mark.parametrize("shift", [(0, 0), (3, 8), (-8, 20), (10, -24)])
def test_motion_is_not(shift: tuple[int, int]) -> None:
    big = texture(3, 160, 260)
    steps = [np.roll(big, (n * shift[0], n * shift[1]), (0, 1))[30:120, 50:210] for n in range(4)]
    assert not judged(*steps).cut


@pytest.mark.parametrize(("gain", "offset"), [(0.3, 0), (1.0, 90), (0.0, 0), (0.5, 120)])
def test_light_is_not(gain: float, offset: int) -> None:
    a = texture(4)
    lit = np.clip(a * gain + offset, 0, 255).astype(np.uint8)
    assert not judged(a, a, lit, a).cut
    assert not judged(a, lit, a, a).cut


def test_noise_is_not() -> None:
    rng, a = np.random.default_rng(1), texture(5)
    noisy = [np.clip(a + rng.normal(0, 25, a.shape), 0, 255).astype(np.uint8) for _ in range(4)]
    assert not judged(*noisy).cut


def test_threshold_moves_the_decision_and_not_the_score() -> None:
    a, b = (scene.signature([texture(n)], 255.0, "GRAY") for n in (1, 2))
    low, high = scene.judge(None, a, b, None, 0.1), scene.judge(None, a, b, None, 0.999)
    assert low.score == high.score
    assert low.cut
    assert 0 <= low.score <= 1


@pytest.mark.parametrize(
    ("dtype", "peak"),
    [(np.uint8, 255.0), (np.uint16, 1023.0), (np.uint16, 65535.0), (np.float16, 1.0), (np.float32, 1.0)],
)
@pytest.mark.parametrize("size", [(16, 16), (17, 33), (360, 640)])
def test_every_sample_type_gives_the_same_score(dtype, peak: float, size: tuple[int, int]) -> None:
    pair = [texture(n, *size, cell=4) for n in (1, 2)]
    other = [(y.astype(np.float64) / 255 * peak).astype(dtype) for y in pair]
    expected = scene.judge(None, *(scene.signature([y], 255.0, "GRAY") for y in pair), None)
    score = scene.judge(None, *(scene.signature([y], peak, "GRAY") for y in other), None).score
    assert score == pytest.approx(expected.score, abs=0.02)


def test_flat_frames_have_no_cut_but_for_their_colour() -> None:
    black = [np.full((64, 64), 16, np.uint8)]
    assert scene.judge(None, *(scene.signature(black, 255.0, "GRAY") for _ in range(2)), None).score == 0


def test_rows_with_padding_are_read_right() -> None:
    wide = texture(6, 90, 300)
    view, copy = wide[:, 40:200], np.ascontiguousarray(wide[:, 40:200])
    a, b = (scene.signature([y], 255.0, "GRAY") for y in (view, copy))
    assert (a.luma == b.luma).all()


def test_only_equal_frames_are_still_at_zero() -> None:
    a = [texture(1), texture(2)[:45, :80]]
    assert scene.is_still(a, [p.copy() for p in a], 255.0, 0.0)
    for plane in (0, 1):
        for place in ((0, 0), (-1, -1)):  # a row that is looked at first, and one that is not
            touched = [p.copy() for p in a]
            touched[plane][place] ^= 1
            assert not scene.is_still(a, touched, 255.0, 0.0)
    assert scene.is_still(a, touched, 255.0, 0.001)


@pytest.mark.parametrize(
    ("dtype", "peak"), [(np.uint8, 255.0), (np.uint16, 1023.0), (np.float32, 1.0), (np.float16, 1.0)]
)
def test_the_threshold_of_stills_is_in_eight_bit_codes(dtype, peak: float) -> None:
    for codes in (2, 10):
        a, b = np.zeros((32, 32), dtype), np.full((32, 32), peak / 255 * codes, dtype)
        assert scene.is_still([a], [b], peak, codes * 1.05)
        assert not scene.is_still([a], [b], peak, codes * 0.95)
