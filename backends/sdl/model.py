"""SDL as the filter sees it: one image or two go in side by side, and nothing is known of one alone.

Only the first convolution is linear in each image, so `encode` pads and no more; `relate` runs the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vsvfi.errors import ShapeError
from vsvfi.model import Features, Model, ModelSpec, Motion, Source
from vsvfi.padding import Padding

from . import checkpoint


@dataclass(frozen=True)
class SDLFeatures(Features):
    """One image.

    Attributes:
        image: (N, 3, h, w), padded.
        size: (height, width) before padding.
    """

    image: Tensor
    size: tuple[int, int]


@dataclass(frozen=True)
class SDLMotion(Motion):
    """What t scales parts of; the network knows no motion in pixels.

    Attributes:
        levels: of the decoder, coarsest first, as SDLNet.relate gives them.
        size: (height, width) before padding.
    """

    levels: tuple[Tensor, ...]
    size: tuple[int, int]


class SDL(Model):
    """Frames, transitions, translations and styles: one network, trained for each; t scales half of its channels.

    The frames themselves are not among its answers: at t = 0 and 1 it is near them, not equal.
    """

    def __init__(
        self, spec: ModelSpec, device: torch.device, dtype: torch.dtype, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spec, device, dtype)
        self.net = checkpoint.network(spec, weights, device, dtype)

    def padding(self, height: int, width: int) -> Padding:
        """To the right and below, the edge itself repeated: 012 becomes 012 210 012, as published."""
        return Padding(0, 0, -height % self.spec.multiple, -width % self.spec.multiple, "symmetric")

    def encode(self, image: Source) -> SDLFeatures:
        """The image, mirrored at its right and lower edge to multiples of 32."""
        padded = self.padded(image)
        return SDLFeatures(padded.image.contiguous(memory_format=torch.channels_last), padded.size)

    def relate(self, features0: Features, features1: Features) -> SDLMotion:
        """The encoder, and of the decoder what does not depend on t; a model of one image reads the first alone."""
        assert isinstance(features0, SDLFeatures), "our own encode made it"
        assert isinstance(features1, SDLFeatures), "our own encode made it"
        images = [features0.image, features1.image][: self.spec.inputs]
        if features0.size != features1.size or len(features0.image) != len(features1.image):
            raise ShapeError(f"two images of one size are needed, got {_said(features0)} and {_said(features1)}")
        joined = torch.cat(images, 1).contiguous(memory_format=torch.channels_last)
        return SDLMotion(self.net.relate(joined), features0.size)

    @property
    def any_t(self) -> bool:
        """See Model."""
        return True

    def synthesize(self, motion: Motion, t: float) -> Tensor:
        """The rest of the decoder, and the grid."""
        assert isinstance(motion, SDLMotion), "our own relate made it"
        time = self.timestep(t)
        height, width = motion.size
        return self.net.synthesize(motion.levels, time)[..., :height, :width].clamp(0, 1).contiguous()


def _said(features: SDLFeatures) -> str:
    return f"{len(features.image)} of {features.size[1]}x{features.size[0]}"
