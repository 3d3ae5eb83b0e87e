"""Each kernel beside what torch offers for it, and beside the time its bytes take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vsvfi.color import from_planes, to_planes
from vsvfi.frames.planes import ColorInfo, PlaneFormat, Planes
from vsvfi.ops import backward_warp, correlation, kernels, lookup, scatter, splat, splat_cuda, warp_blend

from .clock import Ceilings, Device, Row


@dataclass(frozen=True)
class Case:
    """One kernel at one size.

    Attributes:
        name: of the kernel and its input.
        ours: calls it.
        rivals: other ways to the same result.
        nbytes: that must be read and written.
    """

    name: str
    ours: Callable[[], object]
    rivals: dict[str, Callable[[], object]]
    nbytes: int


def measure(device: Device, best: Ceilings, budget: float) -> Iterator[Row]:
    """A row a kernel and rival: milliseconds of both, and the share of the copy rate that ours reaches.

    Args:
        device: where.
        best: its ceilings.
        budget: seconds for all.
    """
    ends = time.monotonic() + budget
    left = []
    for case in _cases(device):
        if time.monotonic() > ends:
            left.append(case.name)
            continue
        ours = device.alone(case.ours)
        share = case.nbytes / best.copy / ours.median
        row: Row = {
            "kernel": case.name, "ms": ours.median * 1e3, "spread": ours.spread, "host ms": ours.host * 1e3,
            "share of copy rate": share,
        }  # fmt: skip
        for name, rival in case.rivals.items():
            taken = device.alone(rival)
            row |= {"rival": name, "rival ms": taken.median * 1e3, "times as fast": taken.median / ours.median}
            yield dict(row)
    if left:
        yield {"left out": ", ".join(left)}


def _cases(device: Device) -> Iterator[Case]:
    h, w = (72, 128) if device.quick else (1080, 1920)
    for dtype in (torch.float32, torch.float16):
        yield from _warps(device, h, w, dtype)
        yield from _splats(device, h, w, dtype)
        yield from _correlations(device, h // 4, w // 4, dtype)
    for bits, log2 in ((8, (1, 1)), (10, (1, 1)), (16, (0, 0))):
        yield from _conversions(device, PlaneFormat("YUV", "int", bits, log2, w, h))


def _warps(device: Device, h: int, w: int, dtype: torch.dtype) -> Iterator[Case]:
    said = str(dtype).removeprefix("torch.")
    for channels, last in ((3, False), (64, False), (64, True)):
        image, flow = device.rand(1, channels, h, w, dtype=dtype), device.flow(1, h, w)
        if last:
            image = image.contiguous(memory_format=torch.channels_last)
        layout = "channels_last" if last else "planes"
        yield Case(
            f"backward_warp {channels}x{h}x{w} {said} {layout}",
            lambda image=image, flow=flow: backward_warp.backward_warp(image, flow),  # type: ignore[misc]
            {"grid_sample": lambda image=image, flow=flow: _grid_sample(image, flow)},  # type: ignore[misc]
            2 * image.nbytes + flow.nbytes,
        )
    images = [device.rand(1, 3, h, w, dtype=dtype, seed=s) for s in (0, 1)]
    flows, mask = [device.flow(1, h, w, seed=s) for s in (2, 3)], device.rand(1, 1, h, w)
    rest = device.rand(1, 3, h, w, dtype=dtype, seed=5)

    def composed() -> Tensor:
        warped = [_grid_sample(image, flow) for image, flow in zip(images, flows, strict=True)]
        return (torch.lerp(warped[1], warped[0], mask.to(dtype)) + rest).clamp(0, 1)

    nbytes = 4 * rest.nbytes + sum(flow.nbytes for flow in flows) + mask.nbytes
    yield Case(
        f"warp_blend 3x{h}x{w} {said}",
        lambda: warp_blend.warp_blend(images[0], images[1], flows[0], flows[1], mask, rest),
        {"grid_sample twice, lerp, add, clamp": composed},
        nbytes,
    )


def _grid_sample(image: Tensor, flow: Tensor) -> Tensor:
    """As published code warps: a grid of its own each time."""
    _, _, h, w = image.shape
    x = torch.linspace(-1, 1, w, device=image.device) + flow[:, 0] / ((w - 1) / 2)
    y = torch.linspace(-1, 1, h, device=image.device)[:, None] + flow[:, 1] / ((h - 1) / 2)
    grid = torch.stack([x, y], -1).to(image.dtype)
    return torch.nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=True)


def _splats(device: Device, h: int, w: int, dtype: torch.dtype) -> Iterator[Case]:
    said = str(dtype).removeprefix("torch.")
    for channels in (3, 32):
        image, flow = device.rand(1, channels, h, w, dtype=dtype), device.flow(1, h, w)
        metric = device.rand(1, 1, h, w, seed=4)

        def scattered(image: Tensor = image, flow: Tensor = flow, metric: Tensor = metric) -> Tensor:
            weight = metric.exp()
            total = scatter.sums(torch.cat([image.float() * weight, weight], 1), flow)
            return (total[:, :-1] / torch.where(total[:, -1:] == 0, 1.0, total[:, -1:])).to(image.dtype)

        rivals: dict[str, Callable[[], object]] = {"scatter_add": scattered}
        if device.cuda and kernels.usable(image):
            rivals["our kernel with float atomics"] = lambda image=image, flow=flow, metric=metric: splat_cuda.splat(  # type: ignore[misc]
                image, flow, metric, "softmax", "zeroeps", sums=torch.float32
            )
        yield Case(
            f"splat softmax {channels}x{h}x{w} {said}",
            lambda image=image, flow=flow, metric=metric: splat.splat(image, flow, metric, mode="softmax"),  # type: ignore[misc]
            rivals,
            2 * image.nbytes + flow.nbytes + metric.nbytes,
        )


def _correlations(device: Device, h: int, w: int, dtype: torch.dtype) -> Iterator[Case]:
    said = str(dtype).removeprefix("torch.")
    f0, f1 = (device.rand(1, 64, h, w, dtype=dtype, seed=s) for s in (0, 1))

    def unfolded() -> Tensor:
        around = torch.nn.functional.unfold(f1, 9, padding=4).view(1, 64, 81, *f1.shape[-2:])
        return (f0[:, :, None] * around).mean(1)

    yield Case(
        f"local_cost 64x{h}x{w} {said}",
        lambda: correlation.local_cost(f0, f1),
        {"unfold": unfolded, "blocks of bmm": lambda: correlation.local_cost_definition(f0, f1, 4, 1)},
        f0.nbytes + f1.nbytes + 81 * h * w * f0.element_size(),
    )
    h, w = h // 2, w // 2
    g0, g1 = (device.rand(1, 256, h, w, dtype=dtype, seed=s) for s in (2, 3))
    at = device.rand(1, 2, h, w, seed=6) * h
    pyramid = lookup.pooled(g1)
    yield Case(
        f"lookup 256x{h}x{w} {said}",
        lambda: lookup.lookup_on_demand(g0, pyramid, at),
        {"all_pairs and lookup": lambda: correlation.lookup(correlation.all_pairs(g0, g1), at)},
        2 * g0.nbytes + 324 * h * w * g0.element_size(),
    )


def _conversions(device: Device, format: PlaneFormat) -> Iterator[Case]:
    color = ColorInfo(1, False, 0)
    sizes = [format.plane_size(p) for p in range(3)]
    data = tuple((device.rand(*size, seed=p) * format.peak).to(format.dtype) for p, size in enumerate(sizes))
    planes = Planes(format, color, data)
    for dtype in (torch.float32, torch.float16):
        picture = from_planes.from_planes(planes, dtype)
        nbytes = sum(plane.nbytes for plane in data) + picture.nbytes
        said = f"{format} {str(dtype).removeprefix('torch.')}"
        yield Case(
            f"from_planes {said}",
            lambda dtype=dtype: from_planes.from_planes(planes, dtype),  # type: ignore[misc]
            {"torch": lambda dtype=dtype: from_planes.definition(planes, dtype)},  # type: ignore[misc]
            nbytes,
        )
        yield Case(
            f"to_planes {said}",
            lambda picture=picture: to_planes.to_planes(picture, format, color, out=data),  # type: ignore[misc]
            {"torch": lambda picture=picture: to_planes.definition(picture, format, color, "ordered")},  # type: ignore[misc]
            nbytes,
        )
