"""Numbers of ITU-T H.273 (2023): which linear map takes YUV to RGB, and where integer codes lie."""

from __future__ import annotations

import numpy as np

from ..frames.planes import ColorInfo, PlaneFormat

COEFFICIENTS = {
    1: (0.2126, 0.0722),  # BT.709-6
    4: (0.30, 0.11),  # FCC Title 47, 73.682 (a) (20)
    5: (0.299, 0.114),  # BT.470-6 B, G; BT.601-7 625
    6: (0.299, 0.114),  # SMPTE ST 170; BT.601-7 525
    7: (0.212, 0.087),  # SMPTE ST 240
    9: (0.2627, 0.0593),  # BT.2020-2 non-constant luminance
}
"""(KR, KB) by MatrixCoefficients code, H.273 table 4."""

YCGCO = 8
"""H.273 equations 45 to 47: Y, Cg, Co."""


def rgb_to_yuv(matrix: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(3, 3): nominal [0, 1] RGB to Y in [0, 1] and U, V in [-0.5, 0.5]; H.273 equations 38 to 40."""
    if matrix == YCGCO:
        return np.array([[0.25, 0.5, 0.25], [-0.25, 0.5, -0.25], [0.5, 0.0, -0.5]])
    kr, kb = COEFFICIENTS[matrix]
    luma = np.array([kr, 1 - kr - kb, kb])
    blue = (np.array([0.0, 0.0, 1.0]) - luma) / (2 * (1 - kb))
    red = (np.array([1.0, 0.0, 0.0]) - luma) / (2 * (1 - kr))
    return np.stack([luma, blue, red])


def luma_of_gray() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(3,): what GRAY takes of R, G and B: BT.709's luma, whose weights add up to 1."""
    kr, kb = COEFFICIENTS[1]
    return np.array([kr, 1 - kr - kb, kb])


def yuv_to_rgb(matrix: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The inverse of `rgb_to_yuv`."""
    inverse: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.linalg.inv(rgb_to_yuv(matrix))
    return inverse


def code_range(format: PlaneFormat, color: ColorInfo, plane: int) -> tuple[float, float]:
    """(gain, offset): code = gain * value + offset, for the nominal value of a plane (H.273 equations 20 to 37).

    Luma, gray and RGB values are in [0, 1], chroma in [-0.5, 0.5]. Float formats hold the values themselves.
    """
    chroma = format.family == "YUV" and plane > 0
    if format.sample == "float":
        return 1.0, 0.0
    unit = 1 << (format.bits - 8)
    middle = float(128 * unit) if chroma else 0.0
    if color.full_range:
        return format.peak, middle
    if chroma:
        # YCgCo's differences are sums of codes (H.273 equations 45 to 47), so they span as much as luma does.
        return (219.0 if color.matrix == YCGCO else 224.0) * unit, middle
    return 219.0 * unit, 16.0 * unit
