"""Still overlays over motion are protected, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vsvfi import protect
from vsvfi.frames.planes import ColorInfo, PlaneFormat, Planes

from .measure.protect_text import measured, prepared

COLOR = ColorInfo(1, False, 0)


def scene(shift: int, *, text: bool = True, size: tuple[int, int] = (144, 256)) -> np.ndarray:
    """Brightness in [0, 1]: a coarse texture moved by `shift`, with text that stays."""
    rng = np.random.default_rng(3)
    height, width = size
    noise = rng.random((height // 4 + 1, width // 4 + 40)).astype(np.float32)
    wide = cv2.resize(noise, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC).clip(0, 1) * 0.6 + 0.2
    image = np.ascontiguousarray(wide[:height, 40 + shift : 40 + shift + width])
    if text:
        for level, thick in ((0.0, 7), (1.0, 2)):
            ink = np.zeros(size, np.uint8)
            place = (width // 4, height // 2)
            cv2.putText(ink, "STILL", place, cv2.FONT_HERSHEY_SIMPLEX, 1.4, 255, thick, cv2.LINE_AA)
            weight = ink.astype(np.float32) / 255
            image = image * (1 - weight) + np.float32(level) * weight
    return np.asarray(image, np.float32)


def rgb(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image)[None, None].expand(1, 3, -1, -1).contiguous()


def written() -> np.ndarray:
    """Where the text is, its rim included."""
    return np.asarray(np.abs(scene(0) - scene(0, text=False)) > 0.05)


def test_text_over_motion_is_protected() -> None:
    mask = protect.protection(rgb(scene(0)), rgb(scene(9)))[0, 0].numpy()
    core = cv2.erode(written().astype(np.uint8), np.ones((3, 3))) > 0
    assert mask[core].mean() > 0.8
    away = cv2.dilate(written().astype(np.uint8), np.ones((25, 25))) == 0
    assert mask[away].mean() < 0.02


def test_motion_alone_is_not() -> None:
    mask = protect.protection(rgb(scene(0, text=False)), rgb(scene(9, text=False)))
    assert mask.mean() < 0.02


def test_a_still_picture_has_nothing_to_protect() -> None:
    assert protect.protection(rgb(scene(0)), rgb(scene(0))).max() == 0


FORMATS = {
    "YUV420P8": PlaneFormat("YUV", "int", 8, (1, 1), 256, 144),
    "YUV444P10": PlaneFormat("YUV", "int", 10, (0, 0), 256, 144),
    "YUV420P16": PlaneFormat("YUV", "int", 16, (1, 1), 256, 144),
    "YUV444PS": PlaneFormat("YUV", "float", 32, (0, 0), 256, 144),
    "RGB24": PlaneFormat("RGB", "int", 8, (0, 0), 256, 144),
    "GRAYH": PlaneFormat("GRAY", "float", 16, (0, 0), 256, 144),
}


def planes(format: PlaneFormat, image: np.ndarray) -> Planes:
    data = []
    for p in range(format.num_planes):
        height, width = format.plane_size(p)
        level = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) * format.peak
        values = torch.from_numpy(level)
        data.append((values.round() if format.sample == "int" else values).to(format.dtype))
    return Planes(format, COLOR, tuple(data))


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_planes_of_every_kind(format: PlaneFormat) -> None:
    first, second, made = (planes(format, scene(n)) for n in (0, 9, 5))
    ruined = Planes(format, COLOR, tuple(torch.zeros_like(p) for p in made.data))
    mask = protect.protection(first, second)
    assert mask.shape == (1, 1, 144, 256)
    assert 0 <= mask.min() <= mask.max() <= 1
    result = protect.apply(ruined, first, second, mask, 0.5)
    assert isinstance(result, Planes)
    assert result.format == format
    full = mask[0, 0] == 1
    assert full.sum() > 100
    expected = (first.data[0].to(torch.float32) + second.data[0].to(torch.float32)) / 2
    assert (result.data[0].to(torch.float32)[full] - expected[full]).abs().max() <= (
        0.5 if format.sample == "int" else 1e-3
    )
    assert all(p.dtype == format.dtype for p in result.data)
    assert (result.data[0].to(torch.float32)[mask[0, 0] == 0] == 0).all()


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (65, 16)])
def test_small_and_odd_sizes(size: tuple[int, int]) -> None:
    a, b = (rgb(scene(n, size=size)) for n in (0, 5))
    mask = protect.protection(a, b)
    assert protect.apply(a, a, b, mask, 0.25).shape == a.shape
    assert torch.isfinite(mask).all()


def test_subtitles_on_real_footage_come_out_better(shared: Path) -> None:
    found = measured(*prepared(shared / "clips/tos_subtitles.mp4"))
    assert found[True][0] > found[False][0] + 0.2
    assert found[True][1] >= found[False][1]
