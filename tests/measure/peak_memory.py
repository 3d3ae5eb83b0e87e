"""Peak memory of a model, counted from the sizes of its tensors while it runs on pretended ones: no memory is taken.

    python -m tests.measure.peak_memory MODEL --size 2048x1080 [--scale 0.5] [--precision fp16]

Counts weights, what caches keep of two frames and their pair, and everything alive at once in each stage. What a
library takes for itself (workspaces of convolutions, the allocator's rounding) is not in it.
"""

from __future__ import annotations

import argparse
import weakref
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from vsvfi import plugins


class Live(TorchDispatchMode):
    """Bytes of all storages that tensors made under it still hold, and the most there ever were."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._users: Counter[int] = Counter()
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, Tensor):
                self.hold(tensor)
        return made

    def hold(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if not self._users[key]:
            self._sizes[key] = storage.nbytes()
            self.now += self._sizes[key]
            self.peak = max(self.peak, self.now)
        self._users[key] += 1
        weakref.finalize(tensor, self._let_go, key)

    def _let_go(self, key: int) -> None:
        self._users[key] -= 1
        if not self._users[key]:
            self.now -= self._sizes.pop(key)


def peak(name: str, height: int, width: int, scale: float = 1.0, precision: str = "fp32") -> dict[str, float]:
    """MiB alive at most in each stage, everything that is kept included, for one pair and one t."""
    spec = plugins.spec(name)
    checkpoint = plugins.checkpoint(spec)
    assert checkpoint is not None
    found = {}
    with FakeTensorMode(), torch.no_grad(), Live() as live:
        # As processors attend: attention that never has all pairs, like the fused kernels of a GPU.
        weights = {key: torch.empty(shape) for key, shape in checkpoint.shapes.items()}
        model = plugins.build(spec, "cpu", precision, weights)
        del weights
        model = model.configured(scale=scale) if spec.scales else model
        images = [torch.empty(1, 3, height, width, dtype=model.image_dtype) for _ in range(2)]
        live.peak = live.now
        features = [model.encode(image) for image in images]
        found["encode"] = live.peak
        live.peak = live.now
        motion = model.relate(*features)
        found["relate"] = live.peak
        live.peak = live.now
        model.synthesize(motion, 0.5)
        found["synthesize"] = live.peak
        found["kept"] = live.now
    return {stage: most / 2**20 for stage, most in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--size", default="2048x1080")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--precision", default="fp32")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    for stage, size in peak(given.model, height, width, given.scale, given.precision).items():
        print(f"{stage:12} {size:8.0f} MiB")


if __name__ == "__main__":
    main()
