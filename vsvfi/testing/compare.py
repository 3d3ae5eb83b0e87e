"""How checks ask and compare, and what they raise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from ..frames.planes import Planes
from ..model import Features, Image, Model

TOLERANCE = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""How far two ways to one result may be apart where sums may be taken in another order (a batch, a memory layout)."""


class ConformanceError(AssertionError):
    """The backend breaks a promise; the message says which."""


def require(kept: bool, promise: str) -> None:
    """Raise unless the promise is kept; unlike `assert` also under python -O."""
    if not kept:
        raise ConformanceError(promise)


@contextmanager
def saying(where: str) -> Iterator[None]:
    """Tell with whatever is raised what was being tried."""
    try:
        yield
    except Exception as error:
        error.add_note(where)
        raise


def refused(kind: type[Exception], what: str, call: Callable[..., object], *args: object, **options: object) -> None:
    """Require that the call raises this kind of error."""
    try:
        call(*args, **options)
    except kind:
        return
    raise ConformanceError(f"{what} must be refused with {kind.__name__}, it was accepted")


def check_image(model: Model, image: Image, shape: tuple[int, ...]) -> None:
    """Require a finite image in [0, 1] of this shape, in the model's dtype, on its device."""
    if not isinstance(image, Tensor):
        raise ConformanceError(f"given tensors, it answered with {type(image).__name__}")
    require(tuple(image.shape) == shape, f"the image must be {shape}, got {tuple(image.shape)}")
    got = f"{image.dtype} on {image.device}"
    require(
        image.dtype == model.dtype and image.device == model.device, f"got {got}, not {model.dtype}, {model.device}"
    )
    require(bool(image.isfinite().all()), "the image is not finite")
    low, high = image.min().item(), image.max().item()
    require(low >= -1e-3 and high <= 1 + 1e-3, f"the image must lie in [0, 1], got {low:.4f} to {high:.4f}")


def close(model: Model, a: Tensor, b: Tensor) -> None:
    """Require equality to the tolerance of the model's dtype."""
    most, allowed = (a.float() - b.float()).abs().max().item(), TOLERANCE[model.dtype]
    require(most <= allowed, f"off by up to {most:.5f}, {allowed:g} allowed for {model.dtype}")


def same(a: Image, b: Image) -> bool:
    """Whether two images hold the same samples."""
    if isinstance(a, Planes) and isinstance(b, Planes):
        return all(map(torch.equal, a.data, b.data))
    return isinstance(a, Tensor) and isinstance(b, Tensor) and torch.equal(a, b)


def apart(a: Tensor, b: Tensor) -> float:
    """Mean absolute difference."""
    return (a - b).abs().mean().item()


def encoded(model: Model, image: Tensor) -> Features:
    """The first stage alone, as `interpolate` calls it."""
    with torch.inference_mode():
        return model.encode(image.to(model.device, model.image_dtype))


def made(model: Model, images: Sequence[Tensor], t: float = 0.5) -> Tensor:
    """The image at t of one or two."""
    return model.interpolate(images[0], images[1] if len(images) > 1 else None, t)


def between(model: Model, first: Image, second: Image) -> Image:
    """All three stages at t = 1/2."""
    with torch.inference_mode():
        return model.synthesize(model.relate(model.encode(first), model.encode(second)), 0.5)
