"""SDL as the filter sees it: one image or two go in side by side, and nothing is known of one alone.

Only the first convolution is linear in each image, so `encode` pads and no more; `relate` runs the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vsvfi.errors import ShapeError
from vsvfi.model import Features, Image, Model, ModelSpec, Motion

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

    def encode(self, image: Image) -> SDLFeatures:
        """The image, mirrored at its right and lower edge to multiples of 32."""
        assert isinstance(image, Tensor), "layout is rgb"
        size = (image.shape[-2], image.shape[-1])
        return SDLFeatures(_padded(image, self.spec.multiple).contiguous(memory_format=torch.channels_last), size)

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


def _padded(image: Tensor, multiple: int) -> Tensor:
    """The edge itself is repeated: 012 becomes 012 210 012, as published."""
    for dim in (-2, -1):
        length = image.shape[dim]
        if length % multiple:
            place = torch.arange(length + -length % multiple, device=image.device) % (2 * length)
            image = image.index_select(dim, torch.minimum(place, 2 * length - 1 - place))
    return image


def _said(features: SDLFeatures) -> str:
    return f"{len(features.image)} of {features.size[1]}x{features.size[0]}"
