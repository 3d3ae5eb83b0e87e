"""IFRNet as the filter sees it: what is kept of a frame, of a pair, and what is made at t.

The network subtracts the mean of both frames, so its encoders depend on the pair: they run in `relate`, and `encode`
only pads. Everything behind them depends on t.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from vsvfi.errors import OptionError, ShapeError
from vsvfi.model import Explanation, Features, Model, ModelSpec, Motion, Source
from vsvfi.ops.warp_blend import warp_blend
from vsvfi.padding import Padding
from vsvfi.recursion import Pair, Recursion

from . import checkpoint
from .network import Made, rescaled, resized


@dataclass(frozen=True)
class IFRNetFeatures(Features):
    """One frame.

    Attributes:
        image: (N, 3, h, w), padded.
        size: (height, width) before padding.
    """

    image: Tensor
    size: tuple[int, int]


@dataclass(frozen=True)
class IFRNetMotion(Motion):
    """Two frames and what the encoders make of them; the flows follow from t.

    Attributes:
        pair: of their IFRNetFeatures.
        features0, features1: at 1/2, 1/4, 1/8 and 1/16 of the scaled size.
    """

    pair: Pair
    features0: tuple[Tensor, ...]
    features1: tuple[Tensor, ...]


class IFRNet(Model):
    """Backward warping along flows that are refined together with a feature of the frame at t."""

    def __init__(
        self, spec: ModelSpec, device: torch.device, dtype: torch.dtype, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spec, device, dtype)
        self.net = checkpoint.network(spec, weights, device, dtype)
        self.middle_only = checkpoint.ignores_t(weights)
        self.recursion = Recursion(self.where)

    def configured(self, **options: object) -> IFRNet:
        """See Model; `recursive` is None (as the weights want it), True or False."""
        if options.get("recursive") not in (None, True, False):
            raise OptionError(f"recursive must be None, True or False, got {options['recursive']!r}")
        return super().configured(**options)

    def encode(self, image: Source) -> IFRNetFeatures:
        """The frame, padded by its edge so that its scaled sides are multiples of 16."""
        padded = self.padded(image)
        return IFRNetFeatures(padded.image.contiguous(memory_format=torch.channels_last), padded.size)

    def relate(self, features0: Features, features1: Features) -> IFRNetMotion:
        """Their features, less the mean of both."""
        assert isinstance(features0, IFRNetFeatures), "our own encode made it"
        assert isinstance(features1, IFRNetFeatures), "our own encode made it"
        if features0.size != features1.size or len(features0.image) != len(features1.image):
            raise ShapeError(f"two frames of one size are needed, got {_said(features0)} and {_said(features1)}")
        both = torch.cat([features0.image, features1.image])
        means = both.mean((1, 2, 3), keepdim=True, dtype=torch.float32)
        mean = (means[: len(features0.image)] + means[len(features0.image) :]) / 2
        inputs = resized(both - torch.cat([mean, mean]).to(both.dtype), self._scaled(both))
        features = self.net.encode(inputs)
        halves = [each.chunk(2) for each in features]
        return IFRNetMotion(
            Pair(features0, features1), tuple(half[0] for half in halves), tuple(half[1] for half in halves)
        )

    def synthesize(self, motion: Motion, t: float) -> Tensor:
        """Flows, mask and residual at t, and both frames warped and blended by them."""
        assert isinstance(motion, IFRNetMotion), "our own relate made it"
        if not self.replayable(t):
            return self.recursion.image(self, motion.pair, motion, self._middle, t)
        return self.direct(motion, t)

    def replayable(self, t: float) -> bool:
        """Not where frames between are made by way of others, which are kept."""
        return not self.recursive or t == 0.5

    @property
    def any_t(self) -> bool:
        """See Model."""
        return not self.recursive

    @property
    def recursive(self) -> bool:
        """Whether t other than 1/2 is reached by halving: as `recursive` says, else where the weights ignore t."""
        asked = self.settings["recursive"]
        return self.middle_only if asked is None else bool(asked)

    def direct(self, motion: IFRNetMotion, t: float) -> Tensor:
        """The network's own answer for t."""
        frame0, frame1 = _frames(motion)
        # As published less the frames' mean, and then it is added again: for a warp that reads inside the frame only,
        # that changes nothing.
        image = warp_blend(frame0.image, frame1.image, *self.made(motion, t))
        return self._cropped(image, frame0.size).contiguous()

    def made(self, motion: IFRNetMotion, t: float) -> Made:
        """What the decoders say of t, at the padded size."""
        frame0, _ = _frames(motion)
        time = self.timestep(t)
        made = self.net.decode(list(motion.features0), list(motion.features1), time)
        size = (frame0.image.shape[-2], frame0.image.shape[-1])
        return rescaled(made, size, 1 / float(self._scale))

    def explain(self, motion: Motion, t: float) -> Explanation:
        """Flows and mask of the decoders; of weights that know the middle only, its flows scaled to t."""
        assert isinstance(motion, IFRNetMotion), "our own relate made it"
        frame0, _ = _frames(motion)
        made = self.made(motion, 0.5 if self.recursive else t)
        early, late = (2 * t, 2 * (1 - t)) if self.recursive else (1.0, 1.0)
        flow_t0, flow_t1, mask = (self._cropped(each[0], frame0.size) for each in made[:3])
        return Explanation((flow_t0 * early).contiguous(), (flow_t1 * late).contiguous(), mask.float().contiguous())

    def _middle(self, motion: IFRNetMotion) -> Tensor:
        return self.direct(motion, 0.5)

    @property
    def _scale(self) -> Fraction:
        return Fraction(self.settings["scale"]).limit_denominator(16)

    def _scaled(self, image: Tensor) -> tuple[int, int]:
        return int(image.shape[-2] * self._scale), int(image.shape[-1] * self._scale)

    def padding(self, height: int, width: int) -> Padding:
        """Rows and columns around; the odd one goes below and right, as published."""
        # Sides times the scale are to be multiples of 16.
        multiple = 16 * self._scale.denominator // math.gcd(16, self._scale.numerator)
        rows, columns = -height % multiple, -width % multiple
        return Padding(rows // 2, columns // 2, rows - rows // 2, columns - columns // 2)

    def _cropped(self, padded: Tensor, size: tuple[int, int]) -> Tensor:
        around = self.padding(*size)
        return padded[..., around.top : around.top + size[0], around.left : around.left + size[1]]


def _frames(motion: IFRNetMotion) -> tuple[IFRNetFeatures, IFRNetFeatures]:
    frame0, frame1 = motion.pair.features0, motion.pair.features1
    assert isinstance(frame0, IFRNetFeatures), "our own relate made it"
    assert isinstance(frame1, IFRNetFeatures), "our own relate made it"
    return frame0, frame1


def _said(features: IFRNetFeatures) -> str:
    return f"{len(features.image)} of {features.size[1]}x{features.size[0]}"
