"""`flow` as the filter sees it: what is kept of a frame, of a pair, and what is made at t."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vsvfi.errors import ShapeError
from vsvfi.frames.planes import Planes
from vsvfi.model import Explanation, Features, Image, Model, ModelSpec, Motion, Source
from vsvfi.padding import Padded

from . import compose
from .estimate import Flows, estimate, grid_size, thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

type Array = np.ndarray[Any, Any]

_LUMA = (0.2126, 0.7152, 0.0722)  # of R, G, B: ITU-R BT.709-6, 3.2; only to see motion by, so any matrix will do


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its planes, and what motion is seen by.

    Attributes:
        planes: (H, W) arrays, untouched.
        small: uint8 luma on the flow grid.
        thumb: uint8, a few hundred pixels.
    """

    planes: tuple[Array, ...]
    small: Array
    thumb: Array


@dataclass(frozen=True)
class FlowFeatures(Features):
    """`image` as it was given, and a Picture of each item of its batch."""

    image: Image
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class FlowMotion(Motion):
    """Two frames, and the flows between each pair of their pictures."""

    features0: FlowFeatures
    features1: FlowFeatures
    flows: tuple[Flows, ...]


class Flow(Model):
    """Classical optical flow on the CPU; planes in, planes out, or tensors in, tensors out.

    Sets OpenCV to one thread, for the whole process: the filter makes as many frames at a time as there are threads,
    and OpenCV's own threads on top of that took a fifth more processor time for each.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        cv2.setNumThreads(1)

    def encode(self, image: Source) -> FlowFeatures:
        """Luma on the flow grid, in 8 bits; the planes are only referred to."""
        assert not isinstance(image, Padded), "flow wants no padding"
        if isinstance(image, Planes):
            luma = _LUMA if image.format.family == "RGB" else (1.0,)
            pictures = [self._picture(image.arrays, luma, image.format.peak)]
        else:
            import torch

            batch = image.detach().to("cpu", torch.float32).contiguous().numpy()
            pictures = [self._picture(list(planes), _LUMA, 1.0) for planes in batch]
        return FlowFeatures(image, tuple(pictures))

    def relate(self, features0: Features, features1: Features) -> FlowMotion:
        """Flow both ways, consistency, photometric fit, and whether brightness changes as a whole."""
        assert isinstance(features0, FlowFeatures), "our own encode made it"
        assert isinstance(features1, FlowFeatures), "our own encode made it"
        if _shape(features0) != _shape(features1):
            raise ShapeError(f"two frames of one size are needed, got {_shape(features0)} and {_shape(features1)}")
        pairs = zip(features0.pictures, features1.pictures, strict=True)
        flows = tuple(estimate(a.small, b.small, a.thumb, b.thumb) for a, b in pairs)
        return FlowMotion(features0, features1, flows)

    def synthesize(self, motion: Motion, t: float) -> Image:
        """Splat the flows to t, weigh them, sample both frames' planes."""
        assert isinstance(motion, FlowMotion), "our own relate made it"
        image = motion.features0.image
        peak = image.format.peak if isinstance(image, Planes) and image.format.sample == "int" else None
        made = [
            compose.planes(compose.field(flows, t), a.planes, b.planes, peak)
            for flows, a, b in zip(motion.flows, motion.features0.pictures, motion.features1.pictures, strict=True)
        ]
        if isinstance(image, Planes):
            return Planes(image.format, image.color, tuple(made[0]))
        import torch

        return torch.from_numpy(np.stack([np.stack(planes) for planes in made])).clamp_(0, 1).to(image.dtype)

    def explain(self, motion: Motion, t: float) -> Explanation:
        """Both motions mixed as the picture is, and the share of frame 0, in full resolution."""
        assert isinstance(motion, FlowMotion), "our own relate made it"
        height, width = _shape(motion.features0)[-2:]
        import torch

        flow, share = compose.dense(compose.field(motion.flows[0], t), height, width)
        flow01, mask = torch.from_numpy(flow), torch.from_numpy(share)
        return Explanation(-t * flow01, (1 - t) * flow01, mask[None])

    def _picture(self, planes: Sequence[Array], luma: tuple[float, ...], peak: float) -> Picture:
        height, width = planes[0].shape
        h, w = grid_size(height, width, self.settings["scale"])
        total = np.zeros((h, w), np.float32)
        for weight, plane in zip(luma, planes, strict=False):
            total += np.float32(weight * 255 / peak) * _resized(plane, h, w)
        small = np.rint(np.clip(np.nan_to_num(total), 0, 255)).astype(np.uint8)
        return Picture(tuple(planes), small, thumbnail(small))


def _resized(plane: Array, h: int, w: int) -> Array:
    source = plane.astype(np.float32) if plane.dtype == np.float16 else plane
    shrinks = h <= source.shape[0] and w <= source.shape[1]
    return cv2.resize(source, (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _shape(features: FlowFeatures) -> tuple[int, ...]:
    return (len(features.pictures), *features.pictures[0].planes[0].shape)
