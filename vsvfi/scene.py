"""Is the next frame another scene? Scores from thumbnails, with a frame of context on either side; numpy and OpenCV.

Blocks of one thumbnail are looked for in the other by normalised correlation, which neither brightness nor contrast
changes, so flashes and fades do not score; a pan's blocks are found where they went. What cannot be found is weighed
against how much could not be found just before and after: violent motion is violent for more than one frame.
Which signal decides is decide.py's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

type Plane = np.ndarray[Any, Any]

DEFAULT_THRESHOLD = 0.5
"""Where the measurements in docs/benchmarks/scene.md put it: between the loudest motion and the quietest cut."""

THUMBNAIL = _HEIGHT, _WIDTH = 36, 64  # 16:9, but any picture is squeezed into it
_BLOCK = 12, 16  # rows, columns of a block
_STEP = 8, 12  # from block to block: rows, columns
_REACH = 6, 12  # how far a block may have gone: a sixth of the height, nearly a fifth of the width
_FLAT = 0.012  # standard deviation below which a block says nothing
_FOUND, _LOST = 0.85, 0.45  # correlation of the best place: the same thing surely, chance at best
_PLACES = tuple(
    (y, x) for y in range(0, _HEIGHT - _BLOCK[0] + 1, _STEP[0]) for x in range(0, _WIDTH - _BLOCK[1] + 1, _STEP[1])
)  # (top, left) of every block
_SAMPLES = 5  # a thumbnail's pixel averages about this many samples squared; more would only cost time


@dataclass(frozen=True, slots=True)
class Signature:
    """What is kept of a frame: 26 KB.

    Attributes:
        luma: (36, 64) float32 brightness in about [0, 1].
        color: (9, 16, planes) float32 of the planes, coarser.
        blocks: (blocks, pixels of one) float32 of luma, each with mean 0 and length 1.
        deviation: (blocks,) float32: their standard deviations before that.
    """

    luma: np.ndarray[Any, np.dtype[np.float32]]
    color: np.ndarray[Any, np.dtype[np.float32]]
    blocks: np.ndarray[Any, np.dtype[np.float32]]
    deviation: np.ndarray[Any, np.dtype[np.float32]]


class Verdict(NamedTuple):
    """How much a pair of frames looks like two scenes.

    Attributes:
        score: in [0, 1].
        cut: whether the score reaches the threshold.
    """

    score: float
    cut: bool


def signature(planes: Sequence[Plane], peak: float, family: str) -> Signature:
    """What `judge` needs of a frame.

    Args:
        planes: uint8, uint16, float16 or float32, any strides, from 16x16 up.
        peak: the largest sample value, 1.0 for float formats.
        family: "YUV", "RGB" or "GRAY".
    """
    small = [_thumbnail(plane, peak) for plane in planes]
    return signature_of(small, family, floats=planes[0].dtype.kind == "f")


def signature_of(small: Sequence[Plane], family: str, *, floats: bool) -> Signature:
    """A signature out of thumbnails, wherever those were made.

    Args:
        small: (36, 64) float32 of each plane, over the peak.
        family: "YUV", "RGB" or "GRAY".
        floats: whether samples were floating: then chroma lies around 0.
    """
    small = list(small)
    if family == "YUV" and floats:
        small[1:] = [plane + np.float32(0.5) for plane in small[1:]]
    mean = np.mean(small, axis=0) if family == "RGB" else small[0]
    color = np.stack([cv2.resize(plane, (16, 9), interpolation=cv2.INTER_AREA) for plane in small], axis=2)
    luma: np.ndarray[Any, np.dtype[np.float32]] = np.ascontiguousarray(mean, np.float32)
    return Signature(luma, color.astype(np.float32), *_blocks(luma))


def judge(
    before: Signature | None,
    first: Signature,
    second: Signature,
    after: Signature | None,
    threshold: float = DEFAULT_THRESHOLD,
) -> Verdict:
    """Score the pair (first, second).

    Args:
        before: the frame before first; None at the clip's beginning.
        first: earlier frame of the pair.
        second: later frame.
        after: the frame after second; None at the end.
        threshold: a score that reaches it is a cut.
    """
    raw = _strangeness(first, second)
    if raw < 0.25:  # most pairs: nothing around could make a cut of it
        return Verdict(raw, raw >= threshold)
    # One strange frame between two alike is a flash, seen from either side of it.
    returns = min((_strangeness(a, b) for a, b in ((before, second), (first, after)) if a and b), default=1.0)
    # Motion that loses blocks does so before or after as well; a cut stands alone.
    usual = [_strangeness(a, b) for a, b in ((before, first), (second, after)) if a and b]
    busy = max(usual, default=0.0)
    score = raw * (1 - 0.6 * busy) * (0.3 if returns < 0.4 * raw else 1.0)
    score = float(min(1.0, max(0.0, score)))
    return Verdict(score, score >= threshold)


def is_still(planes0: Sequence[Plane], planes1: Sequence[Plane], peak: float, threshold: float) -> bool:
    """Whether two frames differ by no more than `threshold` on average; at 0.0 they must be equal to the last sample.

    Most pairs differ, and every 16th row shows that: any difference there at 0.0, else a mean far above the threshold.

    Args:
        planes0: of the earlier frame, any sample type.
        planes1: of the later frame.
        peak: the largest sample value, 1.0 for float formats.
        threshold: mean absolute difference in 8-bit code values.
    """
    rough = _mean_difference([p[::16] for p in planes0], [p[::16] for p in planes1], peak)
    if rough > (4.0 + threshold if threshold else 0.0):
        return False
    return _mean_difference(planes0, planes1, peak) <= threshold


def _mean_difference(planes0: Sequence[Plane], planes1: Sequence[Plane], peak: float) -> float:
    total, count = 0.0, 0
    for a, b in zip(planes0, planes1, strict=True):
        if a.dtype == np.float16:
            a, b = a.astype(np.float32), b.astype(np.float32)
        total += float(cv2.norm(a, b, cv2.NORM_L1))
        count += a.size
    return total / count * 255 / peak


def grid(height: int, width: int) -> tuple[int, int, int, int]:
    """Which samples of a plane a thumbnail looks at: (rows, columns) of them, every how many rows and columns."""
    step = max(1, height // (_HEIGHT * _SAMPLES)), max(1, width // (_WIDTH * _SAMPLES))
    return -(-height // step[0]), -(-width // step[1]), *step


def _thumbnail(plane: Plane, peak: float) -> Plane:
    _, _, step_y, step_x = grid(*plane.shape)
    sparse = np.ascontiguousarray(plane[::step_y, ::step_x])
    if sparse.dtype == np.float16:
        sparse = sparse.astype(np.float32)
    return cv2.resize(sparse, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(peak)


def _strangeness(a: Signature, b: Signature) -> float:
    """How little of one frame is found in the other, in [0, 1]; the same both ways."""
    found = np.einsum("bp,bp->b", a.blocks, b.blocks) > _FOUND  # most blocks are where they were: no search
    lost, weight = (sum(pair) for pair in zip(_lost(a, b, found), _lost(b, a, found), strict=True))
    structure = lost / weight if weight > 0 else 0.0
    # Colours that stayed speak for the same scene, strange ones against it, also where nothing has structure.
    color = float(np.abs(_centered(a.color) - _centered(b.color)).mean()) * 12
    sure = min(1.0, weight / 12)
    return min(1.0, sure * structure * min(1.0, 0.55 + color) + (1 - sure) * min(1.0, color))


def _centered(color: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return color - color.mean(axis=(0, 1))


def _lost(a: Signature, b: Signature, found: np.ndarray[Any, Any]) -> tuple[float, float]:
    """(sum of what was lost of a's blocks, sum of their weights); `found` are those that need no search."""
    lost = weight = 0.0
    for k, deviation in enumerate(a.deviation.tolist()):
        if deviation < _FLAT:
            continue
        own = min(1.0, deviation / 0.05)
        weight += own
        if found[k]:
            continue
        y, x = _PLACES[k]
        top, left = max(0, y - _REACH[0]), max(0, x - _REACH[1])
        area = b.luma[top : y + _BLOCK[0] + _REACH[0], left : x + _BLOCK[1] + _REACH[1]]
        best = float(cv2.matchTemplate(area, a.blocks[k].reshape(_BLOCK), cv2.TM_CCOEFF_NORMED).max())
        lost += own * min(1.0, max(0.0, (_FOUND - best) / (_FOUND - _LOST)))
    return lost, weight


def _blocks(luma: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(blocks, pixels) each with mean 0 and length 1, and their standard deviations; in the order of _PLACES."""
    rows, columns = _BLOCK
    cut = np.stack([luma[y : y + rows, x : x + columns].ravel() for y, x in _PLACES])
    cut -= cut.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("bp,bp->b", cut, cut))
    return cut / np.maximum(length, 1e-9)[:, None], length / np.float32(np.sqrt(rows * columns))
