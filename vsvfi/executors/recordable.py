"""Finds out, before a CUDA graph is recorded, what cannot be: a recording that breaks off costs more than a warning.

torch before 2.12 then believes for good that recording goes on, and fails wherever memory runs short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten

_WAITING = {
    aten.item,
    aten._local_scalar_dense,
    aten.is_nonzero,
    aten.equal,
    aten.allclose,
    aten.nonzero,
    aten.masked_select,
    aten.repeat_interleave,
    aten.bincount,
    aten._unique2,
    aten.unique_dim,
    aten.unique_consecutive,
}
"""Operations whose answer, or its size, the host must know."""

_PLACES = {aten.index, aten.index_put, aten.index_put_}
"""Those that count the places of a mask first."""


class Watch(TorchDispatchMode):
    """Within it, on this thread, what cannot be recorded raises RuntimeError with the operation's name.

    Args:
        device: where is recorded; tensors elsewhere are not to be read or made, single numbers excepted.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._device = device

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """See the class."""
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        masks = func.overloadpacket in _PLACES and any(value.dtype == torch.bool for value in given[1:])
        if func.overloadpacket in _WAITING or masks:
            raise RuntimeError(f"{func} waits for the device")
        self._check(func, given)
        made = func(*args, **(kwargs or {}))
        self._check(func, [value for value in tree_leaves(made) if isinstance(value, Tensor)])
        return made

    def _check(self, func: Any, tensors: Sequence[Tensor]) -> None:
        for tensor in tensors:
            if tensor.ndim and tensor.device.type != self._device.type:
                raise RuntimeError(f"{func} has to do with a tensor on {tensor.device}")
