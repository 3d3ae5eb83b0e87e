"""Flows refined at 1/4 and full size, three pairs of them, and both frames warped and merged: AMT-G's decoders, deeper.

Source: Li et al., AMT: All-Pairs Multi-Field Transforms for Efficient Frame Interpolation, CVPR 2023, section 3; Guo et
al., Generalizable Implicit Motion Modeling, NeurIPS 2024, appendix.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vsvfi.ops.backward_warp import backward_warp
from vsvfi.ops.prelu import PReLU
from vsvfi.ops.residual import SideResidual, activated

from .raft import Correlation, grid

FLOWS = 3
"""Pairs of flows that are merged."""

_NEAREST = 1e-3
"""t is kept this far from 0 and 1 where it divides: what is looked up there would be infinitely far away."""


class Fields(NamedTuple):
    """What the frame at t is made of, at the small size.

    Attributes:
        flow0, flow1: (N, 6, h, w) float32 pixels, where it looks back into the frames, three times.
        mask: (N, 3, h, w), the share of frame 0 in each.
        residual: (N, 9, h, w), added to each.
    """

    flow0: Tensor
    flow1: Tensor
    mask: Tensor
    residual: Tensor


class Frame(NamedTuple):
    """What synthesis needs of one frame.

    Attributes:
        image: (N, 3, h, w) in [-1, 1].
        quarter: (N, 128, h/4, w/4) for the first decoder.
        full: (N, 64, h, w) for the last.
    """

    image: Tensor
    quarter: Tensor
    full: Tensor


class Synthesis(nn.Module):
    """The decoders, in the order in which they run; keys begin with amt_."""

    def __init__(self) -> None:
        super().__init__()
        self.amt_init_decoder = Decoder(64, 64, 1, 272, 128, 1, 133)
        self.amt_final_decoder = Decoder(8, 32, 2, 273, 256, 3, 24)
        self.amt_update4_low = Update()
        self.amt_update4_high = Update()
        self.amt_comb_block = nn.Sequential(nn.Conv2d(9, 18, 7, 1, 3), PReLU(18), nn.Conv2d(18, 3, 7, 1, 3))

    def fields(self, frame0: Frame, frame1: Frame, found: Correlation, flow_t: Tensor, t: Tensor) -> Fields:
        """Everything at the small size.

        Args:
            frame0: the earlier frame.
            frame1: the later one.
            found: correlations between them at 1/8.
            flow_t: (N, 2, h, w), the motion of the whole interval at the pixels of the frame at t.
            t: timestep.
        """
        whole = -t * flow_t, (1 - t) * flow_t
        flow0, flow1 = (resized(each, 0.25) * 0.25 for each in whole)
        small0, small1 = resized(frame0.image, 0.25), resized(frame1.image, 0.25)
        made = self.amt_init_decoder.made(
            joined(
                backward_warp(frame0.quarter, flow0), backward_warp(frame1.quarter, flow1), flow0, flow1, small0,
                small1, backward_warp(small0, flow0), backward_warp(small1, flow1),
            )
        )  # fmt: skip
        moves, mask, feature = made.split([4, 1, 128], 1)
        flow = torch.cat([flow0, flow1], 1) + moves
        seen = looked_up(found, flow, t)
        change, moves = self.amt_update4_low(resized(feature, 0.5), resized(flow, 0.5) * 0.5, seen)
        feature, flow = feature + resized(change, 2), flow + resized(moves, 2) * 2
        change, moves = self.amt_update4_high(feature, flow, resized(seen, 2))
        return self.final(frame0, frame1, feature + change, flow + moves, mask)

    def final(self, frame0: Frame, frame1: Frame, feature: Tensor, flow: Tensor, mask: Tensor) -> Fields:
        """From 1/4 to the small size, and to three pairs."""
        flow0, flow1 = (resized(flow, 4) * 4).chunk(2, 1)
        mask = resized(mask, 4)
        made = self.amt_final_decoder.made(
            joined(
                resized(feature, 4), backward_warp(frame0.full, flow0), backward_warp(frame1.full, flow1), flow0, flow1,
                mask, frame0.image, frame1.image, backward_warp(frame0.image, flow0),
                backward_warp(frame1.image, flow1),
            )
        )  # fmt: skip
        moves0, moves1, shares, residual = made.split([2 * FLOWS, 2 * FLOWS, FLOWS, 3 * FLOWS], 1)
        repeated = flow0.repeat(1, FLOWS, 1, 1) + moves0, flow1.repeat(1, FLOWS, 1, 1) + moves1
        return Fields(*repeated, (shares + mask).sigmoid(), residual)

    def combined(self, image0: Tensor, image1: Tensor, fields: Fields) -> Tensor:
        """(N, 3, H, W) in [0, 1], of images in [-1, 1] and fields of their size."""
        made = []
        for k in range(FLOWS):
            flow0, flow1 = (flow[:, 2 * k : 2 * k + 2] for flow in (fields.flow0, fields.flow1))
            share, rest = fields.mask[:, k : k + 1], fields.residual[:, 3 * k : 3 * k + 3]
            warped0, warped1 = backward_warp(image0, flow0), backward_warp(image1, flow1)
            made.append(torch.lerp(warped1, warped0, share) + rest)
        del fields, flow0, flow1, share, rest, warped0, warped1  # half a gigabyte at 4096x2160
        x = torch.cat(made, 1)
        merged = sum(made[1:], made[0]) / FLOWS
        del made
        for layer in self.amt_comb_block:
            x = layer(x)
        image: Tensor = ((merged + x + 1) / 2).clamp(0, 1)
        return image


def looked_up(found: Correlation, flow: Tensor, t: Tensor) -> Tensor:
    """(N, 648, h/8, w/8): what lies where the flows at 1/4, drawn out over the interval, lead to."""
    flow0, flow1 = (resized(flow, 0.5) * 0.5).chunk(2, 1)
    n, _, h, w = flow0.shape
    start, t = grid(n, h, w, flow0), t.clamp(_NEAREST, 1 - _NEAREST)
    return torch.cat([found.at(start + flow1 / (1 - t)), found.at(start + flow0 / t, back=True)], 1)


def joined(feature: Tensor, *others: Tensor) -> Tensor:
    """Channels side by side in the precision of the first: flows are float32 throughout."""
    return torch.cat([feature, *(each.to(feature.dtype) for each in others)], 1)


def resized(x: Tensor, factor: float) -> Tensor:
    """Bilinear, pixels as areas."""
    size = [int(length * factor) for length in x.shape[-2:]]
    return functional.interpolate(x, size, mode="bilinear", align_corners=False)


class Decoder(nn.Module):
    """A frame's features enlarged (`upsample`, of one frame alone), and a trunk of residual blocks (`convblock`)."""

    def __init__(
        self, inputs: int, middle: int, doublings: int, joined: int, trunk: int, first: int, outputs: int
    ) -> None:
        super().__init__()
        self.upsample = nn.Sequential(
            *(nn.PixelShuffle(2) for _ in range(doublings)),
            activated(inputs, middle, 5),
            *(activated(middle, middle) for _ in range(3)),
            activated(middle, 2 * middle),
            nn.Conv2d(2 * middle, 2 * middle, 1),
            nn.BatchNorm2d(2 * middle),
            nn.ReLU(),
        )
        self.convblock = nn.Sequential(
            activated(joined, trunk, first),
            *(SideResidual(trunk, 64) for _ in range(3)),
            nn.Conv2d(trunk, outputs, 3, 1, 1),
        )

    def made(self, x: Tensor) -> Tensor:
        """The trunk. Layer by layer: called as a module, it would hold what went in to the end, 1 GB at 1280x720."""
        for layer in self.convblock:
            x = layer(x)
        return x


class Update(nn.Module):
    """What was looked up, flows and feature give a change of both."""

    def __init__(self) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(648, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, 1, 1)
        self.convf1 = nn.Conv2d(4, 128, 7, 1, 3)
        self.convf2 = nn.Conv2d(128, 64, 3, 1, 1)
        self.conv = nn.Conv2d(256, 188, 3, 1, 1)
        self.gru = _two(320, 192, 192)
        self.feat_head = _two(192, 192, 128)
        self.flow_head = _two(192, 192, 4)

    def forward(self, feature: Tensor, flow: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 128, h, w) and (N, 4, h, w)."""
        seen = _leaky(self.convc2(_leaky(self.convc1(seen))))
        flow = flow.to(feature.dtype)
        moved = _leaky(self.convf2(_leaky(self.convf1(flow))))
        both = _leaky(self.conv(torch.cat([seen, moved], 1)))
        state = self.gru(torch.cat([both, flow, feature], 1))
        return self.feat_head(state), self.flow_head(state)


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.1)


def _two(inputs: int, middle: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, middle, 3, 1, 1), nn.LeakyReLU(0.1), nn.Conv2d(middle, outputs, 3, 1, 1))
