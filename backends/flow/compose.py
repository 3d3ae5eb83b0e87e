"""The frame at t out of two frames and the flows between them.

First on the flow grid: two candidate motions a pixel, one from each frame's splatted flow, and the weights of motions
and frames. Then plane by plane, in strips that stay in the cache: both frames are sampled along both motions and mixed
by the weights. Where motions agree this is one motion; where they do not, the mixture is soft.
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
from .scratch import buffer

type Array = np.ndarray[Any, Any]

_ERROR_BLUR = 1.5
_MEDIAN = 5  # lone vectors would tear specks out of an object's edge
_FILL = 15  # side of the window that holes in both splats are filled from, flow grid pixels
_NEAR = 0.125  # pixels: two motions that lead to places nearer than this are one
_STRIP = 1 << 14  # pixels of a strip: its maps, samples and weights take 1 MB


@dataclass(frozen=True, slots=True)
class Field:
    """Motion and weights at one t.

    Attributes:
        values: (7, h, w) on the flow grid: two candidate motions from 0 to 1 in its pixels (u, v, u, v), and the
            shares of the first of them, of frame 0, of the plain blend.
        t: of the frame.
    """

    values: Array
    t: float


def field(motion: Flows, t: float) -> Field:
    """Candidate motions and their weights for the frame at t."""
    h, w = motion.small0.shape
    sums0, sums1, fill, errors, blurred = (
        buffer(name, h, w, 3) for name in ("sums0", "sums1", "fill", "errors", "blurred")
    )
    values = np.empty((7, h, w), np.float32)
    time = np.float32(t)
    kernels.splat(motion.flow01, motion.trust0, time, np.float32(1), sums0)
    kernels.splat(motion.flow10, motion.trust1, np.float32(1 - t), np.float32(-1), sums1)
    np.add(sums0, sums1, out=errors)
    cv2.blur(errors, (_FILL, _FILL), fill)
    kernels.candidates(sums0, sums1, fill, motion.small0, motion.small1, time, values[:4], errors)
    for channel in values[:4]:
        cv2.medianBlur(channel, _MEDIAN, channel)
    cv2.GaussianBlur(errors, (0, 0), _ERROR_BLUR, blurred)
    kernels.weigh(sums0, sums1, blurred, time, np.float32(motion.fade), values[4:])
    return Field(values, t)


def planes(at: Field, planes0: Sequence[Array], planes1: Sequence[Array], peak: float | None) -> list[Array]:
    """Every plane of the frame at t.

    Args:
        at: motion and weights.
        planes0: (H, W) arrays of one type, uint8, uint16, float16 or float32; rows may be padded.
        planes1: the same of the other frame.
        peak: largest sample of an integer format; None: float, neither rounded nor limited.

    Returns:
        New arrays of the same type.
    """
    result = [np.empty(plane.shape, plane.dtype) for plane in planes0]
    for size in dict.fromkeys(plane.shape for plane in planes0):  # planes of one size share the way: found once
        chosen = [p for p, plane in enumerate(planes0) if plane.shape == size]
        # Subsampled chroma holds nothing that a bicubic filter would keep better: same PSNR at a third of the time.
        filter = cv2.INTER_CUBIC if size == planes0[0].shape else cv2.INTER_LINEAR
        pairs = [
            (_as_float(planes0[p], f"first{k}"), _as_float(planes1[p], f"second{k}")) for k, p in enumerate(chosen)
        ]
        _same_size(at, pairs, [result[p] for p in chosen], filter, peak)
    return result


def _as_float(plane: Array, name: str) -> Array:
    """Samples of 8 bits would be rounded once more when they are read, which costs 0.2 dB where motion is exact."""
    if plane.dtype == np.float32:
        return plane
    result = buffer(name, *plane.shape)
    np.copyto(result, plane)
    return result


def _same_size(
    at: Field, pairs: list[tuple[Array, Array]], results: list[Array], filter: int, peak: float | None
) -> None:
    h, w = results[0].shape
    rows = min(h, max(8, _STRIP // w))
    first_maps, second_maps = buffer("first", 4, rows, w), buffer("second", 4, rows, w)
    shares, seen, still = buffer("shares", 3, rows, w), buffer("seen", 4, rows, w), buffer("still", rows, w)
    where = buffer("where", rows * w).view(np.int32)
    for start in range(0, h, rows):
        top = min(start, h - rows)  # the last strip overlaps the one before: all are of one size
        strip = slice(top, top + rows)
        count = positions(at.values, h, top, np.float32(at.t), first_maps, second_maps, where, shares)
        used = -(-count // w)  # rows that the positions along the second motion fill
        for (first, second), out in zip(pairs, results, strict=True):
            for k, plane in enumerate((first, second)):
                x, y = first_maps[2 * k], first_maps[2 * k + 1]
                cv2.remap(plane, x, y, filter, seen[k], cv2.BORDER_REPLICATE)
                if used:
                    x, y = second_maps[2 * k, :used], second_maps[2 * k + 1, :used]
                    cv2.remap(plane, x, y, filter, seen[2 + k, :used], cv2.BORDER_REPLICATE)
            cv2.addWeighted(first[strip], 1 - at.t, second[strip], at.t, 0.0, still)
            mixed = still if out.dtype == np.float16 else out[strip]
            mix(seen, still, shares, where[:count], np.float32(peak or 0), mixed)
            if mixed is still:  # numba computes in no half floats
                out[strip] = still


def dense(at: Field, height: int, width: int) -> tuple[Array, Array]:
    """For people to look at: the mean motion (2, H, W) from 0 to 1 in pixels of the picture, and frame 0's share."""
    h, w = at.values.shape[1:]
    u0, v0, u1, v1, first, share, still = at.values
    moving = 1 - still
    u, v = moving * (first * u0 + (1 - first) * u1), moving * (first * v0 + (1 - first) * v1)
    share = moving * share + still * np.float32(1 - at.t)
    u, v, share = (cv2.resize(value, (width, height)) for value in (u, v, share))
    return np.stack([u * np.float32(width / w), v * np.float32(height / h)]), share


