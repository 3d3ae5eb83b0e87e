"""Each model with each engine, precision and size, beside its published forward written plainly."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.golden import recipe
from tests.measure import network_speed
from vsvfi import loading, plugins
from vsvfi.errors import VsvfiError
from vsvfi.executors import run_with
from vsvfi.model import Model, ModelSpec

from .clock import Ceilings, Device, Row

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def names(device: Device) -> list[str]:
    """The networks that interpolate, quickest first, so that a short budget still sees several."""
    specs = [spec for spec in plugins.specs().values() if spec.layout == "rgb" and spec.task == "interpolate"]
    ordered = [spec.name for spec in sorted(specs, key=lambda spec: spec.cost) if spec.checkpoint]
    return ordered[:1] if device.quick else ordered


def weights(spec: ModelSpec) -> dict[str, torch.Tensor]:
    """Some for every key: values do not matter for time, and official ones need not be there."""
    checkpoint = plugins.checkpoint(spec)
    assert checkpoint is not None, "every network of ours says what its weights are"
    return {key: torch.from_numpy(value) for key, value in recipe.fill_state_dict(checkpoint.shapes).items()}


def sizes(device: Device) -> list[tuple[int, int]]:
    """(height, width)."""
    return [(64, 96)] if device.quick else [(720, 1280), (1080, 1920), (2160, 3840)]


def measure(device: Device, best: Ceilings, budget: float) -> Iterator[Row]:
    """A row for each that the budget allows; what it did not is the last row's "left out"."""
    ends = time.monotonic() + budget
    left: list[str] = []
    for size in sizes(device):
        for name in names(device):
            if time.monotonic() > ends:
                left.append(f"{name} at {size[1]}x{size[0]}")
                continue
            yield from _model(device, best, name, size, ends)
    if left:
        yield {"left out": ", ".join(left)}


def _model(device: Device, best: Ceilings, name: str, size: tuple[int, int], ends: float) -> Iterator[Row]:
    spec = plugins.spec(name)
    known = weights(spec)
    images = [device.rand(1, 3, *size, seed=seed) for seed in (0, 1)]
    plain = _plain(device, name, images)
    for precision in (p for p in ("fp32", "fp16", "bf16") if p in spec.precisions):
        model = loading.load(name, weights=known, device=device.name, dtype=DTYPES[precision])
        pair = [image.to(model.dtype) for image in images]
        operations = _operations(model, pair) if not device.quick or precision == "fp32" else 0.0
        nbytes = sum(tensor.nbytes for tensor in known.values()) + 3 * pair[0].nbytes
        floor = max(operations / best.matmul[precision], nbytes / best.copy)
        # Compiling takes minutes: only where it is quickest to see, and only while there is time.
        compiles = not device.quick and precision == "fp16" and size[0] == 720 and time.monotonic() < ends - 90
        for engine in ("eager", *(("graph",) if device.cuda else ()), *(("compile",) if compiles else ())):
            row: Row = {"model": name, "size": f"{size[1]}x{size[0]}", "precision": precision, "engine": engine}
            try:
                row |= _timed(device, run_with(model, engine), pair, floor, plain)
            except (torch.OutOfMemoryError, VsvfiError) as error:
                row["failed"] = str(error).splitlines()[0]
            yield row


def _timed(device: Device, model: Model, pair: list[torch.Tensor], floor: float, plain: float | None) -> Row:
    """One in-between as a clip has it: each source frame encoded once, one of two neighbours anew."""
    with torch.inference_mode(), _stream(device):
        before = model.encode(pair[0])

        def between() -> object:
            return model.synthesize(model.relate(before, model.encode(pair[1])), 0.5)

        taken = device.seconds(between, budget=2.0)
    row: Row = {"ms": taken.median * 1e3, "frames per second": 1 / taken.median, "share of floor": floor / taken.median}
    return row if plain is None else row | {"plain ms": plain * 1e3, "times as fast": plain / taken.median}


def _stream(device: Device) -> torch.cuda.StreamContext:
    """Graphs cannot be recorded on the default stream."""
    return torch.cuda.stream(torch.cuda.Stream() if device.cuda else None)


def _plain(device: Device, name: str, images: list[torch.Tensor]) -> float | None:
    try:
        way = network_speed.subject(name).plain
        with torch.inference_mode(), torch.device(device.name):
            return device.seconds(lambda: way(images[0], images[1], 0.5), budget=2.0).median
    except (torch.OutOfMemoryError, RuntimeError):  # a plain forward made for the CPU, or too large: no comparison
        return None


def _operations(model: Model, pair: list[torch.Tensor]) -> float:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model.synthesize(model.relate(model.encode(pair[0]), model.encode(pair[1])), 0.5)
    # Both frames were encoded; a clip encodes one a pair.
    with torch.inference_mode(), FlopCounterMode(display=False) as once:
        model.encode(pair[0])
    return float(counter.get_total_flops() - once.get_total_flops())
