"""Images brought to the sizes that models for transitions, translation and styles take, as their authors' scripts do.

Interpolation needs none of this: such models take any size.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .errors import ShapeError
from .model import ModelSpec


def side(spec: ModelSpec, size: int = 512) -> int:
    """The side of the square that a model is given for a wanted size: within its limits, rounded down to its steps.

    Args:
        spec: with `square_sides`.
        size: as users type it.
    """
    assert spec.square_sides is not None, "models without square_sides take any size"
    low, high = spec.square_sides
    return min(max(size, low), high) // spec.multiple * spec.multiple


def fitted(spec: ModelSpec, *images: Tensor, size: int = 512) -> tuple[Tensor, ...]:
    """Images in a size that the model takes, all alike.

    Models with `square_sides` get squares: the picture's shape is lost, and comes back where the result is resized
    to the picture's size. Of "stylize" the style is resized to the content's size, and both lose what exceeds a
    multiple on the right and below. Others are left as they are.

    Args:
        spec: of the model.
        images: (N, 3, H, W) RGB in [0, 1] each, as many as the model takes.
        size: side of the squares, see `side`.

    Raises:
        ShapeError: content smaller than the multiple.
    """
    if spec.square_sides is not None:
        square = side(spec, size)
        return tuple(resized(image, square, square) for image in images)
    if spec.task == "stylize":
        height, width = images[0].shape[-2:]
        rows, columns = (length // spec.multiple * spec.multiple for length in (height, width))
        if not rows or not columns:
            raise ShapeError(f"{spec.name} needs at least {spec.multiple}x{spec.multiple}, got {width}x{height}")
        return tuple(resized(image, height, width)[..., :rows, :columns] for image in images)
    return images


def resized(image: Tensor, height: int, width: int) -> Tensor:
    """Bilinear between pixel centres without a filter, as OpenCV's INTER_LINEAR; unchanged at the same size.

    Args:
        image: (N, C, H, W), floating.
        height: of the result.
        width: of the result.
    """
    if tuple(image.shape[-2:]) == (height, width):
        return image
    wide = image.to(torch.float32)  # positions in half precision would be off by pixels
    return functional.interpolate(wide, (height, width), mode="bilinear", align_corners=False).to(image.dtype)


def restored(image: Tensor, height: int, width: int) -> Tensor:
    """A model's square brought back to a frame's size: bicubic, with a filter where it gets smaller; in [0, 1].

    Args:
        image: (N, 3, H, W), floating.
        height: of the frame.
        width: of the frame.
    """
    if tuple(image.shape[-2:]) == (height, width):
        return image
    wide = functional.interpolate(image.to(torch.float32), (height, width), mode="bicubic", antialias=True)
    return wide.clamp_(0, 1).to(image.dtype)
