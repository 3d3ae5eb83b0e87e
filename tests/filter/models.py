"""Models whose answers are known, registered like a third party's, to test the filter around them."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from dataclasses import dataclass

import torch

from vsvfi.frames.planes import Planes
from vsvfi.hookspecs import hookimpl
from vsvfi.model import Explanation, Features, Model, ModelSpec, Motion


@dataclass(frozen=True)
class Held(Features):
    image: torch.Tensor | Planes


@dataclass(frozen=True)
class Both(Motion):
    first: torch.Tensor | Planes
    second: torch.Tensor | Planes


def spec(name: str, **facts) -> ModelSpec:
    plain = {"family": "test", "variant": name, "summary": "", "license": "MIT", "commercial": True, "source": ""}
    return ModelSpec(name=name, **{**plain, **facts})


class Blend(Model):
    """RGB: (1 - t) * image0 + t * image1; counts its calls."""

    def __init__(self, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(spec, device, dtype)
        self.calls: Counter[str] = Counter()
        self.lock = threading.Lock()

    def count(self, stage: str) -> None:
        with self.lock:
            self.calls[stage] += 1

    def encode(self, image):
        self.count("encode")
        return Held(image)

    def relate(self, features0, features1):
        self.count("relate")
        return Both(features0.image, features1.image)

    def synthesize(self, motion, t):
        self.count("synthesize")
        return torch.lerp(motion.first, motion.second, t)

    def explain(self, motion, t):
        h, w = motion.first.shape[-2:]
        return Explanation(torch.full((2, h, w), t), torch.full((2, h, w), t - 1), torch.full((1, h, w), 1 - t))


class First(Blend):
    """Planes: hands on the earlier frame's planes: nothing is computed, so what remains is the filter's own time."""

    def synthesize(self, motion, t):
        self.count("synthesize")
        return motion.first

    explain = Model.explain


class Slow(Blend):
    def synthesize(self, motion, t):
        time.sleep(0.02)
        return super().synthesize(motion, t)


class Broken(Blend):
    def synthesize(self, motion, t):
        raise ValueError("the network is on fire")


class Hungry(Blend):
    """Runs out of memory above `limit` pixels."""

    limit = 100 * 100

    def relate(self, features0, features1):
        if features0.image.shape[-1] * features0.image.shape[-2] > self.limit:
            raise torch.OutOfMemoryError("no memory for this")
        return super().relate(features0, features1)


MODELS = {
    "test-blend": Blend,
    "test-first": First,
    "test-slow": Slow,
    "test-broken": Broken,
    "test-hungry": Hungry,
    "test-starving": type("Starving", (Hungry,), {"limit": 0}),
}


@hookimpl
def vsvfi_models():
    layouts = {"test-first": {"layout": "planes", "parallel": True}, "test-slow": {"parallel": True}}
    specs = [spec(name, **layouts.get(name, {})) for name in MODELS]
    missing = dataclasses.replace(spec("test-missing"), checkpoint="missing.pth")
    return [*specs, missing]


@hookimpl
def vsvfi_build(spec, device, dtype):
    return MODELS[spec.name](spec, device, dtype) if spec.name in MODELS else None
