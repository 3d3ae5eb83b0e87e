"""FILM as the filter sees it: what is kept of a frame, of a pair, and what is made at t."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vsvfi.errors import OptionError, ShapeError
from vsvfi.model import Explanation, Features, Model, ModelSpec, Motion, Source
from vsvfi.padding import Padding
from vsvfi.recursion import Pair, Recursion

from . import checkpoint
from .network import FUSED, LEVELS, pyramid

_MULTIPLE = 1 << (LEVELS - 1)
"""Sides are padded to a multiple of this, as the authors' scripts do: every level then has whole pixels."""


@dataclass(frozen=True)
class FilmFeatures(Features):
    """One frame, padded: 163 full-size channels' worth, 1.3 GB at 1920x1080 in single precision.

    Attributes:
        images: (N, 3, h, w) of the FUSED finest levels, finest first.
        features: (N, 64 to 960, h, w) of all levels, finest first.
        size: (height, width) of the frame before padding.
    """

    images: tuple[Tensor, ...]
    features: tuple[Tensor, ...]
    size: tuple[int, int]


@dataclass(frozen=True)
class FilmMotion(Motion):
    """Two frames and the flow between them.

    Attributes:
        features0, features1: of the frames: the decoder warps them, whatever t is.
        flow01, flow10: (N, 2, h, w) float32 of the FUSED finest levels, in their pixels, finest first.
        token: tells this pair's recursive in-betweens from all others'.
    """

    features0: FilmFeatures
    features1: FilmFeatures
    flow01: tuple[Tensor, ...]
    flow10: tuple[Tensor, ...]
    token: object = field(default_factory=object)


class Film(Model):
    """FILM: large motion from coarse to fine, features shared between scales; warps backward, synthesizes anew.

    It was trained for t = 1/2 alone. By default other times are reached as its authors do, by halving; with
    `recursive=False` the flows are scaled by t, which is exact in time and less tried in quality.
    """

    def __init__(
        self, spec: ModelSpec, device: torch.device, dtype: torch.dtype, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spec, device, dtype)
        self.net = checkpoint.network(weights, device, dtype)
        self.recursion = Recursion(self.where)

    def configured(self, **options: object) -> Film:
        """See Model; `recursive` is True or False."""
        if options.get("recursive", True) not in (True, False):
            raise OptionError(f"recursive must be True or False, got {options['recursive']!r}")
        return super().configured(**options)

    def padding(self, height: int, width: int) -> Padding:
        """Zeros around; the odd row or column goes below and right, as published."""
        return _around(height, width)

    def encode(self, image: Source) -> FilmFeatures:
        """Image pyramid and features of every level."""
        padded = self.padded(image)
        images = pyramid(padded.image.contiguous(memory_format=torch.channels_last))
        return FilmFeatures(tuple(images[:FUSED]), tuple(self.net.extract(images)), padded.size)

    def relate(self, features0: Features, features1: Features) -> FilmMotion:
        """Flow both ways, from the coarsest level to the finest."""
        assert isinstance(features0, FilmFeatures), "our own encode made it"
        assert isinstance(features1, FilmFeatures), "our own encode made it"
        if features0.size != features1.size or len(features0.images[0]) != len(features1.images[0]):
            raise ShapeError(f"two frames of one size are needed, got {_said(features0)} and {_said(features1)}")
        flow01 = self.net.predict_flow(features0.features, features1.features)
        flow10 = self.net.predict_flow(features1.features, features0.features)
        return FilmMotion(features0, features1, tuple(flow01[:FUSED]), tuple(flow10[:FUSED]))

    def replayable(self, t: float) -> bool:
        """Not where frames between are made by way of others, which are kept."""
        return not self.settings["recursive"] or t == 0.5

    @property
    def any_t(self) -> bool:
        """See Model."""
        return not self.settings["recursive"]

    def synthesize(self, motion: Motion, t: float) -> Tensor:
        """Warp both frames' levels to t and decode them; or, by halving, to the middle of ever nearer frames."""
        assert isinstance(motion, FilmMotion), "our own relate made it"
        if self.replayable(t):
            return self.raw(motion, t).clamp_(0, 1)
        return self.halved(motion, t).clamp_(0, 1)

    def halved(self, motion: FilmMotion, t: float) -> Tensor:
        """The image at the sixteenth nearest to t; in-betweens go in as the network gives them, as published."""
        pair = Pair(motion.features0, motion.features1, motion.token)
        return self.recursion.image(self, pair, motion, lambda between: self.raw(between, 0.5), t)

    def raw(self, motion: FilmMotion, t: float) -> Tensor:
        """The image at t as the network gives it: not limited to [0, 1]."""
        frame0, frame1 = motion.features0, motion.features1
        # Flows are scaled in single precision.
        time = self.timestep(t)
        image = self.net.fuse(
            frame0.images, frame0.features, frame1.images, frame1.features, motion.flow01, motion.flow10, time
        )
        return _cropped(image, frame0.size).contiguous()

    def explain(self, motion: Motion, t: float) -> Explanation:
        """The flows of the pair scaled to t, as the decoder takes them. FILM has no mask: both frames count alike."""
        assert isinstance(motion, FilmMotion), "our own relate made it"
        size = motion.features0.size
        flow_t0 = _cropped(motion.flow10[0][0] * t, size).contiguous()
        flow_t1 = _cropped(motion.flow01[0][0] * (1 - t), size).contiguous()
        return Explanation(flow_t0, flow_t1, torch.full_like(flow_t0[:1], 0.5))


def _around(height: int, width: int) -> Padding:
    rows, columns = -height % _MULTIPLE, -width % _MULTIPLE
    return Padding(rows // 2, columns // 2, rows - rows // 2, columns - columns // 2, "constant")


def _cropped(padded: Tensor, size: tuple[int, int]) -> Tensor:
    around = _around(*size)
    return padded[..., around.top : around.top + size[0], around.left : around.left + size[1]]


def _said(features: FilmFeatures) -> str:
    return f"{len(features.images[0])} of {features.size[1]}x{features.size[0]}"
