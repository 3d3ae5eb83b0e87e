"""Colours of flow and masks, and the graph drawn onto frames of every kind of sample."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vsvfi.frames.planes import ColorInfo, PlaneFormat
from vsvfi.show import draw_scene, flow_picture, mask_picture

SIDE = 240  # full saturation at 10 pixels


def color_of(u: float, v: float) -> list[float]:
    flow = torch.zeros(2, SIDE, 4)
    flow[0], flow[1] = u, v
    return flow_picture(flow)[:, 0, 0].tolist()


def test_no_motion_is_white() -> None:
    assert color_of(0, 0) == [1, 1, 1]


@pytest.mark.parametrize(
    ("u", "v", "strong", "weak"),
    [(10, 0, 0, 1), (0, 10, 0, 2), (-10, 0, 2, 0), (0, -10, 2, 1)],
    ids=["right is red", "down is yellow", "left is blue", "up is violet"],
)
def test_directions(u: float, v: float, strong: int, weak: int) -> None:
    color = color_of(u, v)
    assert color[strong] > color[weak] + 0.3


def test_opposite_directions_differ_and_length_is_saturation() -> None:
    assert color_of(5, 0) != color_of(-5, 0)
    assert min(color_of(2, 0)) > min(color_of(8, 0))
    assert max(color_of(50, 0)) <= 0.76  # beyond the wheel: darker, not wrapped
    assert torch.isfinite(flow_picture(torch.full((2, 16, 16), float("nan")))).all()


def test_mask() -> None:
    picture = mask_picture(torch.tensor([[[0.0, 0.5, 1.0, 2.0]]]))
    assert picture.shape == (3, 1, 4)
    assert picture[:, 0].T.tolist() == [[0] * 3, [0.5] * 3, [1] * 3, [1] * 3]


FORMATS = {
    "YUV420P8": PlaneFormat("YUV", "int", 8, (1, 1), 128, 96),
    "YUV422P10": PlaneFormat("YUV", "int", 10, (1, 0), 128, 96),
    "YUV410P8": PlaneFormat("YUV", "int", 8, (2, 2), 128, 96),
    "YUV444PS": PlaneFormat("YUV", "float", 32, (0, 0), 128, 96),
    "RGB24": PlaneFormat("RGB", "int", 8, (0, 0), 127, 95),
    "RGBH": PlaneFormat("RGB", "float", 16, (0, 0), 128, 96),
    "GRAY16": PlaneFormat("GRAY", "int", 16, (0, 0), 65, 64),
    "tiny": PlaneFormat("YUV", "int", 8, (1, 1), 16, 16),
}
NUMPY = {torch.uint8: np.uint8, torch.uint16: np.uint16, torch.float16: np.float16, torch.float32: np.float32}


def gray_frame(format: PlaneFormat) -> list[np.ndarray]:
    levels = [format.peak * 0.5] * 3
    if format.sample == "float" and format.family == "YUV":
        levels = [0.5, 0.0, 0.0]
    return [np.full(format.plane_size(p), levels[p]).astype(NUMPY[format.dtype]) for p in range(format.num_planes)]


SCORES = [(n, n / 10, "motion") for n in range(9)] + [(9, 1.0, "cut"), (10, None, "still")]


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_graph_touches_only_its_strip(format: PlaneFormat) -> None:
    matrix = 1 if format.family == "YUV" else 0
    data, before = gray_frame(format), gray_frame(format)
    draw_scene(data, format, ColorInfo(matrix, False, 0), SCORES, 0.5, 4, "4+1/2 motion")
    for p, (new, old) in enumerate(zip(data, before, strict=True)):
        rows = np.flatnonzero((new != old).any(axis=1))
        top = format.height - max(24, format.height // 5) if format.height > 24 else 0
        assert rows.size
        assert rows[0] >= (top - 4) * format.plane_size(p)[0] // format.height
        assert np.isfinite(new.astype(np.float64)).all()


def test_cut_is_red_and_higher_scores_are_higher_bars() -> None:
    format = FORMATS["RGB24"]
    data = gray_frame(format)
    draw_scene(data, format, ColorInfo(0, True, 0), SCORES, 0.5, 4, "")
    red, blue = data[0].astype(int), data[2].astype(int)
    cut = int((9 + 0.5) * format.width / len(SCORES))
    assert red[-3, cut] - blue[-3, cut] > 100
    column = [int((k + 0.5) * format.width / len(SCORES)) for k in (2, 7)]
    heights = [int((blue[:, x] - red[:, x] > 100).sum()) for x in column]
    assert heights[1] > heights[0]
