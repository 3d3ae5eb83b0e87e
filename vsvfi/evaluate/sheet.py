"""The contact sheet of `vsvfi compare`: a row per frame, a column per method, drawn with Pillow.

A cell stacks the picture, a crop of it enlarged, and the difference map; pictures come from `rebuild.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..errors import OptionError
from . import metrics
from .rebuild import Picture

CELL = 480  # width of a cell, pixels
_GAP = 10
_LABEL = 26  # height of the line under a picture
_MARGIN = 118  # width of the column that numbers the frames
_HEADER = 40
_PAPER, _INK, _FAINT, _MARK = "#16181d", "#f2f2f2", "#9aa0aa", "#ffd166"
_BRIGHTEST = 64  # difference, of 255, drawn as the brightest colour: 1/4 of the range, so that small errors are seen


class Box(NamedTuple):
    """A part of a picture: left, top, width and height in pixels."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class Row:
    """What is known of one frame.

    Attributes:
        label: of the row, e.g. "frame 11".
        pictures: by column; all of one size.
        truth: the dropped frame, None where there is none.
    """

    label: str
    pictures: dict[str, Picture]
    truth: Picture | None


def draw(rows: list[Row], *, title: str, crop: Box | None, automatic: bool = False) -> Image.Image:
    """The sheet.

    Args:
        rows: at least one, all with the same columns.
        title: one line for the foot of the sheet.
        crop: part of every frame to be enlarged; None: none.
        automatic: choose a crop for each frame instead, see `busiest`.

    Raises:
        OptionError: the crop lies outside the pictures.
    """
    columns = (["truth"] if rows[0].truth is not None else []) + list(rows[0].pictures)
    boxes = [busiest(row) if automatic else crop for row in rows]
    strips = [_strip(row, columns, box) for row, box in zip(rows, boxes, strict=True)]
    width = _MARGIN + len(columns) * (CELL + _GAP)
    height = _HEADER + sum(strip.height + 2 * _GAP for strip in strips) + _LABEL
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, column in enumerate(columns):
        pen.text((_left(index) + CELL / 2, _HEADER / 2), column, _INK, _font(22), anchor="mm")
    top = _HEADER
    for row, strip in zip(rows, strips, strict=True):
        pen.text((_GAP, top), row.label.replace(" ", "\n"), _INK, _font(18), spacing=6)
        sheet.paste(strip, (_MARGIN, top))
        top += strip.height + 2 * _GAP
    pen.text((_GAP, height - _LABEL / 2 - _GAP / 2), title, _FAINT, _font(15), anchor="lm")
    return sheet


