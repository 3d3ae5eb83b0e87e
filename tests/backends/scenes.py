"""Made-up scenes for the flow tests: a smooth texture that is known everywhere, so that any shift of it is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vsvfi.frames.planes import ColorInfo, PlaneFormat, Planes

type Array = np.ndarray[Any, Any]

COLOR = ColorInfo(matrix=1, full_range=False, chroma_location=1)


def texture(height: int, width: int, dx: float = 0.0, dy: float = 0.0, *, plane: int = 0, zoom: float = 1.0) -> Array:
    """Values around 0.5, within 0.2 to 0.8, of a texture shifted right by dx and down by dy pixels.

    Args:
        height: of the plane.
        width: of the plane.
        dx: shift in pixels.
        dy: the same downwards.
        plane: each has a texture of its own.
        zoom: size of its features; at 1, waves of 12 to 60 pixels.
    """
    rng = np.random.default_rng(plane)
    y, x = np.arange(height)[:, None] - dy, np.arange(width)[None] - dx
    total = np.zeros((height, width))
    for _ in range(40):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        frequency = 1 / rng.uniform(12, 60) / zoom
        total += np.cos(2 * np.pi * frequency * (np.cos(angle) * x + np.sin(angle) * y) + phase)
    return 0.5 + 0.3 * np.tanh(total / 6)


def planes(format: PlaneFormat, dx: float = 0.0, dy: float = 0.0, gain: float = 1.0, zoom: float = 1.0) -> Planes:
    """A frame of the scene; chroma of float YUV lies around 0."""
    data = []
    for p in range(format.num_planes):
        h, w = format.plane_size(p)
        step_y, step_x = format.height // h, format.width // w
        # Subsampled chroma is smooth: waves shorter than a few of its samples are filtered out before they are dropped.
        scaled_zoom = zoom * max(step_x, step_y)
        values = texture(format.height, format.width, dx, dy, plane=p, zoom=scaled_zoom)[::step_y, ::step_x] * gain
        centre = 0.5 if format.sample == "float" and format.family == "YUV" and p else 0.0
        scaled = (values - centre) * format.peak
        data.append(torch.from_numpy(np.rint(scaled) if format.sample == "int" else scaled).to(format.dtype))
    return Planes(format, COLOR, tuple(data))


def psnr(a: torch.Tensor, b: torch.Tensor, peak: float, border: int = 0) -> float:
    """Decibels, `border` pixels at each edge left out; 99 where equal."""
    h, w = a.shape[-2:]
    inside = (..., slice(border, h - border), slice(border, w - border))
    error = float((a[inside].double() - b[inside].double()).square().mean())
    return 99.0 if error == 0 else 10 * float(np.log10(peak**2 / error))
