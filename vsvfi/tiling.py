"""A model that works in tiles: less memory at a time, and nearly the same picture. interpolate.py and lane.py use it.

Each stage runs per tile; what the tiles answer is faded into each other over their overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from .errors import OptionError, ShapeError
from .frames.planes import PlaneFormat, Planes
from .model import Explanation, Features, Image, Model, Motion, Source
from .padding import Padded

SMALLEST = 64
"""Pixels: a smaller tile is mostly overlap, and below the size networks were made for."""

type Span = tuple[int, int]
"""First pixel, and one beyond the last."""


@dataclass(frozen=True)
class Grid:
    """Tiles over one image: every row of tiles crossed with every column."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)


@dataclass(frozen=True)
class TiledFeatures(Features):
    """Of each tile, row by row."""

    grid: Grid
    tiles: tuple[Features, ...]


@dataclass(frozen=True)
class TiledMotion(Motion):
    """Of each tile, row by row."""

    grid: Grid
    tiles: tuple[Motion, ...]


class Tiled(Model):
    """Another model, run on tiles of the image.

    An image that fits into one tile gets the inner model's own answer. Tiles are all of one size; the last of a row or
    column is moved inward to end with the image, and there alone may lack what the model itself pads to `multiple`.

    Args:
        inner: does the work.
        tile: (width, height), or one number for both; made larger where the model's multiple wants it.
        overlap: pixels that neighbouring tiles share at least.

    Raises:
        OptionError: a tile below 64 pixels or not larger than twice the overlap, or a negative overlap.
    """

    def __init__(self, inner: Model, tile: int | tuple[int, int], overlap: int) -> None:
        super().__init__(inner.spec, inner.device, inner.dtype)
        self.settings = inner.settings
        self.inner = inner
        self.tile = (tile, tile) if isinstance(tile, int) else tile
        self.overlap = overlap
        size = f"{self.tile[0]}x{self.tile[1]}"
        if min(self.tile) < SMALLEST:
            raise OptionError(f"tile must be at least {SMALLEST}x{SMALLEST}, got {size}")
        if overlap < 0:
            raise OptionError(f"overlap must be at least 0, got {overlap}")
        if min(self.tile) <= 2 * overlap:
            most = (min(self.tile) - 1) // 2
            raise OptionError(f"tile must be larger than twice the overlap; for {size} give overlap={most} or less")

    @property
    def image_dtype(self) -> torch.dtype:
        """As the inner model."""
        return self.inner.image_dtype

    def configured(self, **options: Any) -> Self:
        """The same tiles of the inner model with other option values."""
        return type(self)(self.inner.configured(**options), self.tile, self.overlap)

    def encode(self, image: Source) -> TiledFeatures:
        """The inner model's features of each tile."""
        assert not isinstance(image, Padded), "tiles are padded, the whole is not"
        grid = self._grid(image)
        if len(grid) == 1:
            return TiledFeatures(grid, (self.inner.encode(image),))
        tiles = (self.inner.encode(_cut(image, row, column)) for row in grid.rows for column in grid.columns)
        return TiledFeatures(grid, tuple(tiles))

    def relate(self, features0: Features, features1: Features) -> TiledMotion:
        """The inner model's motion of each tile.

        Raises:
            ShapeError: the features are of images of two sizes.
        """
        assert isinstance(features0, TiledFeatures), "made by encode"
        assert isinstance(features1, TiledFeatures), "made by encode"
        if features0.grid != features1.grid:
            raise ShapeError(f"images must be of one size, got {_size(features0.grid)} and {_size(features1.grid)}")
        pairs = zip(features0.tiles, features1.tiles, strict=True)
        return TiledMotion(features0.grid, tuple(self.inner.relate(*pair) for pair in pairs))

    def synthesize(self, motion: Motion, t: float) -> Image:
        """The inner model's images of all tiles, faded into one."""
        assert isinstance(motion, TiledMotion), "made by relate"
        parts = [self.inner.synthesize(tile, t) for tile in motion.tiles]
        if len(parts) == 1:
            return parts[0]
        planes = [part for part in parts if isinstance(part, Planes)]
        if planes:
            return _merged_planes(planes, motion.grid)
        return merged([part for part in parts if isinstance(part, Tensor)], motion.grid.rows, motion.grid.columns)

    def replayable(self, t: float) -> bool:
        """As the inner model."""
        return self.inner.replayable(t)

    def forget(self) -> None:
        """See Model."""
        self.inner.forget()

    def explain(self, motion: Motion, t: float) -> Explanation:
        """The inner model's flows and masks of all tiles, faded into one."""
        assert isinstance(motion, TiledMotion), "made by relate"
        parts = [self.inner.explain(tile, t) for tile in motion.tiles]
        if len(parts) == 1:
            return parts[0]
        rows, columns = motion.grid.rows, motion.grid.columns
        return Explanation(
            merged([part.flow_t0 for part in parts], rows, columns),
            merged([part.flow_t1 for part in parts], rows, columns),
            merged([part.mask for part in parts], rows, columns),
        )

    def _grid(self, image: Image) -> Grid:
        if isinstance(image, Planes):
            height, width = image.format.plane_size(0)
            steps = [math.lcm(self.spec.multiple, 1 << shift) for shift in _subsampling(image.format)]
        else:
            height, width = image.shape[-2:]
            steps = [self.spec.multiple] * 2
        columns = spans(width, self.tile[0], self.overlap, steps[0])
        return Grid(spans(height, self.tile[1], self.overlap, steps[1]), columns)


