"""UPR-Net as the filter sees it: how many levels, what is kept of a frame and of a pair, and what is made at t."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from vsvfi.errors import OptionError, ShapeError
from vsvfi.model import Explanation, Features, Model, ModelSpec, Motion, Source
from vsvfi.ops.splat import splat
from vsvfi.padding import Padding

from . import checkpoint
from .network import enlarged, running

_MOST = 10
"""Levels at most: the coarsest of a picture of 57344 pixels."""


@dataclass(frozen=True)
class UPRLevel:
    """One level of a frame.

    Attributes:
        full: (N, 3 + C0, h, w), the picture and its features.
        half: (N, C1, h / 2, w / 2).
        quarter: (N, C2, h / 4, w / 4), in the precision of the search for motion.
    """

    full: Tensor
    half: Tensor
    quarter: Tensor


@dataclass(frozen=True)
class UPRFeatures(Features):
    """One frame, padded.

    Attributes:
        levels: those that run, coarsest first.
        plan: (levels, skipped levels).
        size: (height, width) before padding.
    """

    levels: tuple[UPRLevel, ...]
    plan: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True)
class UPRMotion(Motion):
    """Two frames and the flow between them.

    Attributes:
        features0, features1: of the frames: synthesis moves them, whatever t is.
        flows: of each level, coarsest first: (N, 4, h / 4, w / 4) float32, flow01 and flow10 in pixels of the level.
    """

    features0: UPRFeatures
    features1: UPRFeatures
    flows: tuple[Tensor, ...]


class UPRNet(Model):
    """UPR-Net: a recurrent pyramid; on every level both frames are splatted to t, and the coarser picture refined."""

    def __init__(
        self, spec: ModelSpec, device: torch.device, dtype: torch.dtype, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spec, device, dtype)
        # bfloat16 is too coarse to find motion with: what flow comes from stays in single precision.
        self._search = torch.float32 if dtype == torch.bfloat16 else dtype
        self.net = checkpoint.network(spec.variant, weights, device, dtype, self._search)

    def configured(self, **options: Any) -> Self:
        """The same model with other option values.

        Args:
            options: `levels`, from 1: more of them find larger motion; None: by the longer side. `skipped_levels`: so
                many of the finest levels find no motion of their own, which is faster, and better where motion is
                very large; None: 0.

        Raises:
            OptionError: an option the model does not have, or a value that is no number of levels.
        """
        other = super().configured(**options)
        levels, skipped = other.settings["levels"], other.settings["skipped_levels"]
        for name, value, least in (("levels", levels, 1), ("skipped_levels", skipped, 0)):
            if value is not None and (type(value) is not int or not least <= value <= _MOST):
                raise OptionError(f"{name} must be a whole number from {least} to {_MOST}, or None, got {value!r}")
        if levels is not None and skipped is not None and skipped > levels:
            raise OptionError(f"skipped_levels must be at most levels, got {skipped} of {levels}")
        return other

    def plan(self, height: int, width: int) -> tuple[int, int]:
        """(levels, skipped levels) for frames of this size, by the options, else by the published rule.

        The rule: 3 levels up to 448 pixels, one more each time that doubles. Published it sees the width alone, which
        gives upright video too few; here the longer side counts.
        """
        levels, skipped = self.settings["levels"], self.settings["skipped_levels"] or 0
        if levels is None:
            levels = _levels(max(height, width))
        return levels, min(skipped, levels)

    def padding(self, height: int, width: int) -> Padding:
        """Grey to the right and below, so that every level has whole quarters."""
        multiple = 2 << self.plan(height, width)[0]
        return Padding(0, 0, -height % multiple, -width % multiple, "constant", 0.5)

    def encode(self, image: Source) -> UPRFeatures:
        """The frame at every level's size, and its features there."""
        padded = self.padded(image)
        plan = self.plan(*padded.size)
        picture = padded.image.to(self._search)
        images = (_shrunk(picture, k).contiguous(memory_format=torch.channels_last) for k in running(*plan))
        return UPRFeatures(tuple(map(self._level, images)), plan, padded.size)

    def relate(self, features0: Features, features1: Features) -> UPRMotion:
        """Flow both ways, from the coarsest level to the finest that is not skipped."""
        assert isinstance(features0, UPRFeatures), "our own encode made it"
        assert isinstance(features1, UPRFeatures), "our own encode made it"
        if _kind(features0) != _kind(features1):
            raise ShapeError(f"two frames of one size are needed, got {_said(features0)} and {_said(features1)}")
        quarters0, quarters1 = ([level.quarter for level in f.levels] for f in (features0, features1))
        return UPRMotion(features0, features1, self.net.flows(quarters0, quarters1, *features0.plan))

    def synthesize(self, motion: Motion, t: float) -> Tensor:
        """Every level's picture, from the coarsest to the finest."""
        assert isinstance(motion, UPRMotion), "our own relate made it"
        return self._made(motion, t)[0].contiguous()

    @property
    def any_t(self) -> bool:
        """See Model."""
        return True

    def explain(self, motion: Motion, t: float) -> Explanation:
        """The share of frame 0 in the blend; the way back along which each pixel came, 0 where none came."""
        assert isinstance(motion, UPRMotion), "our own relate made it"
        height, width = motion.features0.size
        share = self._made(motion, t)[1]
        flow01, flow10 = enlarged(motion.flows[-1][:1], 4).chunk(2, 1)
        flow_t0, flow_t1 = splat(-t * flow01, t * flow01), splat(-(1 - t) * flow10, (1 - t) * flow10)
        return Explanation(*(part[0, :, :height, :width].contiguous() for part in (flow_t0, flow_t1, share)))

    def _level(self, image: Tensor) -> UPRLevel:
        full, half, quarter = self.net.feat_pyramid(image)
        return UPRLevel(torch.cat([image, full], 1).to(self.dtype), half.to(self.dtype), quarter)

    def _made(self, motion: UPRMotion, t: float) -> tuple[Tensor, Tensor]:
        """The picture and the share of frame 0, both without the padding."""
        time = self.timestep(t)
        levels0, levels1 = (
            [(level.full, level.half, level.quarter) for level in features.levels]
            for features in (motion.features0, motion.features1)
        )
        picture, share = self.net.picture(levels0, levels1, motion.flows, time)
        height, width = motion.features0.size
        return picture[..., :height, :width], share[..., :height, :width]


def _levels(side: int) -> int:
    """ceil(log2(side / 448) + 3), and 1 where that is less."""
    return max(1, (8 * side - 1) // 448).bit_length()


def _shrunk(image: Tensor, k: int) -> Tensor:
    """By 2^k, from the mean of the middle 2x2 pixels: bilinear without a filter, as published."""
    return enlarged(image, 0.5**k) if k else image


def _kind(features: UPRFeatures) -> tuple[object, ...]:
    return len(features.levels[-1].full), features.size, features.plan


def _said(features: UPRFeatures) -> str:
    height, width = features.size
    return f"{len(features.levels[-1].full)} of {width}x{height} on {features.plan[0]} levels"
