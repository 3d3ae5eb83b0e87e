"""What all executors share: a Model whose stages are another's, run in some way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from ..model import Explanation, Features, Image, Model, Motion, Source
from ..padding import Padding

if TYPE_CHECKING:
    import torch


class Staged(Model):
    """Another model, its stages run by `run`.

    Args:
        inner: the model.
    """

    def __init__(self, inner: Model) -> None:
        super().__init__(inner.spec, inner.device, inner.dtype)
        self.settings = inner.settings
        self.inner = inner

    @abstractmethod
    def run(self, stage: Callable[..., Any], arguments: tuple[Any, ...], t: float | None = None) -> Any:
        """stage(*arguments), or stage(*arguments, t) where there is a t.

        Args:
            stage: a bound method of the inner model whose answer depends on its arguments alone.
            arguments: images, Features, Motion; t as a tensor where the model takes any.
            t: the timestep of `synthesize` where the model wants a number.
        """

    @abstractmethod
    def around(self, inner: Model) -> Self:
        """The same way of running, for another model."""

    def configured(self, **options: Any) -> Self:
        """See Model."""
        return self.around(self.inner.configured(**options))

    @property
    def image_dtype(self) -> torch.dtype:
        """As the inner model."""
        return self.inner.image_dtype

    def padding(self, height: int, width: int) -> Padding:
        """As the inner model."""
        return self.inner.padding(height, width)

    def encode(self, image: Source) -> Features:
        """See Model."""
        made: Features = self.run(self.inner.encode, (image,))
        return made

    def relate(self, features0: Features, features1: Features) -> Motion:
        """See Model."""
        made: Motion = self.run(self.inner.relate, (features0, features1))
        return made

    def synthesize(self, motion: Motion, t: float) -> Image:
        """See Model."""
        if not self.inner.replayable(t):
            return self.inner.synthesize(motion, t)
        if self.inner.any_t:
            made: Image = self.run(self.inner.synthesize, (motion, self.timestep(t)))
        else:
            made = self.run(self.inner.synthesize, (motion,), t)
        return made

    def explain(self, motion: Motion, t: float) -> Explanation:
        """See Model; as it is: it is asked for rarely."""
        return self.inner.explain(motion, t)
