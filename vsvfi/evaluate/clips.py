"""The clips that are measured: a video file, or a moving picture made of core filters alone."""

from __future__ import annotations

import random
from pathlib import Path

import vapoursynth as vs

from ..errors import ClipError

_SEED = 5
_CELL = 8  # pixels between the independent values of the finest octave


def from_file(path: Path) -> vs.VideoNode:
    """A video file's picture through BestSource, of constant format and size; no index file is written.

    Raises:
        ClipError: there is no such file, it cannot be read, or its format changes.
    """
    if not path.is_file():
        raise ClipError(f"no such file: {path}")
    if not hasattr(vs.core, "bs"):
        raise ClipError("reading video needs BestSource; run: pip install vapoursynth-bestsource")
    try:
        clip = vs.core.bs.VideoSource(str(path.resolve()), cachemode=0)
    except vs.Error as error:
        raise ClipError(f"cannot read {path}: {error}") from error
    if clip.format is None or not clip.width:
        raise ClipError(f"{path} changes its format or size on the way; that cannot be interpolated")
    return clip


def moving(width: int, height: int, frames: int, *, format: int = vs.YUV420P8) -> vs.VideoNode:
    """A textured background panning one way behind a smaller texture that moves the other way.

    Motion is some pixels a frame, not whole ones: enough for every method to have work to do. The same arguments give
    the same frames on every machine.

    Args:
        width: pixels, a multiple of what the format's subsampling asks for.
        height: the same way down.
        frames: how many.
        format: a VapourSynth format id.
    """
    drift = max(2.25, width / 400)
    margin = round(frames * drift) + 4 & ~1
    background = _texture(width + margin, height + margin, _SEED)
    patch = _texture(width // 3 & ~1, height // 2 & ~1, _SEED + 1)
    empty = vs.core.std.BlankClip(format=vs.RGB24, width=width, height=height, length=1)
    clip = vs.core.std.Splice([_moment(empty, background, patch, n * drift, margin) for n in range(frames)])
    if format != vs.RGB24:
        clip = clip.resize.Bicubic(format=format, matrix=vs.MATRIX_BT709)
    return clip.std.AssumeFPS(fpsnum=24)


def _moment(
    empty: vs.VideoNode, background: vs.VideoNode, patch: vs.VideoNode, shift: float, margin: int
) -> vs.VideoNode:
    """One frame: the background moved left and up by `shift` and a third of it, the patch moved right over it."""
    width, height = empty.width, empty.height
    behind = background.resize.Bicubic(
        width, height, src_left=shift, src_top=shift / 3, src_width=width, src_height=height
    )
    room = width - patch.width
    left = round((room - margin) / 2 + 1.5 * shift) % room
    top = (height - patch.height) // 2
    around = (left, room - left, top, height - patch.height - top)
    mask = patch.std.BlankClip(format=vs.GRAY8, color=255).std.AddBorders(*around)
    return behind.std.MaskedMerge(patch.std.AddBorders(*around), mask)


def _texture(width: int, height: int, seed: int) -> vs.VideoNode:
    """One RGB24 frame of smooth noise in three octaves."""
    fine, middle, coarse = (_noise(width, height, _CELL << step, seed + step) for step in (0, 1, 2))
    return fine.std.Merge(middle, 0.5).std.Merge(coarse, 0.4)


def _noise(width: int, height: int, cell: int, seed: int) -> vs.VideoNode:
    """Random tints of gray a cell apart with bicubic ramps between, mirrored on to the size asked for."""
    pick = random.Random(seed)
    columns, rows = 16, 9
    lines = []
    for _ in range(rows):
        grays = [pick.randrange(24, 232) for _ in range(columns)]
        tints = [[gray + pick.randrange(-24, 24) for _ in range(3)] for gray in grays]
        cells = [vs.core.std.BlankClip(format=vs.RGB24, width=4, height=4, length=1, color=tint) for tint in tints]
        lines.append(vs.core.std.StackHorizontal(cells))
    tile = vs.core.std.StackVertical(lines).resize.Point(columns, rows).resize.Bicubic(columns * cell, rows * cell)
    pair = vs.core.std.StackHorizontal([tile, tile.std.FlipHorizontal()])
    block = vs.core.std.StackVertical([pair, pair.std.FlipVertical()])
    across, down = -(-width // block.width), -(-height // block.height)
    wall = vs.core.std.StackVertical([vs.core.std.StackHorizontal([block] * across)] * down)
    return wall.std.CropAbs(width, height)
