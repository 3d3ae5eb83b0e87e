"""The three streams and their buffers, on a device that works as late as it may: bytes, order and allocations."""

from __future__ import annotations

import gc
import random
import threading

import pytest
import torch

from vsvfi.frames.cuda import CudaTransfer
from vsvfi.frames.planes import ColorInfo, PlaneFormat, Planes
from vsvfi.frames.pool import Pool
from vsvfi.frames.transfer import Ready

from .slow_device import SlowCuda

FORMAT = PlaneFormat("YUV", "int", 8, (1, 1), 8, 4)
COLOR = ColorInfo(1, False, 0)


def source(n: int) -> Planes:
    values = ((n * 7 + p) % 251 for p in range(3))
    data = (torch.full(FORMAT.plane_size(p), value, dtype=torch.uint8) for p, value in enumerate(values))
    return Planes(FORMAT, COLOR, tuple(data))


def between(transfer: CudaTransfer, cuda: SlowCuda, n: int) -> Ready:
    """What a lane does for a frame: two frames go up, the model's work on them is queued, a result comes down."""
    with transfer.computing():
        stream = cuda.current
        assert stream is not None
        first, second = transfer.upload(source(n)), transfer.upload(source(n + 1))
        out = transfer.result()

        def add(a: tuple, b: tuple) -> None:
            for into, x, y in zip(out, a, b, strict=True):
                into.copy_(x + y)

        # The planes themselves are let go of at the end, as the lane does; their memory is read later.
        a, b = first.data, second.data
        stream.queue(lambda: add(a, b))
        return transfer.download(Planes(FORMAT, COLOR, out), pooled=True)


def equal(ready: Ready, n: int) -> bool:
    triples = zip(ready.wait().data, source(n).data, source(n + 1).data, strict=True)
    return all(torch.equal(mine, a + b) for mine, a, b in triples)


def right(ready: Ready, n: int) -> None:
    assert equal(ready, n), n


@pytest.mark.parametrize("seed", range(5))
def test_results_are_right_however_late_the_device_is(seed: int) -> None:
    cuda = SlowCuda(seed)
    transfer = CudaTransfer(cuda, FORMAT)
    waiting: list[tuple[Ready, int]] = []
    pick = random.Random(1)
    for n in range(300):
        waiting.append((between(transfer, cuda, n), n))
        while len(waiting) > pick.randrange(6):
            ready, which = waiting.pop(pick.randrange(len(waiting)))
            right(ready, which)
            ready.release()


@pytest.mark.parametrize("seed", range(5))
def test_a_source_may_be_handed_on_as_it_is(seed: int) -> None:
    """Its memory is used again only when its copy to the host is over."""
    cuda = SlowCuda(seed)
    transfer = CudaTransfer(cuda, FORMAT)
    held = []
    for n in range(40):
        with transfer.computing():
            held.append(transfer.download(transfer.upload(source(n))))
    for n, ready in enumerate(held):
        assert all(map(torch.equal, ready.wait().data, source(n).data)), n


def test_nothing_is_allocated_for_a_frame_once_under_way() -> None:
    cuda = SlowCuda()
    transfer = CudaTransfer(cuda, FORMAT)
    begun = cuda.allocations
    assert begun == 4 * 4 * 3, "four rings of four frames of three planes"
    for n in range(100):
        ready = between(transfer, cuda, n)
        right(ready, n)
        ready.release()
    assert cuda.allocations == begun
    assert transfer.allocated == 4 * 4


def test_results_nobody_collects_take_buffers_and_give_them_back() -> None:
    cuda = SlowCuda()
    transfer = CudaTransfer(cuda, FORMAT)
    held = [between(transfer, cuda, n) for n in range(10)]
    for n, ready in enumerate(held):
        right(ready, n)
    most = transfer.allocated
    del held, ready
    gc.collect()
    for n in range(50):
        ready = between(transfer, cuda, n)
        right(ready, n)
        ready.release()
    assert transfer.allocated == most


def no_wait_for_readers(self: CudaTransfer, data: tuple) -> None:
    self._sources.give(data, None)


def no_wait_for_arrival(self: CudaTransfer, planes: Planes) -> Planes:
    data, _ = self._sources.take()
    with self._cuda.on(self._copy_in):
        for into, plane in zip(data, planes.data, strict=True):
            self._cuda.copy(into, plane)
    return Planes(planes.format, planes.color, data)


@pytest.mark.parametrize(("name", "broken"), [("_let_go", no_wait_for_readers), ("upload", no_wait_for_arrival)])
def test_a_missing_wait_would_show(monkeypatch, name: str, broken) -> None:
    """So the tests above can fail."""
    monkeypatch.setattr(CudaTransfer, name, broken)

    def wrong(seed: int) -> bool:
        cuda = SlowCuda(seed)
        transfer = CudaTransfer(cuda, FORMAT)
        held = [between(transfer, cuda, n) for n in range(12)]
        return not all(equal(ready, n) for n, ready in enumerate(held))

    assert any(wrong(seed) for seed in range(5))


@pytest.mark.parametrize("seed", range(5))
def test_results_that_are_dropped_harm_no_others(seed: int) -> None:
    """Their copies may still be on the way when their memory is used again."""
    cuda = SlowCuda(seed)
    transfer = CudaTransfer(cuda, FORMAT)
    for n in range(0, 120, 3):
        kept = [between(transfer, cuda, n + k) for k in range(3)][::2]
        right(kept[1], n + 2)
        right(kept[0], n)
    assert transfer.allocated <= 4 * 4 + 2


def test_computing_may_be_far_ahead_of_downloads() -> None:
    cuda = SlowCuda()
    transfer = CudaTransfer(cuda, FORMAT)
    held = []
    for n in range(10):
        held.append(between(transfer, cuda, n))
        for _ in range(100):  # all but the downloads, as far as they may
            transfer._copy_in.step()
            transfer._compute.step()
    for n, ready in enumerate(held):
        right(ready, n)


def test_uploading_does_not_wait_for_the_device() -> None:
    cuda = SlowCuda()
    transfer = CudaTransfer(cuda, FORMAT)
    between(transfer, cuda, 0)
    assert cuda.allocations == 48
    streams = [transfer._copy_in, transfer._compute, transfer._copy_out]
    assert [stream.done for stream in streams] == [0, 0, 0]


def test_buffers_may_come_back_in_the_middle_of_a_take() -> None:
    """The garbage collector runs when it likes, also on the thread that holds the pool's lock."""
    pool = Pool(lambda: (torch.zeros(1),), 1)

    def collected() -> None:
        with pool._lock:
            pool.give((torch.ones(1),), None)

    thread = threading.Thread(target=collected, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive(), "it waits for itself"
    assert [int(pool.take()[0][0]) for _ in range(2)] == [0, 1]


def test_a_pool_gives_the_oldest_first() -> None:
    made = iter(range(9))
    pool = Pool(lambda: (torch.tensor(next(made)),), 2)
    first, second, third = (pool.take()[0] for _ in range(3))
    assert [int(each[0]) for each in (first, second, third)] == [0, 1, 2]
    assert pool.made == 3
    pool.give(second, None)
    pool.give(first, None)
    assert pool.take()[0] is second
    assert pool.take_done() is first
