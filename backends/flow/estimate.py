"""Flow between two small pictures, both ways, and how far each vector is to be trusted.

What becomes of the vectors at t is next door, in `compose.py`.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from . import fade, kernels

type Array = np.ndarray[Any, Any]

UNIT = 102.4  # the grid's longest side is the geometric mean of this and the picture's: 256 for 640, 362 for 1280
SMALLEST = 16  # of a side: DIS wants patches of 8 pixels, and a few of them
THUMB = 40  # longest side of the thumbnail: what moves less than 1/40 of the picture stays in its pixel

_PATCH_STRIDE = 5  # of patches 8 wide: 4 finds 0.02 dB more for a quarter more time
_COARSE = (28, 8)  # longest side and least side of the first guess: DIS alone begins at about 40 pixels, too fine for
# motion of a tenth of the picture; subtitles and the like lead guesses on more pixels astray
_CODE_VALUES = 1 / 15  # pixels of disagreement that one code value of difference counts as
_BLUR = 1.5

_local = threading.local()


@dataclass(frozen=True, slots=True)
class Flows:
    """Motion between two frames on the flow grid.

    Attributes:
        flow01, flow10: (h, w, 2) float32, pixels of the grid, u then v.
        trust0, trust1: (h, w) float32 in (0, 1]: of each vector.
        small0, small1: (h, w) uint8: the frames that were compared, at equal levels if they fade.
        fade: 0 where brightness holds, 1 where it certainly changes as a whole.
    """

    flow01: Array
    flow10: Array
    trust0: Array
    trust1: Array
    small0: Array
    small1: Array
    fade: float


def grid_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """(height, width) of the flow grid for a picture and the option `scale`.

    Larger pictures show larger things, so the grid grows with the root of their size; see docs/flow.md.
    """
    factor = min(1.0, math.sqrt(UNIT / max(height, width))) * scale
    return max(SMALLEST, round(height * factor)), max(SMALLEST, round(width * factor))


def thumbnail(small: Array) -> Array:
    """The picture at most THUMB pixels long."""
    h, w = small.shape
    factor = min(1.0, THUMB / max(h, w))
    return cv2.resize(small, (max(1, round(w * factor)), max(1, round(h * factor))), interpolation=cv2.INTER_AREA)


def estimate(small0: Array, small1: Array, thumb0: Array, thumb1: Array) -> Flows:
    """Flow both ways between two 8-bit pictures of one size."""
    levels = fade.find(thumb0, thumb1)
    if levels.strength:
        table0, table1 = levels.tables()
        small0, small1 = cv2.LUT(small0, table0), cv2.LUT(small1, table1)
    flow01, flow10 = _dis(small0, small1), _dis(small1, small0)
    trust0 = _trust(flow01, flow10, small0, small1)
    trust1 = _trust(flow10, flow01, small1, small0)
    return Flows(flow01, flow10, trust0, trust1, small0, small1, levels.strength)


def _dis(small0: Array, small1: Array) -> Array:
    """Dense inverse search, led by its own answer on a few hundred pixels."""
    h, w = small0.shape
    searcher, guesser = _searchers()
    coarse0, coarse1 = (
        cv2.resize(small, _coarse_size(h, w), interpolation=cv2.INTER_AREA) for small in (small0, small1)
    )
    scale = np.array([w / coarse0.shape[1], h / coarse0.shape[0]], np.float32)
    guess = cv2.resize(guesser.calc(coarse0, coarse1, None), (w, h)) * scale
    flow: Array = searcher.calc(small0, small1, guess)
    return np.nan_to_num(flow, copy=False)


def _searchers() -> tuple[Any, Any]:
    """This thread's own, for the flow grid and for the first guess: the objects keep buffers between calls."""
    if not hasattr(_local, "searchers"):
        # Variational refinement pays on the guess only: later, weights and medians do what it would.
        _local.searchers = _searcher(_PATCH_STRIDE, 0), _searcher(1, 5)
    return _local.searchers  # type: ignore[no-any-return]


def _searcher(stride: int, variational: int) -> Any:
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)  # the picture is small already
    dis.setPatchStride(stride)
    dis.setVariationalRefinementIterations(variational)
    return dis


def _coarse_size(height: int, width: int) -> tuple[int, int]:
    """(width, height), as OpenCV wants it."""
    longest, least = _COARSE
    factor = min(1.0, longest / max(height, width))
    return max(least, round(width * factor)), max(least, round(height * factor))


def _trust(flow: Array, back: Array, own: Array, other: Array) -> Array:
    doubts = np.empty(own.shape, np.float32)
    kernels.doubt(flow, back, own, other, np.float32(_CODE_VALUES), doubts)
    trust: Array = cv2.exp(-cv2.GaussianBlur(doubts, (0, 0), _BLUR))
    trust += np.float32(1e-4)
    return trust
