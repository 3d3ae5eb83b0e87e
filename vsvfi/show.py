"""Pictures of why a frame looks as it does: flow in Middlebury colours, masks in gray, scene scores as a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from .color.matrices import code_range, rgb_to_yuv
from .frames.planes import ColorInfo, PlaneFormat

_FULL_COLOR = 1 / 24
"""Flow of this share of the height is fully saturated: fixed, so that a colour means the same in every frame."""

_ARCS = (15, 6, 4, 11, 13, 6)
"""Steps from red to yellow, green, cyan, blue, magenta and back: more where the eye tells more hues apart."""

_COLORS = {"motion": (90, 170, 255), "still": (150, 150, 150), "cut": (255, 70, 60)}


def flow_picture(flow: Tensor) -> Tensor:
    """A flow as colours: hue is the direction, saturation the length; no motion is white.

    Args:
        flow: (2, H, W) pixels, u then v.

    Returns:
        (3, H, W) float32 RGB in [0, 1] on the flow's device. Beyond full saturation colours darken by a quarter.

    Source: Baker et al., A Database and Evaluation Methodology for Optical Flow, IJCV 2011, figure 4.
    """
    flow = flow.to(torch.float32).nan_to_num()
    length = torch.linalg.vector_norm(flow, dim=0) / (flow.shape[-2] * _FULL_COLOR)
    wheel = _wheel().to(flow.device)
    position = (torch.atan2(-flow[1], -flow[0]) / math.pi + 1) / 2 * (len(wheel) - 1)
    index = position.floor().long().clamp_(0, len(wheel) - 1)
    fraction = (position - index)[..., None]
    color = torch.lerp(wheel[index], wheel[(index + 1) % len(wheel)], fraction).movedim(-1, 0)
    return torch.where(length <= 1, 1 - length * (1 - color), color * 0.75)


def mask_picture(mask: Tensor) -> Tensor:
    """A mask as gray.

    Args:
        mask: (1, H, W) in [0, 1]: weight of the earlier frame.

    Returns:
        (3, H, W) float32 RGB: white where only the earlier frame counts, black where only the later does.
    """
    return mask.to(torch.float32).clamp(0, 1).expand(3, -1, -1)


def draw_scene(
    data: Sequence[np.ndarray[Any, Any]],
    format: PlaneFormat,
    color: ColorInfo,
    scores: Sequence[tuple[int, float | None, str]],
    threshold: float,
    current: int,
    caption: str,
) -> None:
    """Draw a graph of scene scores along the bottom of a frame, in place.

    Args:
        data: the frame's planes, writable.
        format: of the frame.
        color: how its samples are to be understood.
        scores: (source frame, score or None, "motion", "still" or "cut") of pairs in a row; a bar each.
        threshold: drawn as a line.
        current: the source frame whose pair is marked.
        caption: a line of text.
    """
    grid = 1 << max(*format.subsampling, 2)  # the strip begins where every plane has a row
    height = min(format.height, max(24, format.height // 5) // grid * grid)
    top = (format.height - height) // grid * grid
    canvas, alpha = _canvas(format.height - top, format.width, scores, threshold, current, caption)
    _lay_over(data, format, color, top, canvas, alpha)


def _canvas(
    height: int,
    width: int,
    scores: Sequence[tuple[int, float | None, str]],
    threshold: float,
    current: int,
    caption: str,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(height, width, 3) RGB and (height, width) opacity, both 0 to 255."""
    canvas, alpha = np.zeros((height, width, 3), np.uint8), np.full((height, width), 150, np.uint8)
    scale = height / 90
    line = max(10, round(26 * scale))
    base, room = height - 1, height - line - 2
    step = width / max(1, len(scores))
    for k, (n, score, kind) in enumerate(scores):
        left, right = round(k * step) + 1, max(round(k * step) + 1, round((k + 1) * step) - 2)
        if n == current:
            cv2.rectangle(canvas, (left - 1, line), (right + 1, base), (70, 70, 70), -1)
        bar = max(1, round((score or 0.0) * room))
        cv2.rectangle(canvas, (left, base - bar), (right, base), _COLORS[kind], -1)
    level = base - round(threshold * room)
    cv2.line(canvas, (0, level), (width - 1, level), (255, 210, 80), max(1, round(scale)))
    size = _text_size(caption, width - 8, 0.8 * scale)
    place = (4, max(8, line - max(2, round(6 * scale))))
    cv2.putText(
        canvas, caption, place, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), max(1, round(scale)), cv2.LINE_AA
    )
    alpha[canvas.any(axis=2)] = 235
    return canvas, alpha


def _text_size(text: str, width: int, wanted: float) -> float:
    """The wanted font scale, or what makes the text as wide as there is room."""
    drawn = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, wanted, 1)[0][0]
    return wanted if drawn <= width else wanted * width / drawn


def _lay_over(
    data: Sequence[np.ndarray[Any, Any]],
    format: PlaneFormat,
    color: ColorInfo,
    top: int,
    canvas: np.ndarray[Any, Any],
    alpha: np.ndarray[Any, Any],
) -> None:
    values = canvas.astype(np.float32) / 255
    if format.family == "YUV":
        values = values @ rgb_to_yuv(color.matrix).T.astype(np.float32)
    elif format.family == "GRAY":
        values = values.mean(2, keepdims=True)
    for p, plane in enumerate(data):
        x, y = format.subsampling if p and format.family == "YUV" else (0, 0)
        rows = plane[top >> y :]
        value, weight = values[:: 1 << y, :: 1 << x, p], alpha[:: 1 << y, :: 1 << x].astype(np.float32) / 255
        value, weight = value[: rows.shape[0], : rows.shape[1]], weight[: rows.shape[0], : rows.shape[1]]
        gain, offset = code_range(format, color, p)
        mixed = (1 - weight) * rows.astype(np.float32) + weight * (value * gain + offset)
        rows[...] = np.rint(mixed) if format.sample == "int" else mixed


@cache
def _wheel() -> Tensor:
    """(55, 3) colours round the wheel."""
    corners = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]], dtype=torch.float32)
    arcs = []
    for k, steps in enumerate(_ARCS):
        part = (torch.arange(steps) / steps)[:, None]
        arcs.append(torch.lerp(corners[k], corners[(k + 1) % 6], part))
    return torch.cat(arcs)
