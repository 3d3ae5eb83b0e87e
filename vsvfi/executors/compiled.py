"""torch.compile: stages as generated kernels. The first use of a size takes a minute or more; the result is kept."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..model import Model
from .staged import Staged
from .tree import take_apart

log = logging.getLogger("vsvfi")


class Compiled(Staged):
    """A model whose stages are compiled, each size once.

    Generated code is kept in the user's cache folder (or TORCHINDUCTOR_CACHE_DIR), so that the next process starts in
    seconds.

    Args:
        inner: the model.
        backend: of torch.compile.
    """

    def __init__(self, inner: Model, backend: str = "inductor") -> None:
        super().__init__(inner)
        self.backend = backend
        self._stages: dict[str, Callable[..., Any]] = {}
        self._sizes: set[tuple[str, torch.Size]] = set()
        if backend == "inductor":
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(_folder()))

    def around(self, inner: Model) -> Compiled:
        """See Staged."""
        return type(self)(inner, self.backend)

    def run(self, stage: Callable[..., Any], arguments: tuple[Any, ...], t: float | None = None) -> Any:
        """See Staged. A second t is a second compilation at most: then torch makes it a variable of the code."""
        name = stage.__name__
        compiled = self._stages.setdefault(name, torch.compile(stage, backend=self.backend))
        shape = max(take_apart(arguments)[0], key=lambda tensor: tensor.shape[-2:].numel()).shape
        if (name, shape) in self._sizes:
            return compiled(*arguments) if t is None else compiled(*arguments, t)
        began = time.monotonic()
        made = compiled(*arguments) if t is None else compiled(*arguments, t)
        self._sizes.add((name, shape))
        seconds, size = time.monotonic() - began, "x".join(map(str, reversed(shape[-2:])))
        log.warning("%s.%s: compiled for %s in %.0f s", self.spec.name, name, size, seconds)
        return made


def _folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("vsvfi")) / "inductor"
