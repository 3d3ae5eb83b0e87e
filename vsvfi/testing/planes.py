"""The checks of models that read a clip's own planes, besides those in contract.py."""

from __future__ import annotations

from ..frames.planes import PlaneFormat, Planes
from ..model import Model
from .compare import ConformanceError, between, require, same, saying
from .pictures import padded, planes_of

FORMATS = (
    PlaneFormat("YUV", "int", 8, (1, 1), 70, 50),
    PlaneFormat("YUV", "int", 10, (1, 0), 66, 33),
    PlaneFormat("YUV", "int", 16, (0, 0), 65, 47),
    PlaneFormat("RGB", "int", 8, (0, 0), 33, 49),
    PlaneFormat("GRAY", "float", 16, (0, 0), 48, 31),
    PlaneFormat("YUV", "float", 32, (1, 1), 64, 48),
)
"""One of each kind: families, depths, subsamplings, odd sizes."""


def planes_come_back_in_their_format(model: Model) -> None:
    """Every format comes back as it was: format, meaning, plane sizes, dtype and device."""
    for format in FORMATS:
        with saying(f"in {format}"):
            first, second = (planes_of(format, seed, model.device) for seed in (1, 2))
            result = between(model, first, second)
            if not isinstance(result, Planes):
                raise ConformanceError(f"given planes, it answered with {type(result).__name__}")
            require((result.format, result.color) == (format, first.color), f"got {result.format}, {result.color}")
            for p, plane in enumerate(result.data):
                size = format.plane_size(p)
                got = f"{tuple(plane.shape)} {plane.dtype} on {plane.device}"
                require(tuple(plane.shape) == size and plane.dtype == format.dtype, f"plane {p} must be {size}: {got}")
                require(plane.device == model.device, f"plane {p} must be on {model.device}: {got}")
                require(plane.stride(1) == 1, f"samples of a row of plane {p} must be adjacent")


def padded_rows_do_not_matter(model: Model) -> None:
    """Planes cut out of larger memory give the bytes of compact copies, and are not written to."""
    for format in FORMATS:
        with saying(f"in {format}"):
            images = [planes_of(format, seed, model.device) for seed in (1, 2)]
            cut = [padded(planes) for planes in images]
            require(same(between(model, *images), between(model, *cut)), "padding between rows changed the result")
            require(all(map(same, images, cut)), "a plane was written to")