def busiest(row: Row) -> Box:
    """A quarter of the picture each way, where the methods differ most from the truth, or from each other."""
    pictures = list(row.pictures.values())
    reference = pictures[0] if row.truth is None else row.truth
    height, width = reference.shape[:2]
    box_h, box_w = max(1, height // 4), max(1, width // 4)
    total = np.sum([difference(reference, p) for p in pictures], axis=0, dtype=np.float32)
    sums = cv2.boxFilter(total, -1, (box_w, box_h), anchor=(0, 0), normalize=False)
    sums = np.asarray(sums)[: height - box_h + 1, : width - box_w + 1]
    y, x = np.unravel_index(int(sums.argmax()), sums.shape)
    return Box(int(x), int(y), box_w, box_h)


def difference(a: Picture, b: Picture) -> NDArray[np.float32]:
    """Mean absolute difference of the channels, (H, W), in 8-bit code values."""
    return np.abs(a.astype(np.float32) - b.astype(np.float32)).mean(2, dtype=np.float32)


def _left(column: int) -> int:
    return _MARGIN + column * (CELL + _GAP)


def _strip(row: Row, columns: list[str], crop: Box | None) -> Image.Image:
    """The cells of one row side by side, without the row's label."""
    cells = [_cell(row.truth if c == "truth" else row.pictures[c], row.truth, crop, c == "truth") for c in columns]
    strip = Image.new("RGB", (len(cells) * (CELL + _GAP), cells[0].height), _PAPER)
    for index, cell in enumerate(cells):
        strip.paste(cell, (index * (CELL + _GAP), 0))
    return strip


def _cell(picture: Picture | None, truth: Picture | None, crop: Box | None, is_truth: bool) -> Image.Image:
    """Picture, crop and difference map above each other, each with a line that says what it is."""
    assert picture is not None, "a truth column is only there when there is a truth"
    whole = _fit(picture)
    if crop is not None:
        _outline(whole, crop, picture)
    parts = [(whole, _scores(picture, truth, is_truth))]
    if crop is not None:
        parts.append((_fit(_cut(picture, crop)), f"{crop.w}x{crop.h} at {crop.x},{crop.y}"))
    if truth is not None:
        shown = picture if crop is None else _cut(picture, crop)
        against = truth if crop is None else _cut(truth, crop)
        parts.append((_legend(shown) if is_truth else _fit(_map(shown, against)), "" if is_truth else "difference"))
    height = sum(part.height + _LABEL for part, _ in parts)
    cell = Image.new("RGB", (CELL, height), _PAPER)
    pen = ImageDraw.Draw(cell)
    top = 0
    for part, text in parts:
        cell.paste(part, ((CELL - part.width) // 2, top))
        pen.text((CELL / 2, top + part.height + _LABEL / 2), text, _FAINT, _font(16), anchor="mm")
        top += part.height + _LABEL
    return cell


def _scores(picture: Picture, truth: Picture | None, is_truth: bool) -> str:
    if truth is None or is_truth:
        return "left out" if is_truth else ""
    return f"{metrics.psnr(truth, picture):.2f} dB   SSIM {metrics.ssim(truth, picture):.4f}"


def _cut(picture: Picture, crop: Box) -> Picture:
    height, width = picture.shape[:2]
    fits = crop.x >= 0 and crop.y >= 0 and crop.x + crop.w <= width and crop.y + crop.h <= height
    if not fits or crop.w < 1 or crop.h < 1:
        raise OptionError(f"crop {','.join(map(str, crop))} lies outside the picture of {width}x{height}")
    return picture[crop.y : crop.y + crop.h, crop.x : crop.x + crop.w]


def _fit(picture: Picture) -> Image.Image:
    """Scaled to the width of a cell; enlarged pixels stay sharp squares, so that artefacts are not smoothed away."""
    height, width = picture.shape[:2]
    size = (CELL, max(1, round(height * CELL / width)))
    return Image.fromarray(picture).resize(size, Image.Resampling.NEAREST if width < CELL else Image.Resampling.LANCZOS)


def _outline(image: Image.Image, crop: Box, picture: Picture) -> None:
    _cut(picture, crop)
    k = CELL / picture.shape[1]
    left, top, right, bottom = (v * k for v in (crop.x, crop.y, crop.x + crop.w, crop.y + crop.h))
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), outline=_MARK, width=2)


def _map(picture: Picture, truth: Picture) -> Picture:
    values = np.clip(difference(picture, truth) * (255 / _BRIGHTEST), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(values, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB), np.uint8)


def _legend(picture: Picture) -> Image.Image:
    """The scale of the difference maps, as large as one of them; it fills the truth's place, which has no map."""
    image = Image.new("RGB", _fit(picture).size, _PAPER)
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(14, 0)
    colors = cv2.cvtColor(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    left, top = (CELL - 256) // 2, image.height // 2 - 7
    image.paste(Image.fromarray(np.asarray(colors, np.uint8)), (left, top))
    pen = ImageDraw.Draw(image)
    pen.text((CELL / 2, top - 18), "difference to the truth", _FAINT, _font(16), anchor="mm")
    for value in (0, _BRIGHTEST // 2, _BRIGHTEST):
        text = f"{value}+" if value == _BRIGHTEST else str(value)
        pen.text((left + value / _BRIGHTEST * 255, top + 26), text, _FAINT, _font(14), anchor="mm")
    return image


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
