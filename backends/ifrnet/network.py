"""IFRNet's layers under the published key names, and how they run: encoders once a pair, decoders once an in-between.

Source: Kong et al., IFRNet: Intermediate Feature Refine Network for Efficient Frame Interpolation, CVPR 2022.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vsvfi.ops.backward_warp import backward_warp
from vsvfi.ops.residual import SideResidual, activated


class Size(NamedTuple):
    """What tells the sizes of the network apart.

    Attributes:
        channels: of the features at 1/2, 1/4, 1/8 and 1/16.
        side: channels of a residual block that its inner layers work on alone.
        kernel: side of the first convolution.
    """

    channels: tuple[int, int, int, int]
    side: int
    kernel: int


SIZES = {
    "s": Size((24, 36, 54, 72), 24, 3),
    "base": Size((32, 48, 72, 96), 32, 3),
    "l": Size((64, 96, 144, 192), 64, 7),
}


class Made(NamedTuple):
    """What the decoders say of the frame at t, at the size of the network's inputs; all (N, C, h, w).

    Attributes:
        flow_t0, flow_t1: float32 pixels: where the frame at t looks back into the frames.
        mask: weight of frame 0, in (0, 1).
        residual: added to the blend.
    """

    flow_t0: Tensor
    flow_t1: Tensor
    mask: Tensor
    residual: Tensor


class IFRNet(nn.Module):
    """A shared encoder, and four decoders from coarse to fine that refine flows and a feature of the frame at t."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        c1, c2, c3, c4 = size.channels
        self.encoder = Encoder(size)
        self.decoder4 = Decoder(2 * c4 + 1, 2 * c4, c3 + 4, size.side)
        self.decoder3 = Decoder(3 * c3 + 4, 3 * c3, c2 + 4, size.side)
        self.decoder2 = Decoder(3 * c2 + 4, 3 * c2, c1 + 4, size.side)
        self.decoder1 = Decoder(3 * c1 + 4, 3 * c1, 8, size.side)

    def encode(self, images: Tensor) -> list[Tensor]:
        """Features of images less their mean, finest first; (N, 3, h, w), sides multiples of 16."""
        return self.encoder(images)  # type: ignore[no-any-return]

    def decode(self, features0: list[Tensor], features1: list[Tensor], t: Tensor) -> Made:
        """Flows, mask and residual of the frame at t, a scalar tensor."""
        coarse = features0[3]
        time = t.to(coarse.dtype).expand(len(coarse), 1, *coarse.shape[-2:])
        out = self.decoder4(torch.cat([coarse, features1[3], time], 1))
        flows = out[:, :4].float()
        for level, decoder in ((2, self.decoder3), (1, self.decoder2), (0, self.decoder1)):
            warped0 = backward_warp(features0[level], flows[:, :2])
            warped1 = backward_warp(features1[level], flows[:, 2:])
            out = decoder(torch.cat([out[:, 4:], warped0, warped1, flows.to(out.dtype)], 1))
            flows = out[:, :4].float() + 2 * resized(flows, (flows.shape[-2] * 2, flows.shape[-1] * 2))
        return Made(flows[:, :2], flows[:, 2:], torch.sigmoid(out[:, 4:5]), out[:, 5:8])


class Encoder(nn.Module):
    """Features at 1/2, 1/4, 1/8 and 1/16."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        inputs = (3, *size.channels[:3])
        for k, (i, o) in enumerate(zip(inputs, size.channels, strict=True), 1):
            kernel = size.kernel if k == 1 else 3
            self.add_module(f"pyramid{k}", nn.Sequential(activated(i, o, kernel, stride=2), activated(o, o)))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Finest first."""
        out = []
        for pyramid in self.children():
            images = pyramid(images)
            out.append(images)
        return out


class Decoder(nn.Module):
    """One level: doubles the size of what it is given."""

    def __init__(self, inputs: int, middle: int, outputs: int, side: int) -> None:
        super().__init__()
        self.convblock = nn.Sequential(
            activated(inputs, middle), SideResidual(middle, side), nn.ConvTranspose2d(middle, outputs, 4, 2, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, outputs, 2h, 2w)."""
        return self.convblock(x)  # type: ignore[no-any-return]


def rescaled(made: Made, size: tuple[int, int], factor: float) -> Made:
    """To `size`, flows in its pixels."""
    flow_t0, flow_t1, mask, residual = (resized(each, size) for each in made)
    return Made(flow_t0 * factor, flow_t1 * factor, mask, residual)


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, pixels as areas; unchanged at the same size."""
    if (x.shape[-2], x.shape[-1]) == size:
        return x
    return functional.interpolate(x, size, mode="bilinear", align_corners=False)
