"""UPR-Net's three parts, under the published key names, and how they go through the levels of the pyramid.

Sizes are even all the way down: model.py pads. What is kept between the parts' calls stands there too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vsvfi.ops.correlation import local_cost
from vsvfi.ops.splat import splat

from .strips import in_strips

type Levels = Sequence[Sequence[Tensor]]
type Parts = tuple[Tensor, ...]

RADIUS = 4
"""Of the cost volume, in quarter pixels."""

WIDTHS = {"base": 2, "large": 3, "llarge": 4}
"""Variant -> how wide it is, in halves of the base model."""


class UPRNet(nn.Module):
    """One level's network, the same for all levels; 80 tensors.

    Args:
        width: from WIDTHS.

    Source: Jin et al., A Unified Pyramid Recurrent Network for Video Frame Interpolation, CVPR 2023.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.feat_pyramid = FeaturePyramid(width)
        self.motion_estimator = MotionEstimator(width)
        self.synthesis_network = Synthesis(width)

    def flows(
        self, quarters0: Sequence[Tensor], quarters1: Sequence[Tensor], levels: int, skipped: int
    ) -> tuple[Tensor, ...]:
        """Flow of every level that runs, each in pixels of its level though on a quarter of its grid.

        Args:
            quarters0: the quarter-size features of frame 0, of the levels that run, coarsest first.
            quarters1: the same of frame 1.
            levels: of the pyramid.
            skipped: its finest levels that find no motion; what was found before is enlarged for the finest.

        Returns:
            (N, 4, h, w) float32, flow01 and flow10, in the order of the features.
        """
        flow = torch.zeros_like(quarters0[0][:, :4], dtype=torch.float32)
        feature = torch.zeros_like(quarters0[0])
        found: list[Tensor] = []
        for k, quarter0, quarter1 in zip(running(levels, skipped), quarters0, quarters1, strict=True):
            step = quarter0.shape[-1] // flow.shape[-1]
            if step > 1:
                # The feature is doubled as the flow is: the weights were trained so.
                flow, feature = enlarged(flow, step) * step, enlarged(feature, step) * step
            if k or not skipped or levels == 1:
                flow, feature = self.motion_estimator(quarter0, quarter1, feature, flow)
            found.append(flow)
        return tuple(found)

    def picture(self, levels0: Levels, levels1: Levels, flows: Sequence[Tensor], t: Tensor) -> tuple[Tensor, Tensor]:
        """The picture at t and the share of frame 0 in its blend.

        Args:
            levels0: of frame 0, of each level that runs, coarsest first: (N, 3 + C0, H, W) the picture and its
                features, and the features at half and at quarter size.
            levels1: the same of frame 1.
            flows: as `flows` gives them.
            t: 0 < t < 1, one element, float32.

        Returns:
            (N, 3, H, W) in the dtype of synthesis, in [0, 1], and (N, 1, H, W) float32.
        """
        made = share = None
        for level0, level1, flow in zip(levels0, levels1, flows, strict=True):
            if made is not None:
                made = enlarged(made, level0[0].shape[-1] // made.shape[-1])
            made, share = self.synthesis_network(level0, level1, flow, made, t)
        assert made is not None, "the finest level always runs"
        assert share is not None, "the finest level always runs"
        return made, share


class FeaturePyramid(nn.Module):
    """Features of one frame at full, half and quarter size of its level."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = 8 * width
        self.conv_stage0 = _stage(3, 8 * width, 1)
        self.conv_stage1 = _stage(8 * width, 16 * width, 2)
        self.conv_stage2 = _stage(16 * width, 32 * width, 2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 8 to 32 times width, h, w) of the three sizes; the image's sides are multiples of 4."""
        (full,) = in_strips(_alone(self.conv_stage0), [image], overlap=4, channels=self.width)
        (half,) = in_strips(_alone(self.conv_stage1), [full], overlap=4, channels=self.width, align=2)
        (quarter,) = in_strips(_alone(self.conv_stage2), [half], overlap=4, channels=2 * self.width, align=2)
        return full, half, quarter


class MotionEstimator(nn.Module):
    """Flow both ways from the features at quarter size and from what the coarser level found."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inputs = (2 * RADIUS + 1) ** 2 + 3 * 32 * width + 4
        widths = [part * width for part in (80, 64, 56, 48, 32)]
        self.conv_layer1 = _leaky(inputs, widths[0], 1)
        self.conv_layer2 = _leaky(widths[0], widths[1])
        self.conv_layer3 = _leaky(widths[1], widths[2])
        self.conv_layer4 = _leaky(widths[2], widths[3])
        self.conv_layer5 = _leaky(widths[3], widths[4])
        self.conv_layer6 = nn.Sequential(nn.Conv2d(widths[4], 4, 3, padding=1))

    def forward(self, features0: Tensor, features1: Tensor, feature: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """This level's flow and feature; the flow is found anew, not corrected.

        Args:
            features0: (N, C, h, w), quarter size.
            features1: the same shape.
            feature: (N, C, h, w), the coarser level's, resized.
            flow: (N, 4, h, w) float32: flow01 and flow10, pixels of the level though on a quarter of its grid.

        Returns:
            (flow, feature), shaped as those given.
        """
        # Half-way for both frames, whatever t is to be: 0.25 to the quarter grid, times 1/2.
        middle0, middle1 = splat(features0, flow[:, :2] * 0.125), splat(features1, flow[:, 2:] * 0.125)
        cost = functional.leaky_relu(local_cost(middle0, middle1, RADIUS), 0.1)
        net = torch.cat([cost, middle0, middle1, feature, flow.to(feature.dtype)], 1)
        net = self.conv_layer2(self.conv_layer1(net))
        net = self.conv_layer5(self.conv_layer4(self.conv_layer3(net)))
        return self.conv_layer6(net).to(torch.float32), net


class Synthesis(nn.Module):
    """A small U-Net that makes the level's picture from both frames and features, moved to t."""

    def __init__(self, width: int) -> None:
        super().__init__()
        c0, c1, c2 = 8 * width, 16 * width, 32 * width
        a, b, c = 16 * width, 32 * width, 64 * width
        self.widths = a, b, c
        self.encoder_conv = _steps(nn.Conv2d(19, a, 3, padding=1), a)
        self.encoder_down1 = _steps(nn.Conv2d(a + 2 * c0, b, 3, 2, 1), b, more=2)
        self.encoder_down2 = _steps(nn.Conv2d(b + 2 * c1, c, 3, 2, 1), c, more=2)
        self.decoder_up1 = _steps(nn.ConvTranspose2d(c + 2 * c2, b, 4, 2, 1), b)
        self.decoder_up2 = _steps(nn.ConvTranspose2d(b + b, a, 4, 2, 1), a)
        self.decoder_conv = _steps(nn.Conv2d(a + a, a, 3, padding=1), a)
        self.pred = nn.Conv2d(a, 5, 3, padding=1)

    def forward(
        self,
        level0: Sequence[Tensor],
        level1: Sequence[Tensor],
        flow: Tensor,
        coarse: Tensor | None,
        t: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The level's picture at t, in [0, 1].

        Args:
            level0: of frame 0, as UPRNet.picture takes it.
            level1: of frame 1.
            flow: (N, 4, H / 4, W / 4) float32, as MotionEstimator gives it.
            coarse: the coarser level's picture, resized to (N, 3, H, W); None on the coarsest.
            t: 0 < t < 1, one element, float32.

        Returns:
            (N, 3, H, W) and (N, 1, H, W) float32, the share of frame 0 in the blend.
        """
        dtype = level0[0].dtype
        flow01, flow10 = enlarged(flow, 4).chunk(2, 1)
        ways = [flow01 * t, flow10 * (1 - t)]
        sides = []
        for level, way in ((level0, ways[0]), (level1, ways[1])):
            moved = []
            for source in level:
                moved.append(splat(source, way).to(dtype))
                way = enlarged(way, 0.5) * 0.5
            sides.append(moved)
        (full0, half0, quarter0), (full1, half1, quarter1) = sides
        if coarse is None:
            coarse = (full0[:, :3] * (1 - t) + full1[:, :3] * t).to(dtype)
        a, b, c = self.widths
        (s0,) = in_strips(self._encode, [coarse, full0, full1, level0[0], level1[0], *ways], overlap=2, channels=a)
        (s1,) = in_strips(self._first, [s0, full0, full1], overlap=3, channels=2 * a, align=2)
        (s2,) = in_strips(_joined(self.encoder_down2), [s1, half0, half1], overlap=3, channels=2 * b, align=2)
        (up,) = in_strips(_joined(self.decoder_up1), [s2, quarter0, quarter1], overlap=2, channels=2 * c)
        finish = functools.partial(self._finish, t=t)
        picture, share = in_strips(finish, [up, s1, s0, full0, full1], overlap=3, channels=2 * a)
        return picture, share

    def _encode(self, coarse: Tensor, full0: Tensor, full1: Tensor, own0: Tensor, own1: Tensor, *ways: Tensor) -> Parts:
        pictures = [part[:, :3] for part in (full0, full1, own0, own1)]
        return (self.encoder_conv(torch.cat([coarse, *pictures, *(way.to(coarse.dtype) for way in ways)], 1)),)

    def _first(self, s0: Tensor, full0: Tensor, full1: Tensor) -> Parts:
        return (self.encoder_down1(torch.cat([s0, full0[:, 3:], full1[:, 3:]], 1)),)

    def _finish(self, up: Tensor, s1: Tensor, s0: Tensor, full0: Tensor, full1: Tensor, t: Tensor) -> Parts:
        net = self.decoder_up2(torch.cat([up, s1], 1))
        net = self.decoder_conv(torch.cat([net, s0], 1))
        return _blend(self.pred(net).to(torch.float32), full0[:, :3], full1[:, :3], t)


def running(levels: int, skipped: int) -> list[int]:
    """Numbers of the levels that run, coarsest first: all but the skipped, and always the finest, 0."""
    return [*range(levels - 1, max(skipped, 1) - 1, -1), 0]


def enlarged(image: Tensor, by: float) -> Tensor:
    """Bilinear, by a power of two; values stay."""
    return functional.interpolate(image, scale_factor=float(by), mode="bilinear", align_corners=False)


def _blend(made: Tensor, image0: Tensor, image1: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Three channels of what is missing in either frame, and one of trust in each of them."""
    share0, share1 = made[:, 3:4].sigmoid() * (1 - t), made[:, 4:5].sigmoid() * t
    share = share0 / (share0 + share1)
    mixed = image1 + (image0.float() - image1) * share
    picture = (mixed + (2 * made[:, :3].sigmoid() - 1)).clamp(0, 1)
    return picture.to(image0.dtype), share


def _alone(convs: nn.Module) -> Callable[..., Parts]:
    return lambda part: (convs(part),)


def _joined(convs: nn.Module) -> Callable[..., Parts]:
    return lambda *parts: (convs(torch.cat(parts, 1)),)


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    convs = [nn.Conv2d(inputs, outputs, 3, stride, 1), *(nn.Conv2d(outputs, outputs, 3, padding=1) for _ in range(3))]
    return nn.Sequential(*(layer for conv in convs for layer in (conv, nn.LeakyReLU(0.1, inplace=True))))


def _leaky(inputs: int, outputs: int, size: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, padding=size // 2), nn.LeakyReLU(0.1, inplace=True))


def _steps(first: nn.Module, width: int, *, more: int = 1) -> nn.Sequential:
    layers = [first, nn.PReLU(width)]
    for _ in range(more):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
    return nn.Sequential(*layers)
