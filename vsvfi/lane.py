"""One device at work: its model, its caches, its queue. `pipeline.py` hands it jobs; on several devices, in runs.

Stages run once: features are kept per source frame, motion per pair, both in caches bounded by bytes. What computes
on tensors is imported where it is first used: a model that reads planes as arrays never waits for torch.
"""

from __future__ import annotations

import logging
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import memory
from .cache import Cache, share_of
from .errors import DeviceError
from .frames import host
from .frames.planes import Planes
from .frames.transfer import HostTransfer, Ready, Transfer
from .padding import Padded, Padding

if TYPE_CHECKING:
    from torch import Tensor

    from .decide import Window
    from .frames.planes import ColorInfo, PlaneFormat
    from .model import Explanation, Features, Image, Model, Motion, Source
    from .options import Options

log = logging.getLogger("vsvfi")

_NEARBY = 8
"""Source frames and pairs kept besides those in work: enough for a client that steps back a little. More would only
fill memory when frames are small, since no client plays backwards."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Everything known of two neighbours on one device."""

    motion: Motion
    image0: Image | None = None
    image1: Image | None = None
    protection: Tensor | None = None


class Lane:
    """A device's part of one filter instance.

    Args:
        model: shared with other instances; already configured with this instance's options.
        format: of the clip.
        options: of the instance.
        workers: threads that may compute at once; 1 unless the model says it is parallel.
    """

    def __init__(self, model: Model, format: PlaneFormat, options: Options, workers: int) -> None:
        self.model = model
        self.device = model.where
        self.format = format
        self.options = options
        self.transfer = _transfer(model, format)
        most = memory.limit(options.vram, model.where)
        if most is not None:
            memory.hold(model.where, most)
        share, entries = share_of(model.where, most), _NEARBY + workers
        self.features = Cache(share, entries)
        self.pairs = Cache(share, entries)
        self.workers = workers if model.spec.parallel else 1
        self.in_work = max(self.transfer.ahead, self.workers)
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="vsvfi")
        # The threads end with the lane. Without waiting: the last reference may be dropped by one of them.
        weakref.finalize(self, self._pool.shutdown, wait=False).atexit = False

    def start(self, job: Callable[..., Any], *args: object) -> Future[Any]:
        """Queue a job of this device; the caller goes on at once."""
        try:
            return self._pool.submit(self._run, job, args)
        except RuntimeError as error:  # only at exit, when clients still ask for frames
            raise DeviceError("the process is ending") from error

    def between(self, source: int, t: float, window: Window, color: tuple[ColorInfo, ColorInfo]) -> Ready:
        """The frame at t after source frame `source`; `window` holds the two at offsets 0 and 1."""
        made = self._retrying(lambda: self._between(source, t, window, color))
        return self.transfer.download(made, pooled=self.model.spec.layout == "rgb")

    def explain(self, source: int, t: float, window: Window, color: tuple[ColorInfo, ColorInfo]) -> Explanation:
        """Flow and mask at t, for `show`."""
        return self._retrying(lambda: self.model.explain(self._pair(source, window, color).motion, t))

    def render(self, picture: Tensor, color: ColorInfo) -> Ready:
        """A (3, H, W) RGB picture in the clip's format."""
        from .color.to_planes import to_planes

        planes = to_planes(picture[None], self.format, color, dither="none", out=self.transfer.result())
        return self.transfer.download(planes, pooled=True)

    def clear(self) -> None:
        """Forget everything that can be made again."""
        self.features.clear()
        self.pairs.clear()
        self.model.forget()
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()

    def _run(self, job: Callable[..., Any], args: tuple[object, ...]) -> Any:
        with self.transfer.computing():
            return job(*args)

    def _between(self, source: int, t: float, window: Window, color: tuple[ColorInfo, ColorInfo]) -> Planes:
        pair = self._pair(source, window, color)
        image = self._synthesized(pair.motion, t)
        if pair.protection is not None:
            from . import protect

            assert pair.image0 is not None, "kept with the protection"
            assert pair.image1 is not None, "kept with the protection"
            image = protect.apply(image, pair.image0, pair.image1, pair.protection, t)
        if isinstance(image, Planes):
            return image
        from .color.to_planes import to_planes

        return to_planes(image, self.format, color[0], dither=self.options.dither, out=self.transfer.result())

    def _synthesized(self, motion: Motion, t: float) -> Image:
        return self.model.synthesize(motion, t)

    def _pair(self, source: int, window: Window, color: tuple[ColorInfo, ColorInfo]) -> Pair:
        return self.pairs.get_or_compute(source, lambda: self._relate(source, window, color))

    def _relate(self, source: int, window: Window, color: tuple[ColorInfo, ColorInfo]) -> Pair:
        features = [self._features(source + k, window, k, color[k]) for k in (0, 1)]
        motion = self.model.relate(*features)
        if not self.options.protect:
            return Pair(motion)
        from . import protect

        image0, image1 = (self._picture(window, k, color[k], Padding()) for k in (0, 1))
        return Pair(motion, image0, image1, protect.protection(image0, image1))

    def _features(self, source: int, window: Window, offset: int, color: ColorInfo) -> Features:
        return self.features.get_or_compute(source, lambda: self.model.encode(self._image(window, offset, color)))

    def _image(self, window: Window, offset: int, color: ColorInfo) -> Source:
        size = self.format.height, self.format.width
        padding = self.model.padding(*size)
        picture = self._picture(window, offset, color, padding)
        return Padded(picture, size) if padding and not isinstance(picture, Planes) else picture

    def _picture(self, window: Window, offset: int, color: ColorInfo, padding: Padding) -> Planes | Tensor:
        frame = window[offset]
        assert frame is not None, "both frames of a pair exist"
        planes = self.transfer.upload(host.view(frame, self.format, color))
        if self.model.spec.layout == "planes":
            return planes
        from .color.from_planes import from_planes

        return from_planes(planes, self.model.image_dtype, padding)

    def _retrying[T](self, make: Callable[[], T]) -> T:
        """Run `make`; out of memory, free what can be freed and try once more in tiles."""
        try:
            return make()
        except _out_of_memory():
            self.clear()
        from . import tiling

        tiled = tiling.halved(self.model, (self.format.width, self.format.height))
        log.warning(
            "%s on %s: out of memory at %dx%d; going on in tiles of %dx%d",
            self.model.spec.name, self.device, self.format.width, self.format.height, *tiled.tile,
        )  # fmt: skip
        try:
            self.model = tiled
            return make()
        except _out_of_memory() as error:
            self.clear()
            raise DeviceError(self._advice(tiled.tile)) from error

    def _advice(self, tile: tuple[int, int]) -> str:
        smaller = max(64, min(tile) // 2 // 64 * 64)
        scale = ", or scale=0.5" if self.model.spec.scales and self.model.spec.scales[0] <= 0.5 else ""
        size = f"{self.format.width}x{self.format.height}"
        return f"out of memory at {size}, also in tiles of {tile[0]}x{tile[1]}; try tile={smaller}, overlap=16{scale}"


def _transfer(model: Model, format: PlaneFormat) -> Transfer:
    """The way to where a model computes, and back."""
    if model.where.startswith("cuda"):
        from .frames.cuda import Cuda, CudaTransfer

        return CudaTransfer(Cuda(model.device), format)
    return HostTransfer(tensors=model.spec.layout == "rgb")


def _out_of_memory() -> tuple[type[Exception], ...]:
    """What says so: Python's own kind, and torch's where torch is in use."""
    torch = sys.modules.get("torch")
    return (MemoryError,) if torch is None else (MemoryError, torch.OutOfMemoryError)
