"""Each network with each engine, precision and size, beside its published forward written plainly."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tests.measure.published import PLAIN, shapes, weights
from vsvfi import loading, plugins
from vsvfi.executors import run_with
from vsvfi.executors.cuda_graph import Graphed
from vsvfi.model import Model, ModelSpec
from vsvfi.testing.pictures import pair

from .clock import Ceilings, Device, Row

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
SIZES = ((1080, 1920), (720, 1280), (2160, 3840))
"""(height, width), the one that counts most first."""

QUICK = 700
"""Cost up to which a network makes small frames on a CPU in a fraction of a second."""

COMPILING = 100.0
"""Seconds that must be left before a network is compiled."""


def networks(device: Device) -> list[ModelSpec]:
    """One model of each network that interpolates, quickest first: weights cost no time. Quick: one a family."""
    specs = [spec for spec in plugins.specs().values() if spec.layout == "rgb" and spec.task == "interpolate"]
    found: dict[object, ModelSpec] = {}
    for spec in sorted(specs, key=lambda spec: (spec.cost, -spec.quality)):
        if spec.checkpoint and not (device.quick and spec.cost > QUICK):
            found.setdefault((spec.family, not device.quick and frozenset(shapes(spec).items())), spec)
    return list(found.values())


def load(device: Device, spec: ModelSpec, precision: str) -> Model:
    """With weights of the recipe: official ones need not be there."""
    model = loading.load(spec.name, weights=weights(spec.name), device=device.name, dtype=DTYPES[precision])
    return model.configured(scale=1.0) if spec.scales else model  # the plain forward has no other


class Networks:
    """Measures all, as far as the budget goes.

    Args:
        device: where.
        best: its ceilings.
        budget: seconds.
    """

    def __init__(self, device: Device, best: Ceilings, budget: float) -> None:
        self.device, self.best = device, best
        self.ends = time.monotonic() + budget
        self._plain: dict[object, float | None] = {}
        self._operations: dict[object, float] = {}

    def rows(self) -> Iterator[Row]:
        """First half precision, which users run, at every size; what there was no time for is named at the end."""
        sizes = ((64, 96),) if self.device.quick else SIZES
        engines = ("eager", "graph") if self.device.cuda else ("eager",)
        left: list[str] = []
        specs = networks(self.device)
        cases = [(p, size, spec, engines) for p in ("fp16", "fp32", "bf16") for size in sizes for spec in specs]
        if self.device.quick:  # a CPU takes its time in half precision
            cases = [case for case in cases if case[0] == "fp32" or case[2] is specs[0]]
        else:
            cases += [("fp16", SIZES[0], spec, ("compile",)) for spec in specs]
        for precision, (height, width), spec, ways in cases:
            needed = COMPILING if "compile" in ways else 0.0
            if time.monotonic() > self.ends - needed:
                left.append(f"{spec.name} {precision} {width}x{height} {'/'.join(ways)}")
                continue
            yield from self._rows(spec, precision, (height, width), ways)
        if left:
            yield {"left out": ", ".join(left)}

    def _rows(self, spec: ModelSpec, precision: str, size: tuple[int, int], engines: tuple[str, ...]) -> Iterator[Row]:
        about: Row = {"model": spec.name, "size": f"{size[1]}x{size[0]}", "precision": precision}
        images = [image.to(self.device.name) for image in pair(*size)]
        try:
            compared = self._published(spec, images)
            model = load(self.device, spec, precision)
            given = [image.to(model.image_dtype) for image in images]
            floor = self._floor(spec, precision, model, given)
            with torch.inference_mode():
                expected = model.interpolate(*given)
            for engine in engines:
                row = about | {"engine": engine}
                yield row | self._timed(run_with(model, engine), given, expected, floor, compared)
        except Exception as error:  # out of memory, or what cannot be compiled: the others are still to be measured
            yield about | {
                "engine": "/".join(engines),
                "failed": f"{type(error).__name__}: {str(error).splitlines()[0]}",
            }
        if self.device.cuda:
            torch.cuda.empty_cache()

    def _timed(self, model: Model, given: list[Tensor], expected: Tensor, floor: float, compared: float | None) -> Row:
        """One in-between as a clip has it: each source frame encoded once, one of two neighbours anew."""
        with torch.inference_mode(), stream(self.device):
            before = model.encode(given[0])

            def between() -> object:
                return model.synthesize(model.relate(before, model.encode(given[1])), 0.5)

            taken = self.device.seconds(between, budget=0.3)
            off = (between() - expected).abs().max().item()
        row: Row = {
            "ms": taken.median * 1e3, "spread": taken.spread, "frames per second": 1 / taken.median,
            "share of floor": floor / taken.median, "off": off,
        }  # fmt: skip
        if isinstance(model, Graphed) and model.refused:
            row["not recorded"] = ", ".join(sorted(model.refused))
        return row if compared is None else row | {"plain ms": compared * 1e3, "times as fast": compared / taken.median}

    def _published(self, spec: ModelSpec, images: list[Tensor]) -> float | None:
        """Seconds of the plain forward in float32; None where there is none, or no room for it."""
        key = spec.name, images[0].shape
        if key not in self._plain:
            self._plain[key] = None
            known = {name: value.to(self.device.name) for name, value in weights(spec.name).items()}
            way = PLAIN.get(spec.family)
            try:
                with torch.inference_mode(), torch.device(self.device.name):
                    taken = way and self.device.seconds(lambda: way(known, images[0], images[1], 0.5), budget=0.3)
                self._plain[key] = taken.median if taken else None
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
        return self._plain[key]

    def _floor(self, spec: ModelSpec, precision: str, model: Model, given: list[Tensor]) -> float:
        """Seconds below which nothing can be: operations, or weights and images read and written once."""
        key = spec.name, given[0].shape
        if key not in self._operations:
            with torch.inference_mode():
                # A clip encodes one of a pair's two frames.
                with FlopCounterMode(display=False) as all_of_it:
                    before = model.encode(given[0])
                    model.synthesize(model.relate(before, model.encode(given[1])), 0.5)
                with FlopCounterMode(display=False) as once:
                    model.encode(given[0])
            self._operations[key] = all_of_it.get_total_flops() - once.get_total_flops()
        size = given[0].element_size()
        nbytes = sum(value.numel() for value in weights(spec.name).values()) * size + 3 * given[0].nbytes
        return max(self._operations[key] / self.best.matmul[precision], nbytes / self.best.copy)


def stream(device: Device) -> torch.cuda.StreamContext:
    """Within it work goes to a stream of its own, as in a filter."""
    own = torch.cuda.Stream() if device.cuda else None
    if own is not None:
        own.wait_stream(torch.cuda.current_stream())
    return torch.cuda.stream(own)
