"""The frame at t out of two frames and the flows between them.

First on the flow grid: two candidate motions a pixel, one from each frame's splatted flow, and the weights of motions
and frames. Then plane by plane, in strips that stay in the cache: both frames are sampled along both motions (bicubic)
and mixed by the weights. Where motions agree this is one motion; where they do not, the mixture is soft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from . import kernels
from .estimate import Flows
from .kernels import compiled

type Array = np.ndarray[Any, Any]

_TOLERANCE = 15.0  # code values of error along a motion that make it e times less likely
_FLOOR = 0.3
_ERROR_BLUR = 1.5
_FILL = 31  # side of the window that holes in both splats are filled from, flow grid pixels
_FADE_BLEND = 0.4  # share of the plain blend in a certain fade: measured, see docs/flow.md
_STRIP = 1 << 15  # pixels of a strip: its maps, samples and weights are about 2 MB


@dataclass(frozen=True, slots=True)
class Field:
    """Motion and weights at one t, on the flow grid.

    Attributes:
        flows: (h, w, 4): candidate motions from 0 to 1 in pixels of the grid: u, v, u, v.
        shares: (h, w, 2): share of the first candidate, share of frame 0.
        t: of the frame.
        blend: share of the plain blend of both frames, everywhere.
    """

    flows: Array
    shares: Array
    t: float
    blend: float


def field(motion: Flows, t: float) -> Field:
    """Candidate motions and their weights for the frame at t."""
    h, w = motion.small0.shape
    sums0, sums1 = np.empty((h, w, 3), np.float32), np.empty((h, w, 3), np.float32)
    time = np.float32(t)
    kernels.splat(motion.flow01, motion.trust0, time, np.float32(1), sums0)
    kernels.splat(motion.flow10, motion.trust1, np.float32(1 - t), np.float32(-1), sums1)
    fill = cv2.blur(sums0 + sums1, (_FILL, _FILL))
    flows, errors = np.empty((h, w, 4), np.float32), np.empty((h, w, 2), np.float32)
    kernels.candidates(sums0, sums1, fill, motion.small0, motion.small1, time, flows, errors)
    errors = cv2.GaussianBlur(errors, (0, 0), _ERROR_BLUR)
    shares = np.empty((h, w, 2), np.float32)
    kernels.weigh(sums0, sums1, errors, time, np.float32(_TOLERANCE), np.float32(_FLOOR), shares)
    if motion.fade:
        # Each frame has brightness of its own: only by time do they mix to the brightness at t.
        shares[..., 1] += np.float32(motion.fade) * (np.float32(1 - t) - shares[..., 1])
    return Field(flows, shares, t, _FADE_BLEND * motion.fade)


def planes(at: Field, planes0: Sequence[Array], planes1: Sequence[Array], peak: float | None) -> list[Array]:
    """Every plane of the frame at t.

    Args:
        at: motion and weights.
        planes0, planes1: (H, W) arrays of one type, uint8, uint16, float16 or float32; rows may be padded.
        peak: largest sample of an integer format; None: float, neither rounded nor limited.

    Returns:
        New arrays of the same type.
    """
    work = [_working(plane) for plane in (*planes0, *planes1)]
    result = [np.empty(plane.shape, plane.dtype) for plane in work[: len(planes0)]]
    sizes = sorted({plane.shape for plane in result}, reverse=True)
    for size in sizes:  # planes of one size share the way: the positions are found once
        chosen = [i for i, plane in enumerate(result) if plane.shape == size]
        _size(at, [(work[i], work[len(planes0) + i], result[i]) for i in chosen], size, peak)
    return [plane.astype(like.dtype, copy=False) for plane, like in zip(result, planes0, strict=True)]


def _working(plane: Array) -> Array:
    # OpenCV has no half floats.
    return plane.astype(np.float32) if plane.dtype == np.float16 else plane


def _size(at: Field, jobs: list[tuple[Array, Array, Array]], size: tuple[int, int], peak: float | None) -> None:
    h, w = size
    rows = max(8, _STRIP // w)
    maps = np.empty((4, min(rows, h), w, 2), np.float32)
    shares = np.empty((min(rows, h), w, 2), np.float32)
    for top in range(0, h, rows):
        n = min(rows, h - top)
        positions(at.flows, at.shares, h, top, np.float32(at.t), maps[:, :n], shares[:n])
        for plane0, plane1, out in jobs:
            seen = [
                cv2.remap(plane, maps[k, :n], None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
                for k, plane in enumerate((plane0, plane1, plane0, plane1))
            ]
            if at.blend:
                still = cv2.addWeighted(
                    plane0[top : top + n], 1 - at.t, plane1[top : top + n], at.t, 0.0, dtype=cv2.CV_32F
                )
            else:
                still = np.empty((1, 1), np.float32)
            mix(*seen, still, shares[:n], np.float32(at.blend), np.float32(peak or 0), out[top : top + n])


@compiled
def positions(flows: Array, shares: Array, height: int, top: int, t: float, maps: Array, out: Array) -> None:
    """Where the samples of a strip of a plane lie in both frames, along both motions; and the weights there.

    Args:
        flows: (h, w, 4), on the flow grid.
        shares: (h, w, 2), on the flow grid.
        height: of the plane; its width is the strip's.
        top: first row of the strip.
        t: of the frame.
        maps: (4, rows, W, 2), float32, filled: x, y in frame 0 and frame 1 along the first motion, then the second.
        out: (rows, W, 2), float32, filled: the shares.
    """
    h, w = flows.shape[:2]
    rows, width = out.shape[:2]
    sx = np.float32(width / w)
    sy = np.float32(height / h)
    half = np.float32(0.5)
    line = np.empty((w, 6), np.float32)
    for r in range(rows):
        y = min(max((r + top + half) / sy - half, np.float32(0)), np.float32(h - 1))
        y0 = int(y)
        y1 = min(y0 + 1, h - 1)
        ay = np.float32(y - y0)
        for x in range(w):
            for c in range(4):
                line[x, c] = flows[y0, x, c] * (1 - ay) + flows[y1, x, c] * ay
            for c in range(2):
                line[x, 4 + c] = shares[y0, x, c] * (1 - ay) + shares[y1, x, c] * ay
        for i in range(width):
            x = min(max((i + half) / sx - half, np.float32(0)), np.float32(w - 1))
            x0 = int(x)
            x1 = min(x0 + 1, w - 1)
            ax = np.float32(x - x0)
            bx = np.float32(1) - ax
            for c in range(2):
                u = (line[x0, 2 * c] * bx + line[x1, 2 * c] * ax) * sx
                v = (line[x0, 2 * c + 1] * bx + line[x1, 2 * c + 1] * ax) * sy
                maps[2 * c, r, i, 0] = i - t * u
                maps[2 * c, r, i, 1] = (r + top) - t * v
                maps[2 * c + 1, r, i, 0] = i + (1 - t) * u
                maps[2 * c + 1, r, i, 1] = (r + top) + (1 - t) * v
            out[r, i, 0] = line[x0, 4] * bx + line[x1, 4] * ax
            out[r, i, 1] = line[x0, 5] * bx + line[x1, 5] * ax


@compiled
def mix(
    a0: Array, a1: Array, b0: Array, b1: Array, still: Array, shares: Array, blend: float, peak: float, out: Array
) -> None:
    """The weighted mean of four samples (motion a and b, frame 0 and 1) and of the plain blend, rounded for integers.

    Args:
        a0, a1, b0, b1: (rows, W), of the plane's type.
        still: (rows, W) float32, the plain blend; anything if `blend` is 0.
        shares: (rows, W, 2): of motion a, of frame 0.
        blend: share of `still`.
        peak: limit of an integer format; 0: the plane is float.
        out: (rows, W), filled.
    """
    rows, width = out.shape
    for r in range(rows):
        for i in range(width):
            k = shares[r, i, 0]
            f = shares[r, i, 1]
            a = a1[r, i] + f * (np.float32(a0[r, i]) - a1[r, i])
            b = b1[r, i] + f * (np.float32(b0[r, i]) - b1[r, i])
            value = b + k * (a - b)
            if blend > 0:
                value += blend * (still[r, i] - value)
            if peak > 0:
                value = min(max(value, np.float32(0)), peak) + np.float32(0.5)
            out[r, i] = value
