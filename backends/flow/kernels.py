"""Loops over the flow grid that NumPy and OpenCV have no function for, compiled by numba without the GIL.

Each runs in one thread and adds in a fixed order, so the same input gives the same bytes. `compose.py` calls them;
the loops over whole planes are there.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np

type Array = np.ndarray[Any, Any]

# vspipe prints whatever is logged, at any level; while it compiles, numba logs megabytes for its own authors.
if logging.getLogger("numba").level == logging.NOTSET:
    logging.getLogger("numba").setLevel(logging.WARNING)

# Chosen by measuring clips of all kinds.
TOLERANCE = 15.0  # code values of error along a motion that make it e times less likely
FLOOR = 0.3  # trust that both frames get anyway: far below it, they mix by time alone
BLEND = 4.0  # how many times worse than standing still a motion must fit until half of it is given up
FADE_BLEND = 0.4  # share of the plain blend in a certain fade


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use, and keep the result on disk wherever numba finds a place for it.

    Its places are `NUMBA_CACHE_DIR`, beside the file, then the user's cache folder; with none of them writable it
    refuses to decorate at all, and then every process compiles for itself.
    """
    try:
        kernel = numba.njit(nogil=True, fastmath=True, cache=True)(function)
    except RuntimeError:
        kernel = numba.njit(nogil=True, fastmath=True)(function)
    return cast("Callable[..., Any]", kernel)


@compiled
def sample(image: Array, x: Any, y: Any) -> Any:
    """`image` at (x, y), bilinear, the edge repeated beyond it."""
    h, w = image.shape
    x = min(max(x, np.float32(0)), np.float32(w - 1))
    y = min(max(y, np.float32(0)), np.float32(h - 1))
    x0 = np.uint32(x)
    y0 = np.uint32(y)
    x1 = min(x0 + np.uint32(1), np.uint32(w - 1))
    y1 = min(y0 + np.uint32(1), np.uint32(h - 1))
    ax = x - np.float32(x0)
    ay = y - np.float32(y0)
    top = np.float32(image[y0, x0])
    top += (np.float32(image[y0, x1]) - top) * ax
    low = np.float32(image[y1, x0])
    low += (np.float32(image[y1, x1]) - low) * ax
    return top + (low - top) * ay


@compiled
def doubt(flow: Array, back: Array, own: Array, other: Array, scale: float, out: Array) -> None:
    """How little each vector is to be trusted: |flow + back there| + |own - other there| * scale.

    Args:
        flow: (h, w, 2), from `own` to `other`.
        back: (h, w, 2), from `other` to `own`.
        own: (h, w), uint8.
        other: (h, w), uint8.
        scale: pixels of disagreement that one code value counts as.
        out: (h, w), float32, filled.
    """
    h, w = own.shape
    for y in range(h):
        for x in range(w):
            u = flow[y, x, 0]
            v = flow[y, x, 1]
            fx = np.float32(x) + u
            fy = np.float32(y) + v
            du = u + sample(back[:, :, 0], fx, fy)
            dv = v + sample(back[:, :, 1], fx, fy)
            out[y, x] = math.sqrt(du * du + dv * dv) + abs(np.float32(own[y, x]) - sample(other, fx, fy)) * scale


@compiled
def splat(flow: Array, trust: Array, t: float, sign: float, out: Array) -> None:
    """Push every vector along itself to time t, bilinear: sums of trust * (u, v) * sign and of trust.

    Args:
        flow: (h, w, 2).
        trust: (h, w), the weight of each vector.
        t: share of the way it is pushed.
        sign: -1 turns vectors of frame 1 round, so that both frames speak of the motion from 0 to 1.
        out: (h, w, 3), float32, overwritten.
    """
    h, w = trust.shape
    out[:] = 0
    for y in range(h):
        for x in range(w):
            u = flow[y, x, 0]
            v = flow[y, x, 1]
            fx = x + t * u
            fy = y + t * v
            if not (-1.0 < fx < w and -1.0 < fy < h):
                continue
            x0 = math.floor(fx)
            y0 = math.floor(fy)
            ax = np.float32(fx - x0)
            ay = np.float32(fy - y0)
            for dy in range(2):
                yy = y0 + dy
                if yy < 0 or yy >= h:
                    continue
                row = (ay if dy else 1 - ay) * trust[y, x]
                for dx in range(2):
                    xx = x0 + dx
                    if xx < 0 or xx >= w:
                        continue
                    k = row * (ax if dx else 1 - ax)
                    out[yy, xx, 0] += k * u * sign
                    out[yy, xx, 1] += k * v * sign
                    out[yy, xx, 2] += k


