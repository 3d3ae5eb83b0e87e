from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vsvfi.cache import ENTRY, Cache, nbytes_of
from vsvfi.frames.planes import ColorInfo, PlaneFormat, Planes


def room(*sizes: int) -> int:
    """The bound that just fits values of these sizes."""
    return sum(sizes) + ENTRY * len(sizes)


def value(size: int) -> np.ndarray:
    return np.zeros(size, np.uint8)


def fail():
    raise AssertionError("computed although it should have been kept")


def test_the_longest_unused_goes_first() -> None:
    cache = Cache(room(100, 100))
    a = cache.get_or_compute("a", lambda: value(100))
    cache.get_or_compute("b", lambda: value(100))
    assert cache.get_or_compute("a", fail) is a
    cache.get_or_compute("c", lambda: value(100))
    assert cache.get_or_compute("a", fail) is a
    assert (len(cache), cache.nbytes, cache.hits, cache.misses) == (2, room(100, 100), 2, 3)
    cache.get_or_compute("b", lambda: value(1))
    assert cache.misses == 4


def test_a_value_over_the_bound_is_returned_and_evicts_nothing() -> None:
    cache = Cache(room(100))
    small = cache.get_or_compute("small", lambda: value(100))
    assert cache.get_or_compute("large", lambda: value(101)).nbytes == 101
    assert cache.get_or_compute("small", fail) is small
    assert len(cache) == 1


def test_small_values_are_bounded_too() -> None:
    cache = Cache(10 * ENTRY)
    for n in range(1000):
        cache.get_or_compute(n, lambda: True)
    assert len(cache) == 10


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 600)), max_size=60))
def test_any_requests_keep_what_a_plain_list_would(asked: list[tuple[int, int]]) -> None:
    bound, plain = room(500, 500), list[tuple[int, int]]()
    cache = Cache(bound)
    for key, size in asked:
        before = next((entry for entry in plain if entry[0] == key), None)
        if before is not None:
            plain.remove(before)
        entry = before or (key, size)
        if room(entry[1]) <= bound:
            plain.append(entry)
        while room(*(s for _, s in plain)) > bound:
            del plain[0]
        assert cache.get_or_compute(key, partial(value, size)).nbytes == entry[1]
        assert (len(cache), cache.nbytes) == (len(plain), room(*(s for _, s in plain)))


def together(cache, compute, threads=8):
    """Results or errors of several threads that ask for one key at once."""
    barrier = threading.Barrier(threads)

    def ask():
        barrier.wait()
        try:
            return cache.get_or_compute("key", compute)
        except ValueError as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        return [job.result(10) for job in [pool.submit(ask) for _ in range(threads)]]


def test_threads_compute_one_key_once() -> None:
    calls = []

    def compute():
        calls.append(threading.get_ident())
        time.sleep(0.05)
        return object()

    cache = Cache(1 << 20)
    results = together(cache, compute)
    assert len(calls) == 1
    assert len({id(result) for result in results}) == 1
    assert (cache.hits, cache.misses) == (7, 1)


def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    def compute():
        time.sleep(0.05)
        raise ValueError("out of ink")

    cache = Cache(1 << 20)
    assert [str(error) for error in together(cache, compute)] == ["out of ink"] * 8
    assert cache.get_or_compute("key", lambda: 5) == 5


def test_other_keys_do_not_wait() -> None:
    cache, started, goes_on = Cache(1 << 20), threading.Event(), threading.Event()

    def slow():
        started.set()
        assert goes_on.wait(10)
        return "slow"

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(cache.get_or_compute, "slow", slow)
        assert started.wait(10)
        assert cache.get_or_compute("quick", lambda: "quick") == "quick"
        goes_on.set()
        assert job.result(10) == "slow"


def test_a_computation_may_ask_for_other_keys() -> None:
    cache = Cache(1 << 20)
    assert cache.get_or_compute("pair", lambda: cache.get_or_compute("one", lambda: 1) + 1) == 2
    assert len(cache) == 2


def test_clear_forgets_also_what_is_under_way() -> None:
    """After running out of memory the model changes: what the former one still computes must not be found later."""
    cache, started, goes_on = Cache(1 << 20), threading.Event(), threading.Event()

    def former():
        started.set()
        assert goes_on.wait(10)
        return "former"

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(cache.get_or_compute, "key", former)
        assert started.wait(10)
        cache.clear()
        assert cache.get_or_compute("key", lambda: "new") == "new"
        goes_on.set()
        assert job.result(10) == "former"
    assert cache.get_or_compute("key", fail) == "new"
    cache.clear()
    assert (len(cache), cache.nbytes) == (0, 0)


@dataclass
class Held:
    one: object
    two: object = None


class Plain:
    def __init__(self, image: object) -> None:
        self.image = image
        self.itself = self


BASE = torch.zeros(10, 10)
ARRAY = np.zeros((4, 8), np.uint16)
FORMAT = PlaneFormat("YUV", "int", 8, (1, 1), 32, 16)
PLANES = Planes(
    FORMAT, ColorInfo(1, False, 0), tuple(torch.zeros(FORMAT.plane_size(p), dtype=torch.uint8) for p in range(3))
)


class Sized:
    nbytes = 77


@pytest.mark.parametrize(
    ("item", "size"),
    [
        pytest.param(3, 0, id="a number"),
        pytest.param(b"1234", 4, id="bytes"),
        pytest.param(BASE, 400, id="tensor"),
        pytest.param(BASE[:2, :2], 400, id="a view keeps the whole storage"),
        pytest.param((BASE, [BASE.T, BASE[3:]]), 400, id="views of one storage"),
        pytest.param({"a": torch.zeros(3), "b": torch.zeros(5).half()}, 22, id="mapping"),
        pytest.param(ARRAY, 64, id="array"),
        pytest.param([ARRAY[1:], ARRAY.T], 64, id="views of one array"),
        pytest.param((ARRAY, torch.from_numpy(ARRAY.view(np.int16))), 64, id="tensor and array of one memory"),
        pytest.param(Held(BASE, Held(ARRAY, BASE[1])), 464, id="nested dataclasses"),
        pytest.param(PLANES, FORMAT.nbytes, id="planes"),
        pytest.param(FORMAT, 0, id="a format only describes"),
        pytest.param(Sized(), 77, id="whoever says its nbytes"),
        pytest.param(Plain(ARRAY), 64, id="any object, in a circle"),
    ],
)
def test_nbytes_of(item: object, size: int) -> None:
    assert nbytes_of(item) == size


def test_entries_are_bounded_too() -> None:
    cache = Cache(1 << 30, max_entries=3)
    for key in range(10):
        cache.get_or_compute(key, partial(int, key))
    assert len(cache) == 3
    assert cache.get_or_compute(9, lambda: -1) == 9
    assert cache.get_or_compute(0, lambda: -1) == -1
