"""A cache bounded in bytes and entries that computes each value once, however many threads ask for it at the same time.

lane.py keeps features and motion here, decide.py the scores; what is over the bound and longest unused goes.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future
from types import ModuleType
from typing import Any, cast

from . import memory

ENTRY = 256
"""Bytes charged for an entry's own key and bookkeeping: without it a cache of small values would have no bound."""

_SHARE = 16  # a sixteenth of a device's memory for a cache: several never run a machine out


class Cache:
    """Least recently used values, up to a number of bytes and of entries.

    Threads may share it. A storage that two values share is counted in both.

    Args:
        max_bytes: the bound on `nbytes`.
        max_entries: the bound on `len`; None: there is none but max_bytes.

    Attributes:
        hits: calls answered without computing, those that waited for another thread's answer too.
        misses: calls that computed.
    """

    def __init__(self, max_bytes: int, max_entries: int | None = None) -> None:
        self.max_bytes = max_bytes
        self.max_entries = sys.maxsize if max_entries is None else max_entries
        self.hits = 0
        self.misses = 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._pending: dict[Hashable, Future[Any]] = {}
        self._nbytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """What is kept now: sizes of the values and ENTRY for each."""
        return self._nbytes

    def __len__(self) -> int:
        return len(self._kept)

    def get_or_compute[T](self, key: Hashable, fn: Callable[[], T]) -> T:
        """The value of `key`, from `fn()` if it is not kept.

        Callers that come while another computes wait for that one's value. What `fn` raises reaches all of them and
        is not kept: the next caller tries again. `fn` may ask this cache for other keys, never for its own.
        """
        with self._lock:
            if key in self._kept:
                self.hits += 1
                self._kept.move_to_end(key)
                return cast("T", self._kept[key][0])
            waiting = self._pending.get(key)
            if waiting is None:
                self.misses += 1
                own: Future[Any] = Future()
                self._pending[key] = own
            else:
                self.hits += 1
        return cast("T", waiting.result()) if waiting is not None else self._compute(key, fn, own)

    def clear(self) -> None:
        """Forget everything, also what is being computed now: that reaches those who wait for it and is not kept."""
        with self._lock:
            self._kept.clear()
            self._pending.clear()
            self._nbytes = 0

    def _compute[T](self, key: Hashable, fn: Callable[[], T], own: Future[Any]) -> T:
        try:
            value = fn()
            size = nbytes_of(value) + ENTRY
        except BaseException as error:  # KeyboardInterrupt too: whoever waits must not wait for ever
            with self._lock:
                self._settle(key, own)
            own.set_exception(error)
            raise
        with self._lock:
            if self._settle(key, own) and size <= self.max_bytes:
                self._keep(key, value, size)
        own.set_result(value)
        return value

    def _settle(self, key: Hashable, own: Future[Any]) -> bool:
        """Take the computation off the list; False if `clear` did so before."""
        if self._pending.get(key) is not own:
            return False
        del self._pending[key]
        return True

    def _keep(self, key: Hashable, value: object, size: int) -> None:
        self._kept[key] = value, size
        self._nbytes += size
        while self._nbytes > self.max_bytes or len(self._kept) > self.max_entries:
            _, (_, freed) = self._kept.popitem(last=False)
            self._nbytes -= freed


def share_of(where: str, most: int | None = None) -> int:
    """Bytes that one cache may take on a device: "cpu", "cuda:0".

    Args:
        where: the device.
        most: bytes the process may take there; None: all that nobody else has taken.
    """
    return min(memory.available(where), most or sys.maxsize) // _SHARE


def nbytes_of(value: object) -> int:
    """Bytes of the arrays a value holds, each storage once.

    Looks into dataclasses (Planes, Features, Motion), other objects' attributes, tuples, lists, sets and mappings.
    Tensors and arrays count with the whole storage that they keep alive, which a view may be a small part of.
    """
    storages: dict[Hashable, int] = {}
    seen: set[int] = set()
    todo: list[object] = [value]
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        own = _storage(item)
        if own is None:
            todo += _parts(item)
        else:
            where, size = own
            storages[where] = max(size, storages.get(where, 0))
    return sum(storages.values())


def _storage(item: Any) -> tuple[Hashable, int] | None:
    """(address, bytes) of what holds samples itself, None for everything else."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")  # not loaded: then there are none of theirs
    if torch is not None and isinstance(item, torch.Tensor):
        storage = item.untyped_storage()
        return (str(item.device), storage.data_ptr()), storage.nbytes()
    if numpy is not None and isinstance(item, numpy.ndarray):
        while isinstance(item.base, numpy.ndarray):
            item = item.base
        return ("cpu", item.__array_interface__["data"][0]), item.nbytes
    if isinstance(item, (bytes, bytearray)):
        return id(item), len(item)
    if dataclasses.is_dataclass(item):  # PlaneFormat.nbytes describes a frame, it holds none
        return None
    size = getattr(item, "nbytes", None)
    return (id(item), size) if isinstance(size, int) else None


def _parts(item: object) -> Iterable[object]:
    if isinstance(item, Mapping):
        return item.values()
    if isinstance(item, (tuple, list, set, frozenset)):
        return item
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return [getattr(item, field.name) for field in dataclasses.fields(item)]
    if isinstance(item, (type, ModuleType)) or callable(item):
        return ()
    return getattr(item, "__dict__", {}).values()
