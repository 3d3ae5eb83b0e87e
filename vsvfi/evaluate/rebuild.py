"""Drop frames that are known, rebuild them, and compare: the truth of every figure of quality here.

One conversion to RGB for the truth and for every result: two converters already disagree by about 47 dB.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from ..errors import ClipError, OptionError
from . import metrics

type Picture = NDArray[np.uint8]
"""(H, W, 3) RGB."""

type Doubler = Callable[[vs.VideoNode], vs.VideoNode]
"""Doubles a clip's rate; `methods.double` with a method chosen."""


@dataclass(frozen=True)
class Score:
    """One rebuilt frame against the one dropped.

    Attributes:
        frame: its number in the source clip.
        psnr: dB.
        ssim: 1 is an exact match.
        across_cut: its neighbours lie on either side of a known cut: no method can be right there.
    """

    frame: int
    psnr: float
    ssim: float
    across_cut: bool


def to_rgb(clip: vs.VideoNode) -> vs.VideoNode:
    """RGB24 by the core's bicubic resizer; YUV without a matrix is read as BT.709."""
    if clip.format.color_family == vs.RGB:
        return clip.resize.Point(format=vs.RGB24)
    if clip.format.color_family == vs.GRAY:
        return clip.resize.Bicubic(format=vs.RGB24)
    known = clip.get_frame(0).props.get("_Matrix", vs.MATRIX_UNSPECIFIED) != vs.MATRIX_UNSPECIFIED
    matrix = {} if known else {"matrix_in": vs.MATRIX_BT709}
    return clip.resize.Bicubic(format=vs.RGB24, **matrix)


def picture(frame: vs.VideoFrame) -> Picture:
    """The planes of an RGB24 frame as one array of its own."""
    return np.stack([np.asarray(frame[plane]) for plane in range(3)], -1)


def dropped(clip: vs.VideoNode, n: int, double: Doubler) -> vs.VideoFrame:
    """Frame n made from frames n - 1 and n + 1, as RGB24.

    Raises:
        OptionError: n has no two neighbours.
    """
    if not 0 < n < clip.num_frames - 1:
        raise OptionError(f"frame {n} has no two neighbours to be rebuilt from; choose 1 to {clip.num_frames - 2}")
    kept = clip.std.SelectEvery(2, [(n + 1) % 2])
    return to_rgb(double(kept)).get_frame(n - (n + 1) % 2)


def between(clip: vs.VideoNode, n: int, double: Doubler) -> vs.VideoFrame:
    """The frame half-way between frames n and n + 1, as RGB24.

    Raises:
        OptionError: n has no successor.
    """
    if not 0 <= n < clip.num_frames - 1:
        raise OptionError(f"frame {n} has no successor to be related to; choose 0 to {clip.num_frames - 2}")
    return to_rgb(double(clip)).get_frame(2 * n + 1)


def scores(
    clip: vs.VideoNode,
    double: Doubler,
    *,
    cuts: Collection[int] = (),
    advance: Callable[[], object] = lambda: None,
) -> Iterator[Score]:
    """Drop frames 1, 3, 5, ..., rebuild each from its neighbours, and score it.

    Args:
        clip: of constant format and size, at least 3 frames.
        double: what makes the clip's rate twice as high.
        cuts: first frames of new scenes, as far as they are known.
        advance: called after each frame, for a progress bar.

    Yields:
        One score per dropped frame that has a kept frame on either side.

    Raises:
        ClipError: there is no frame to drop.
    """
    count = dropped_frames(clip)
    if count == 0:
        raise ClipError(f"at least 3 frames are needed to drop one, got {clip.num_frames}")
    truth = to_rgb(clip.std.SelectEvery(2, [1]))[:count]
    made = to_rgb(double(clip.std.SelectEvery(2, [0])))
    made = made.std.SelectEvery(2, [1])[:count]
    for index, (right, result) in enumerate(zip(truth.frames(close=True), made.frames(close=True), strict=True)):
        n = 2 * index + 1
        a, b = picture(right), picture(result)
        yield Score(n, metrics.psnr(a, b), metrics.ssim(a, b), any(cut in (n, n + 1) for cut in cuts))
        advance()


def dropped_frames(clip: vs.VideoNode) -> int:
    """How many frames `scores` drops and rebuilds."""
    frames: int = clip.num_frames
    return max(0, (frames - 1) // 2)