@compiled
def candidates(
    sums0: Array, sums1: Array, fill: Array, small0: Array, small1: Array, t: float, flows: Array, errors: Array
) -> None:
    """The two motions that may hold at each pixel of the frame at t, and how badly each fits the pictures.

    A hole in one frame's splat takes the other's motion, a hole in both that of the surroundings.

    Args:
        sums0: (h, w, 3), what `splat` made of frame 0's flow.
        sums1: the same of frame 1.
        fill: (h, w, 3), their sum, widely blurred.
        small0: (h, w), uint8: frame 0.
        small1: (h, w), uint8: frame 1.
        t: of the frame.
        flows: (4, h, w), float32, filled: u, v from frame 0's splat, u, v from frame 1's; both from 0 to 1.
        errors: (h, w, 3), float32, filled: |frame 0 - frame 1| along each, and without any motion.
    """
    h, w = small0.shape
    hint = np.float32(1e-3)
    last = np.float32(3e-3)
    back = np.float32(1) - t
    for y in range(h):
        for x in range(w):
            for c in range(2):
                own = sums0 if c == 0 else sums1
                other = sums1 if c == 0 else sums0
                mass = own[y, x, 2] + hint * other[y, x, 2] + last * fill[y, x, 2] + np.float32(1e-12)
                u = (own[y, x, 0] + hint * other[y, x, 0] + last * fill[y, x, 0]) / mass
                v = (own[y, x, 1] + hint * other[y, x, 1] + last * fill[y, x, 1]) / mass
                flows[2 * c, y, x] = u
                flows[2 * c + 1, y, x] = v
                seen0 = sample(small0, np.float32(x) - t * u, np.float32(y) - t * v)
                seen1 = sample(small1, np.float32(x) + back * u, np.float32(y) + back * v)
                errors[y, x, c] = abs(seen0 - seen1)
            errors[y, x, 2] = abs(np.float32(small0[y, x]) - small1[y, x])


@compiled
def weigh(sums0: Array, sums1: Array, errors: Array, t: float, fade: float, out: Array) -> None:
    """How far to believe each motion, each frame, and that there is any motion to be seen, at every pixel at t.

    Args:
        sums0: (h, w, 3), what `splat` made of frame 0's flow; its mass tells what is visible there.
        sums1: the same of frame 1.
        errors: (h, w, 3), of the two motions and of none.
        t: of the frame.
        fade: 0 to 1: brightness changes as a whole.
        out: (3, h, w), float32, filled: share of the first motion, share of frame 0, share of the plain blend.
    """
    h, w = errors.shape[:2]
    still = FADE_BLEND * fade
    for y in range(h):
        for x in range(w):
            mass0 = sums0[y, x, 2] * (1 - t)
            mass1 = sums1[y, x, 2] * t
            odds = math.exp(min((errors[y, x, 0] - errors[y, x, 1]) / TOLERANCE, 30.0))
            out[0, y, x] = (mass0 + 1e-3) / (mass0 + 1e-3 + (mass1 + 1e-3) * odds)
            seen0 = mass0 + FLOOR * (1 - t)
            share = seen0 / (seen0 + mass1 + FLOOR * t)
            # Each frame has brightness of its own: only by time do they mix to the brightness at t.
            out[1, y, x] = share + fade * (1 - t - share)
            error = min(errors[y, x, 0], errors[y, x, 1])
            misfit = error / (error + BLEND * (errors[y, x, 2] + 1))
            out[2, y, x] = misfit + still * (1 - misfit)
