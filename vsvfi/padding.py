"""What surrounds a picture whose sides must be multiples of something; torch arrives with the first picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Padding:
    """Rows and columns around a picture.

    Attributes:
        top, left, bottom, right: how many, from 0.
        rule: "replicate": the nearest sample of the picture; "symmetric": mirrored with the edge repeated;
            "constant": `value`.
        value: of "constant".
    """

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0
    rule: Literal["replicate", "symmetric", "constant"] = "replicate"
    value: float = 0.0

    def __bool__(self) -> bool:
        return any((self.top, self.left, self.bottom, self.right))


@dataclass(frozen=True, slots=True)
class Padded:
    """A picture that is padded already: the filter makes it so in the pass that converts its planes.

    Attributes:
        image: (N, 3, H, W).
        size: (height, width) of the picture in it.
    """

    image: Tensor
    size: tuple[int, int]


def pad(image: Tensor, padding: Padding) -> Tensor:
    """(N, C, H, W) with what surrounds it; a new tensor, contiguous, unless there is nothing to add."""
    if not padding:
        return image
    around = padding.left, padding.right, padding.top, padding.bottom
    import torch

    if padding.rule == "constant":
        return torch.nn.functional.pad(image, around, value=padding.value)
    rows = _indices(image.shape[-2], padding.top, padding.bottom, padding.rule, image.device)
    columns = _indices(image.shape[-1], padding.left, padding.right, padding.rule, image.device)
    return image.index_select(-2, rows).index_select(-1, columns)


def _indices(size: int, before: int, after: int, rule: str, device: torch.device) -> Tensor:
    import torch

    at = torch.arange(-before, size + after, device=device)
    if rule == "replicate":
        return at.clamp(0, size - 1)
    phase = at % (2 * size)
    return torch.where(phase < size, phase, 2 * size - 1 - phase)