@compiled
def positions(
    values: Array, height: int, top: int, t: float, first: Array, second: Array, where: Array, shares: Array
) -> int:
    """Where the samples of a strip of a plane lie in both frames, along both motions; and the weights there.

    Where the motions lead to nearly the same place, their mean is the first, and the second is left out: mostly they
    do, and samples are what takes the time.

    Args:
        values: (7, h, w), of a Field.
        height: of the plane; its width is the strip's.
        top: first row of the strip.
        t: of the frame.
        first: (4, rows, W), float32, filled: x, y in frame 0, x, y in frame 1, along the first motion.
        second: the same along the second motion, packed: one after the other where it is needed, row after row.
        where: (rows * W), int32, filled: of each position in `second`, its pixel in the strip.
        shares: (3, rows, W), float32, filled: the last three of `values`.

    Returns:
        How many positions `second` holds; up to the end of its row it is filled with the last of them.
    """
    h, w = values.shape[1:]
    rows, width = shares.shape[1:]
    sx = np.float32(width / w)
    sy = np.float32(height / h)
    half = np.float32(0.5)
    back = np.float32(1) - t
    near = np.float32(_NEAR) / np.maximum(t, back)
    one = np.uint32(1)
    line = np.empty((7, w + 1), np.float32)
    left = np.empty(width, np.uint32)  # unsigned, so that no check for negative indices keeps the loops from vectors
    ax = np.empty(width, np.float32)
    motion = np.empty((4, width), np.float32)
    packed = second.reshape(4, rows * width)
    count = 0
    for i in range(width):
        x = min(max((i + half) / sx - half, np.float32(0)), np.float32(w - 1))
        left[i] = np.uint32(x)
        ax[i] = x - np.float32(left[i])
    for r in range(rows):
        y = min(max((r + top + half) / sy - half, np.float32(0)), np.float32(h - 1))
        y0 = int(y)
        y1 = min(y0 + 1, h - 1)
        ay = np.float32(y - y0)
        for c in range(7):
            for k in range(w):
                line[c, k] = values[c, y0, k] * (1 - ay) + values[c, y1, k] * ay
            line[c, w] = line[c, w - 1]
        for c in range(3):
            for i in range(width):
                k = left[i]
                shares[c, r, i] = line[4 + c, k] + (line[4 + c, k + one] - line[4 + c, k]) * ax[i]
        for c in range(4):
            scale = sx if c % 2 == 0 else sy
            for i in range(width):
                k = left[i]
                motion[c, i] = (line[c, k] + (line[c, k + one] - line[c, k]) * ax[i]) * scale
        here = np.float32(r + top)
        for i in range(width):
            du = motion[2, i] - motion[0, i]
            dv = motion[3, i] - motion[1, i]
            apart = max(abs(du), abs(dv)) > near
            share = np.float32(0) if apart else np.float32(1) - shares[0, r, i]
            u = motion[0, i] + share * du
            v = motion[1, i] + share * dv
            first[0, r, i] = np.float32(i) - t * u
            first[1, r, i] = here - t * v
            first[2, r, i] = np.float32(i) + back * u
            first[3, r, i] = here + back * v
        for i in range(width):
            u, v = motion[2, i], motion[3, i]
            if max(abs(u - motion[0, i]), abs(v - motion[1, i])) > near:
                packed[0, count] = np.float32(i) - t * u
                packed[1, count] = here - t * v
                packed[2, count] = np.float32(i) + back * u
                packed[3, count] = here + back * v
                where[count] = r * width + i
                count += 1
    for k in range(count, -(-count // width) * width):
        for c in range(4):
            packed[c, k] = packed[c, count - 1]
    return count


@compiled
def mix(seen: Array, still: Array, shares: Array, where: Array, peak: float, out: Array) -> None:
    """The weighted mean of samples along two motions, in two frames, and of the plain blend.

    Args:
        seen: (4, rows, W): along the first motion in frame 0 and 1; along the second, packed as `positions` did.
            Overwritten.
        still: (rows, W), the plain blend.
        shares: (3, rows, W): of the first motion, of frame 0, of `still`.
        where: pixels that have samples along the second motion, in rising order.
        peak: limit of an integer format, rounded to nearest; 0: the plane is float.
        out: (rows, W), uint8, uint16 or float32, filled; may be `still`.
    """
    rows, width = out.shape
    packed = seen.reshape(4, rows * width)
    first = shares[0].reshape(rows * width)
    early = shares[1].reshape(rows * width)
    for r in range(rows):
        for i in range(width):
            seen[0, r, i] = seen[1, r, i] + shares[1, r, i] * (seen[0, r, i] - seen[1, r, i])
    for j in range(where.size):
        k = where[j]
        b = packed[3, j] + early[k] * (packed[2, j] - packed[3, j])
        packed[0, k] = b + first[k] * (packed[0, k] - b)
    for r in range(rows):
        for i in range(width):
            value = seen[0, r, i]
            value += shares[2, r, i] * (still[r, i] - value)
            if peak > 0:
                value = min(max(value, np.float32(0)), peak) + np.float32(0.5)
            out[r, i] = value
