"""The tree of halvings: which frames it mixes, in any order, each made once, and how much it keeps."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

import pytest
import torch
from torch import Tensor

from vsvfi import recursion
from vsvfi.model import Features, Motion
from vsvfi.recursion import STEPS, Pair, Recursion


@dataclass(frozen=True)
class Seen(Features):
    image: Tensor


@dataclass(frozen=True)
class Two(Motion):
    first: Tensor
    second: Tensor


class Mean:
    """Knows the middle only; the frame at t of 0 and 1 is then t itself."""

    where = "cpu"

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.recursion = Recursion("cpu")

    def encode(self, image):
        self.calls["encode"] += 1
        return Seen(image)

    def relate(self, features0, features1):
        self.calls["relate"] += 1
        return Two(features0.image, features1.image)

    def middle(self, motion: Two) -> Tensor:
        self.calls["middle"] += 1
        return (motion.first + motion.second) / 2

    def pair(self, size: int = 4) -> tuple[Pair, Two]:
        ends = torch.zeros(1, 3, size, size), torch.ones(1, 3, size, size)
        return Pair(*map(Seen, ends)), Two(*ends)

    def at(self, pair: tuple[Pair, Two], t: float) -> Tensor:
        return self.recursion.image(self, pair[0], pair[1], self.middle, t)


def test_every_place_is_reached_exactly() -> None:
    model = Mean()
    pair = model.pair()
    for place in range(1, STEPS):
        assert (model.at(pair, place / STEPS) == place / STEPS).all()


@pytest.mark.parametrize(("t", "place"), [(1e-6, 1), (0.4, 6), (0.5, 8), (2 / 3, 11), (0.99, 15)])
def test_other_t_go_to_the_nearest_place_between_the_frames(t: float, place: int) -> None:
    assert recursion.nearest(t) == place
    model = Mean()
    assert (model.at(model.pair(), t) == place / STEPS).all()


def test_each_in_between_is_made_once_whatever_the_order() -> None:
    for seed in range(3):
        model = Mean()
        pair = model.pair()
        places = list(range(1, STEPS)) * 2
        Random(seed).shuffle(places)
        for place in places:
            model.at(pair, place / STEPS)
        assert model.calls == {"middle": 15, "encode": 7, "relate": 14}, "the ends and the middle are given"


def test_pairs_do_not_mix_and_threads_share() -> None:
    model = Mean()
    pair = model.pair()
    other = Pair(pair[0].features1, pair[0].features0), Two(pair[1].second, pair[1].first)
    assert (model.at(pair, 0.25) == 0.25).all()
    assert (model.at(other, 0.25) == 0.75).all()
    model.calls.clear()
    fresh = model.pair()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: model.at(fresh, 3 / 16), range(12)))
    assert all((image == 3 / 16).all() for image in found)
    assert model.calls["middle"] == 4


def test_a_result_is_the_callers_own() -> None:
    model = Mean()
    pair = model.pair()
    model.at(pair, 0.25).fill_(9)
    assert (model.at(pair, 0.25) == 0.25).all()


def test_what_is_kept_is_bounded_in_bytes(monkeypatch) -> None:
    monkeypatch.setattr(recursion, "share_of", lambda where: 100_000)
    model = Mean()
    for _ in range(50):
        pair = model.pair(32)  # 12 KB an image
        for place in range(1, STEPS):
            assert (model.at(pair, place / STEPS) == place / STEPS).all(), "what was dropped is made again"
    assert 0 < model.recursion._kept.nbytes <= 100_000