def halved(model: Model, size: tuple[int, int]) -> Tiled:
    """A model that ran out of memory, in tiles half as wide and high as what it failed on.

    Args:
        model: tiled already or not.
        size: (width, height) of the whole image.
    """
    failed = model.tile if isinstance(model, Tiled) else size
    tile = tuple(max(SMALLEST, -(-side // 2 // 64) * 64) for side in failed)
    inner = model.inner if isinstance(model, Tiled) else model
    return Tiled(inner, (tile[0], tile[1]), min(64, (min(tile) - 1) // 2))


def spans(size: int, tile: int, overlap: int, step: int) -> tuple[Span, ...]:
    """Tiles along one side of an image, first to last.

    Args:
        size: of the side.
        tile: wanted length; rounded up to a multiple of `step`, and to two of them where one does not do.
        overlap: what neighbours share at least.
        step: every tile begins at a multiple of this.
    """
    if tile >= size:
        return ((0, size),)
    tile = max(-(-tile // step), 2) * step
    stride = (tile - overlap) // step * step
    last = max(0, -(-(size - tile) // step) * step)
    starts = [*range(0, last, stride), last]
    return tuple((start, min(start + tile, size)) for start in starts)


def merged(parts: Sequence[Tensor], rows: Sequence[Span], columns: Sequence[Span]) -> Tensor:
    """One picture of tiles: (..., h, w) each, row by row, faded linearly into each other where they overlap.

    Computed in single precision at least and brought to the parts' own type once, integers rounded to nearest.
    Where the tiles agree, that value comes out exactly.
    """
    width = len(columns)
    strips = [_joined(parts[r * width : (r + 1) * width], columns, -1) for r in range(len(rows))]
    whole = _joined(strips, rows, -2)
    dtype = parts[0].dtype
    return whole.to(dtype) if dtype.is_floating_point else whole.round_().to(dtype)


def _joined(parts: Sequence[Tensor], along: Sequence[Span], dim: int) -> Tensor:
    shape = list(parts[0].shape)
    shape[dim] = along[-1][1]
    # Later tiles are laid over the earlier ones with a rising weight: no sum of weights that might miss 1.
    out = parts[0].new_empty(shape, dtype=torch.promote_types(parts[0].dtype, torch.float32))
    end = 0
    for part, (start, stop) in zip(parts, along, strict=True):
        both = end - start
        old = out.narrow(dim, start, both)
        old += _ramp(old, dim) * (part.narrow(dim, 0, both).to(out.dtype) - old)
        out.narrow(dim, end, stop - end).copy_(part.narrow(dim, both, stop - end))
        end = stop
    return out


def _ramp(like: Tensor, dim: int) -> Tensor:
    """From 0 to 1 along `dim`, at pixel centres, so that neither end is reached."""
    length = like.shape[dim]
    ramp = (torch.arange(length, dtype=like.dtype, device=like.device) + 0.5) / length
    return ramp if dim == -1 else ramp[:, None]


def _cut(image: Image, row: Span, column: Span) -> Image:
    if isinstance(image, Tensor):
        return image[..., slice(*row), slice(*column)].contiguous()
    format = replace(image.format, width=column[1] - column[0], height=row[1] - row[0])
    data = (
        plane[slice(*_scaled(row, y)), slice(*_scaled(column, x))]
        for plane, (x, y) in zip(image.data, _shifts(format), strict=True)
    )
    return Planes(format, image.color, tuple(data))


def _merged_planes(parts: Sequence[Planes], grid: Grid) -> Planes:
    height, width = grid.rows[-1][1], grid.columns[-1][1]
    format = replace(parts[0].format, width=width, height=height)
    data = []
    for p, (x, y) in enumerate(_shifts(format)):
        rows, columns = [_scaled(row, y) for row in grid.rows], [_scaled(column, x) for column in grid.columns]
        data.append(merged([part.data[p] for part in parts], rows, columns))
    return Planes(format, parts[0].color, tuple(data))


def _subsampling(format: PlaneFormat) -> tuple[int, int]:
    return format.subsampling if format.family == "YUV" else (0, 0)


def _shifts(format: PlaneFormat) -> list[tuple[int, int]]:
    """log2 of (horizontal, vertical) subsampling of each plane."""
    return [(0, 0) if p == 0 else _subsampling(format) for p in range(format.num_planes)]


def _scaled(span: Span, shift: int) -> Span:
    return span[0] >> shift, span[1] >> shift


def _size(grid: Grid) -> str:
    return f"{grid.columns[-1][1]}x{grid.rows[-1][1]}"
