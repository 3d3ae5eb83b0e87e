"""PSNR and SSIM of two pictures. Which pictures are compared is `rebuild.py`'s matter."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError

CAP = 60.0
"""dB given to an exact match, so that means stay finite."""

_WINDOW, _SIGMA = 11, 1.5
_BORDER = _WINDOW // 2


def psnr(truth: NDArray[np.generic], image: NDArray[np.generic], peak: float = 255.0) -> float:
    """Peak signal to noise ratio over all samples, in dB, at most `CAP`.

    Args:
        truth: (H, W) or (H, W, C).
        image: the same shape.
        peak: largest value a sample can have.

    Raises:
        ShapeError: the shapes differ.
    """
    a, b = _floats(truth, image)
    mse = float(np.mean((a - b) ** 2))
    return CAP if mse == 0 else min(CAP, 10 * math.log10(peak**2 / mse))


def ssim(truth: NDArray[np.generic], image: NDArray[np.generic], peak: float = 255.0) -> float:
    """Structural similarity, mean over pixels and channels; 1 is an exact match.

    Gaussian window 11x11, sigma 1.5; the 5 pixels at each border, where the window leaves the picture, are left out.

    Args:
        truth: (H, W) or (H, W, C), more than 10 pixels each way.
        image: the same shape.
        peak: largest value a sample can have.

    Raises:
        ShapeError: the shapes differ, or the window does not fit.

    Source: Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004, eq. 13.
    """
    a, b = _floats(truth, image)
    if min(a.shape[:2]) < _WINDOW:
        raise ShapeError(f"SSIM needs pictures of at least {_WINDOW}x{_WINDOW}, got {a.shape[1]}x{a.shape[0]}")
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = _smooth(a), _smooth(b)
    var_a = _smooth(a * a) - mean_a * mean_a
    var_b = _smooth(b * b) - mean_b * mean_b
    covariance = _smooth(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    return float((luminance * structure)[_BORDER:-_BORDER, _BORDER:-_BORDER].mean())


def _smooth(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(x, (_WINDOW, _WINDOW), _SIGMA), np.float32)


def _floats(a: NDArray[np.generic], b: NDArray[np.generic]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if a.shape != b.shape:
        raise ShapeError(f"pictures to compare must be of one shape, got {a.shape} and {b.shape}")
    return a.astype(np.float32), b.astype(np.float32)
