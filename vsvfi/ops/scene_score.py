"""What the scene detector needs of planes on a CUDA device: only that comes down. scene.py defines it.

Frames of the host are judged where they are (decide.py), so that nobody waits for a device. This is for planes that
never were there.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vsvfi import scene
from vsvfi.frames.planes import Planes

from . import kernels

_STEP = 1 << 16
"""Steps of a code value in which differences are summed."""


def signature(planes: Planes) -> scene.Signature:
    """scene.signature of planes wherever they are.

    Kernel: cuda/scene_score.cu, for planes at least as large as a thumbnail; smaller ones are fetched.

    Args:
        planes: of a frame.
    """
    f = planes.format
    fits = [scene.grid(*f.plane_size(p)) for p in range(f.num_planes)]
    rows, columns = scene.THUMBNAIL
    large = all(h >= rows and w >= columns for h, w, _, _ in fits)
    if not large or not kernels.usable(*planes.data):
        return scene.signature([plane.cpu().numpy() for plane in planes.data], f.peak, f.family)
    out = torch.empty(f.num_planes, rows, columns, device=planes.device)
    name = f"thumbnail<{kernels.SAMPLES[f.dtype]}, {str(f.sample == 'int').lower()}>"
    for into, plane, (height, width, step_y, step_x) in zip(out, planes.data, fits, strict=True):
        sizes = [np.int32(number) for number in (height, width, step_y, step_x, rows, columns)]
        peak, stride = np.float32(f.peak), np.int64(plane.stride(0))
        kernels.launch("scene_score", name, rows * columns, plane, into, stride, *sizes, peak)
    return scene.signature_of(list(out.cpu().numpy()), f.family, floats=f.sample == "float")


def difference(planes0: Planes, planes1: Planes) -> float:
    """Mean absolute difference of two frames in 8-bit code values; 0.0 only if they are equal to the last sample.

    Args:
        planes0: of the earlier frame.
        planes1: of the later frame, of the same format and device.
    """
    f = planes0.format
    count = sum(plane.numel() for plane in planes0.data)
    if kernels.usable(*planes0.data, *planes1.data):
        total = torch.zeros(1, dtype=torch.int64, device=planes0.device)
        for a, b in zip(planes0.data, planes1.data, strict=True):
            _add_difference(a, b, total)
        return total.item() / _STEP / count * 255 / f.peak
    pairs = zip(planes0.data, planes1.data, strict=True)
    return sum((a.double() - b.double()).abs().sum().item() for a, b in pairs) / count * 255 / f.peak


def _add_difference(a: Tensor, b: Tensor, total: Tensor) -> None:
    height, width = a.shape
    sizes = np.int64(a.stride(0)), np.int64(b.stride(0)), np.int32(height), np.int32(width)
    name = f"difference<{kernels.SAMPLES[a.dtype]}>"
    kernels.launch("scene_score", name, height * -(-width // 64), a, b, total, *sizes)
