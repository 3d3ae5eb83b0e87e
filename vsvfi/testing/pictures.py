"""Test pictures: small, smooth enough to find motion in, and the same every time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..fitting import side
from ..frames.planes import ColorInfo, PlaneFormat, Planes
from ..model import Model

MOVED = 4
"""Pixels by which the second picture of a pair lies further left."""


def texture(height: int, width: int, seed: int = 0) -> Tensor:
    """(1, 3, height, width) in [0, 1], float32: random blobs of a few pixels."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 6 + 2, width // 6 + 2, generator=generator)
    return functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)


def pair(height: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A texture, and the same moved left by MOVED pixels."""
    wide = texture(height, width + MOVED, seed)
    return wide[..., :-MOVED].contiguous(), wide[..., MOVED:].contiguous()


def sized(model: Model, height: int, width: int) -> tuple[int, int]:
    """(height, width), or of a model that takes squares alone the one nearest to it."""
    if model.spec.square_sides is None:
        return height, width
    square = side(model.spec, max(height, width))
    return square, square


def given(model: Model, height: int, width: int, seed: int = 0) -> tuple[Tensor, ...]:
    """A pair of that size, or the image or squares that the model takes instead."""
    return pair(*sized(model, height, width), seed)[: model.spec.inputs]


def planes_of(format: PlaneFormat, seed: int, device: torch.device) -> Planes:
    """A texture in each plane, from 0 to the format's peak."""
    data = []
    for p in range(format.num_planes):
        samples = texture(*format.plane_size(p), seed)[0, p] * format.peak
        data.append((samples.round() if format.sample == "int" else samples).to(format.dtype).to(device))
    color = ColorInfo(matrix=0 if format.family == "RGB" else 1, full_range=False, chroma_location=0)
    return Planes(format, color, tuple(data))


def padded(planes: Planes) -> Planes:
    """The same samples, cut out of wider memory at an odd offset."""
    data = []
    for plane in planes.data:
        memory = plane.new_zeros(plane.shape[0], plane.shape[1] + 13)
        memory[:, 5:-8] = plane
        data.append(memory[:, 5:-8])
    return Planes(planes.format, planes.color, tuple(data))
