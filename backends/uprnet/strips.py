"""Convolutions in horizontal strips: on a CPU, fresh memory costs more than the arithmetic.

A full-size layer of a 1280x768 picture takes 60 to 250 MB, which the system hands out, and clears, page by page each
time; a strip's layers fit what was just given back, and the cache. Not a bit changes: strips overlap by what the
convolutions see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

BUDGET = 12 << 20
"""Bytes of a strip's widest layer; below 32 MB, from where on the C library returns memory to the system at once."""

_FEWEST = 12
"""Rows of a strip at least, in overlaps: a seventh is then computed twice."""


def in_strips(
    make: Callable[..., tuple[Tensor, ...]], inputs: Sequence[Tensor], *, overlap: int, channels: int, align: int = 1
) -> tuple[Tensor, ...]:
    """make(*inputs), strip by strip where that is faster.

    Rows are counted in units: those of the lowest input divided by `align`. Heights of all inputs and results are
    multiples of their number.

    Args:
        make: convolutions and whatever else works on each place by itself.
        inputs: (N, C, H, W) each.
        overlap: units above and below that a result depends on.
        channels: of the widest layer, at the size of the highest input.
        align: the stride of the first convolution, where the results are smaller than the lowest input.

    Returns:
        What `make` does, channels_last.
    """
    if inputs[0].device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return make(*inputs)
    units = min(part.shape[2] for part in inputs) // align
    rows = _rows(inputs, units, overlap, channels)
    if rows >= units:
        return make(*inputs)
    results: list[Tensor] = []
    for first in range(0, units, rows):
        last = min(first + rows, units)
        above, below = max(first - overlap, 0), min(last + overlap, units)
        made = make(*(_slice(part, above, below, units) for part in inputs))
        if not results:
            results = [_whole(part, below - above, units) for part in made]
        for result, part in zip(results, made, strict=True):
            step = result.shape[2] // units
            result[:, :, first * step : last * step] = part[:, :, (first - above) * step : (last - above) * step]
    return tuple(results)


def _rows(inputs: Sequence[Tensor], units: int, overlap: int, channels: int) -> int:
    """Units a strip."""
    highest = max(inputs, key=lambda part: part.shape[2])
    n, _, h, w = highest.shape
    unit = n * channels * w * (h // units) * highest.element_size()
    return max(BUDGET // unit, _FEWEST * overlap)


def _slice(part: Tensor, above: int, below: int, units: int) -> Tensor:
    step = part.shape[2] // units
    return part[:, :, above * step : below * step]


def _whole(part: Tensor, strip: int, units: int) -> Tensor:
    """Room for the result of which a strip of so many units is a part."""
    n, c, h, w = part.shape
    shape = (n, c, h // strip * units, w)
    return torch.empty(shape, dtype=part.dtype, device=part.device, memory_format=torch.channels_last)
