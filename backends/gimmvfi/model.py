"""GIMM-VFI as the filter sees it: what is kept of a frame and of a pair, and what is made at t."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vsvfi.errors import ShapeError
from vsvfi.model import Explanation, Features, Model, ModelSpec, Motion, Source
from vsvfi.padding import Padding

from . import checkpoint
from .flowformer import FlowFormer
from .motion import Latent
from .raft import Context, Correlation
from .synthesis import FLOWS, Fields, Frame

_MULTIPLE, _SMALL_MULTIPLE = 32, 16
_SCALES = ((1.4e6, 1.0), (4.4e6, 0.5), (float("inf"), 0.25))
"""Pixels up to which a scale is taken where none is asked for: the authors' for 720p, 2K and 4K."""
_LEAST = 128
"""Pixels a side of what the network sees: below, published code divides by 0 in the coarsest correlations."""


@dataclass(frozen=True)
class GIMMFeatures(Features):
    """One frame.

    Attributes:
        image: (N, 3, H, W) in [-1, 1], padded, at full size: what is warped in the end.
        size: (height, width) before padding.
        context: of the estimator, at the small size.
        frame: of the decoders, at the small size.
        fmap: (N, 256, h/8, w/8), to be correlated in synthesis.
    """

    image: Tensor
    size: tuple[int, int]
    context: Context
    frame: Frame
    fmap: Tensor


@dataclass(frozen=True)
class GIMMMotion(Motion):
    """Two frames and the flow between them, which holds for every t.

    Attributes:
        features0, features1: of the frames.
        latent: flows both ways and their code.
        found: correlations of the decoders' features.
    """

    features0: GIMMFeatures
    features1: GIMMFeatures
    latent: Latent
    found: Correlation


class GIMMVFI(Model):
    """Flow once a pair, its code carried to t, and the frames merged along three refined flows."""

    def __init__(
        self, spec: ModelSpec, device: torch.device, dtype: torch.dtype, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spec, device, dtype)
        self.settings = {**self.settings, "scale": None}
        self.net = checkpoint.network(spec, weights, device, dtype)

    @property
    def image_dtype(self) -> torch.dtype:
        """See Model; half a value of 8 bits is already too much for FlowFormer's steps."""
        return torch.float32 if isinstance(self.net.flow_estimator, FlowFormer) else self.dtype

    @property
    def any_t(self) -> bool:
        """See Model."""
        return True

    def padding(self, height: int, width: int) -> Padding:
        """The edge repeated around, to multiples of 32 and at least 128; the odd one goes below and right."""
        rows, columns = (max(_LEAST, -(-side // _MULTIPLE) * _MULTIPLE) - side for side in (height, width))
        return Padding(rows // 2, columns // 2, rows - rows // 2, columns - columns // 2)

    def small(self, height: int, width: int) -> tuple[int, int]:
        """Of padded sides, those at which motion is looked for: times the scale, to multiples of 16, at least 128."""
        scale = self.settings["scale"] or next(scale for most, scale in _SCALES if height * width <= most)
        wanted = (max(_LEAST, -(-round(side * scale) // _SMALL_MULTIPLE) * _SMALL_MULTIPLE) for side in (height, width))
        rows, columns = (min(each, side) for each, side in zip(wanted, (height, width), strict=True))
        return rows, columns

    def encode(self, image: Source) -> GIMMFeatures:
        """What the estimator and both decoders make of a frame."""
        padded = self.padded(image)
        size = padded.image.shape[-2], padded.image.shape[-1]
        seen = _resized(padded.image, self.small(*size))
        context = self.net.flow_estimator.context(seen)
        frame = self.net.frame(seen.to(self.dtype), context)
        fmap = self.net.amt_fproj(context.fmap).to(self.dtype)
        return GIMMFeatures((2 * padded.image - 1).to(self.dtype), padded.size, context, frame, fmap)

    def relate(self, features0: Features, features1: Features) -> GIMMMotion:
        """Flow both ways, from one set of correlations, and its code."""
        assert isinstance(features0, GIMMFeatures), "our own encode made it"
        assert isinstance(features1, GIMMFeatures), "our own encode made it"
        if features0.size != features1.size or len(features0.image) != len(features1.image):
            raise ShapeError(f"two frames of one size are needed, got {_said(features0)} and {_said(features1)}")
        # The estimator's correlations are gone before those of synthesis are made.
        latent = self.net.gimm.latent(*self.net.flow_estimator.flows(features0.context, features1.context))
        return GIMMMotion(features0, features1, latent, Correlation.of(features0.fmap, features1.fmap))

    def synthesize(self, motion: Motion, t: float) -> Tensor:
        """Motion at t, refined, and both frames merged along it."""
        assert isinstance(motion, GIMMMotion), "our own relate made it"
        image0, image1 = motion.features0.image, motion.features1.image
        image = self.net.synthesis.combined(image0, image1, self._fields(motion, t))
        return self._cropped(image, motion.features0.size).contiguous()

    def explain(self, motion: Motion, t: float) -> Explanation:
        """The means of the three flows and masks."""
        assert isinstance(motion, GIMMMotion), "our own relate made it"
        fields, size = self._fields(motion, t), motion.features0.size
        flows = (flow[:1].unflatten(1, (FLOWS, 2)).mean(1) for flow in (fields.flow0, fields.flow1))
        flow_t0, flow_t1 = (self._cropped(flow, size)[0].float().contiguous() for flow in flows)
        mask = self._cropped(fields.mask[:1].mean(1, keepdim=True), size)[0]
        return Explanation(flow_t0, flow_t1, mask.float().contiguous())

    def _fields(self, motion: GIMMMotion, t: float) -> Fields:
        """At the padded full size."""
        time = self.timestep(t)
        frame0, frame1 = motion.features0.frame, motion.features1.frame
        flow_t = self.net.gimm(motion.latent, time)
        fields: Fields = self.net.synthesis.fields(frame0, frame1, motion.found, flow_t, time)
        small, full = fields.mask.shape[-2:], motion.features0.image.shape[-2:]
        if small == full:
            return fields
        flow0, flow1, mask, residual = (_resized(each, (full[0], full[1])) for each in fields)
        for flow in (flow0, flow1):  # numbers, no tensor of them: nothing may come from the host while work is recorded
            flow[:, 0::2] *= full[1] / small[1]
            flow[:, 1::2] *= full[0] / small[0]
        return Fields(flow0, flow1, mask, residual)

    def _cropped(self, padded: Tensor, size: tuple[int, int]) -> Tensor:
        around = self.padding(*size)
        return padded[..., around.top : around.top + size[0], around.left : around.left + size[1]]


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    if (x.shape[-2], x.shape[-1]) == size:
        return x
    return functional.interpolate(x, size, mode="bilinear", align_corners=False)


def _said(features: GIMMFeatures) -> str:
    return f"{len(features.image)} of {features.size[1]}x{features.size[0]}"
