"""RAFT or FlowFormer by itself: flow between two frames, for whoever wants flow and no frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vsvfi.errors import OptionError, ShapeError
from vsvfi.model import Features, Model, ModelSpec, Motion, Source
from vsvfi.padding import Padding

from . import checkpoint
from .raft import Context

_MULTIPLE = 8
_LEAST = 128
"""Pixels: below, the coarsest of four levels of correlation would be a single place or none."""


@dataclass(frozen=True)
class FlowFeatures(Features):
    """One frame: what the network makes of it padded, and its (height, width) before that."""

    context: Context
    size: tuple[int, int]


@dataclass(frozen=True)
class Flows(Motion):
    """Two frames.

    Attributes:
        flow01: (N, 2, H, W) float32 pixels, u then v: where each pixel of the first is found in the second.
        flow10: the other way.
    """

    flow01: Tensor
    flow10: Tensor


class FlowEstimator(Model):
    """`relate` gives the flows; there are no frames in between."""

    def __init__(
        self, spec: ModelSpec, device: torch.device, dtype: torch.dtype, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spec, device, dtype)
        self.net = checkpoint.estimator(spec, weights, device, dtype)

    def padding(self, height: int, width: int) -> Padding:
        """The edge repeated around, to multiples of 8 and at least 128."""
        rows, columns = (max(_LEAST, -(-side // _MULTIPLE) * _MULTIPLE) - side for side in (height, width))
        return Padding(rows // 2, columns // 2, rows - rows // 2, columns - columns // 2)

    def encode(self, image: Source) -> FlowFeatures:
        """Both encoders."""
        padded = self.padded(image)
        return FlowFeatures(self.net.context(padded.image), padded.size)

    def relate(self, features0: Features, features1: Features) -> Flows:
        """Flow both ways, from one set of correlations."""
        assert isinstance(features0, FlowFeatures), "our own encode made it"
        assert isinstance(features1, FlowFeatures), "our own encode made it"
        if features0.size != features1.size or len(features0.context.fmap) != len(features1.context.fmap):
            raise ShapeError(f"two frames of one size are needed, got {features0.size} and {features1.size}")
        height, width = features0.size
        around = self.padding(height, width)
        inside = (..., slice(around.top, around.top + height), slice(around.left, around.left + width))
        flows = self.net.flows(features0.context, features1.context)
        return Flows(*(flow[inside].contiguous() for flow in flows))

    def synthesize(self, motion: Motion, t: float) -> Tensor:
        """There is nothing to make of flow alone."""
        raise OptionError(f"{self.spec.name} finds flow and makes no images; relate gives its flow01 and flow10")
