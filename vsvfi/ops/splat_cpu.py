"""Splatting on a CPU: one pass over the source instead of four scattered ones over every plane. splat.py defines it.

Each thread owns rows of the result and adds what falls into them in the order of the source, so neither the number of
threads nor their timing shows in a single bit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from .layout import memory_format

type Array = np.ndarray[Any, Any]

_RULES = {"none": 0, "addeps": 1, "zeroeps": 2, "clipeps": 3}
_SMALL = 1 << 14
"""Samples that are not worth a second thread."""


def splat(image: Tensor, flow: Tensor, weight: Tensor | None, normalizer: str) -> Tensor:
    """As splat.definition, without gradients."""
    n, _, h, w = image.shape
    rows = image.permute(0, 2, 3, 1).to(torch.float32).contiguous()
    moves = flow.to(torch.float32)
    weights = torch.ones(1) if weight is None else weight.to(torch.float32)
    out = torch.zeros_like(rows)
    total = torch.zeros(n, h, w)
    arrays = [tensor.detach().numpy() for tensor in (rows, moves, weights.expand(n, 1, h, w), out, total)]
    rule = _RULES[normalizer]
    bands = -(-torch.get_num_threads() // n) if n and image.numel() > _SMALL else 1
    edges = [h * k // bands for k in range(bands + 1)]
    jobs = [(i, top, bottom) for i in range(n) for top, bottom in pairwise(edges)]

    def run(job: tuple[int, int, int]) -> None:
        i, top, bottom = job
        rows, moves, weights, out, total = (array[i] for array in arrays)
        _kernel()(rows, moves, weights[0], out, total, top, bottom, rule)

    if torch.get_num_threads() == 1 or image.numel() <= _SMALL:
        for job in jobs:
            run(job)
    else:
        list(_pool(torch.get_num_threads()).map(run, jobs))
    return out.permute(0, 3, 1, 2).to(image.dtype).contiguous(memory_format=memory_format(image))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="vsvfi-splat")


@cache
def _kernel() -> Callable[..., None]:
    """The loop below, compiled; the result is kept on disk wherever numba finds a place for it."""
    import numba  # takes a second: only for models that splat

    if logging.getLogger("numba").level == logging.NOTSET:  # it logs megabytes while it compiles, vspipe prints them
        logging.getLogger("numba").setLevel(logging.WARNING)
    try:
        made = numba.njit(nogil=True, cache=True)(_splat_rows)
    except RuntimeError:  # no place to keep it
        made = numba.njit(nogil=True)(_splat_rows)
    return cast("Callable[..., None]", made)


def _splat_rows(
    image: Array, flow: Array, weight: Array, out: Array, total: Array, first: int, last: int, rule: int
) -> None:
    """Fill rows first..last of `out` (H, W, C) and `total` (H, W), which hold zeros, from all of `image` (H, W, C)."""
    h, w, channels = image.shape
    for y in range(h):
        for x in range(w):
            at_y = np.float32(y) + flow[1, y, x]
            at_x = np.float32(x) + flow[0, y, x]
            # False for NaN, and asked while still a float: a huge value must never become an integer.
            if not (at_y >= first - 1 and at_y < last and at_x >= -1 and at_x < w):
                continue
            top, left = int(np.floor(at_y)), int(np.floor(at_x))
            b, a = at_y - np.float32(top), at_x - np.float32(left)
            for k in range(4):
                i, j = top + (k >> 1), left + (k & 1)
                if i < first or i >= last or j < 0 or j >= w:
                    continue
                share = (b if k >> 1 else np.float32(1) - b) * (a if k & 1 else np.float32(1) - a) * weight[y, x]
                total[i, j] += share
                for c in range(channels):
                    out[i, j, c] += share * image[y, x, c]
    if rule == 0:
        return
    for i in range(first, last):
        for j in range(w):
            d = total[i, j]
            if rule == 1:
                d += np.float32(1e-7)
            elif rule == 3:
                d = max(d, np.float32(1e-7))
            elif d == 0:
                d = np.float32(1)
            for c in range(channels):
                out[i, j, c] /= d
