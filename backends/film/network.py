"""FILM's three parts as published, under the published key names: extractor, flow pyramid, fusion decoder.

What is kept between their calls stands in model.py. All sizes come from the level at hand, so that any works; an odd
side loses its last row or column on the way to the next level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vsvfi.ops.backward_warp import backward_warp

LEVELS = 7
"""Of the image pyramid; each is half as wide and high as the one before."""

FUSED = 5
"""Levels whose flow and features are warped to t; the two coarsest serve the search for motion only."""

_SUBLEVELS = 4
_FILTERS = 64
_FLOW_FILTERS = (32, 64, 128, 256)
"""Of the flow predictors: one for each of the three finest levels, then one for all others."""


class Film(nn.Module):
    """The whole network; 82 tensors, 34,436,667 parameters.

    Source: Reda et al., FILM: Frame Interpolation for Large Motion, ECCV 2022, section 3.
    """

    def __init__(self) -> None:
        super().__init__()
        self.extract = Extractor()
        self.predict_flow = FlowPyramid()
        self.fuse = Decoder()

    def forward(self, image0: Tensor, image1: Tensor, t: Tensor | float) -> Tensor:
        """The image at t, (N, 3, H, W), not limited to [0, 1]; 0 <= t <= 1."""
        images0, images1 = pyramid(image0), pyramid(image1)
        features0, features1 = self.extract(images0), self.extract(images1)
        flow01, flow10 = self.predict_flow(features0, features1), self.predict_flow(features1, features0)
        return self.fuse(images0, features0, images1, features1, flow01, flow10, t)  # type: ignore[no-any-return]


class Extractor(nn.Module):
    """Features of every level, from a small network that is shared by all levels.

    Its stages halve the size as the pyramid does: what stage j finds on level i - j has the size of level i, and stands
    for the same extent of the picture as what stage 0 finds there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.extract_sublevels = _SubExtractor()

    def forward(self, images: Sequence[Tensor]) -> list[Tensor]:
        """64, 192, 448 and then 960 channels a level.

        Args:
            images: LEVELS of them, finest first.
        """
        found = [self.extract_sublevels(image, min(_SUBLEVELS, LEVELS - k)) for k, image in enumerate(images)]
        return [torch.cat([found[i - j][j] for j in range(min(_SUBLEVELS, i + 1))], 1) for i in range(len(images))]


class _SubExtractor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = [_FILTERS << j for j in range(_SUBLEVELS)]
        self.convs = nn.ModuleList(
            nn.Sequential(_conv(before, width), _conv(width, width))
            for before, width in zip([3, *widths[:-1]], widths, strict=True)
        )

    def forward(self, image: Tensor, stages: int) -> list[Tensor]:
        found = []
        net = image
        for j, conv in enumerate(self.convs[:stages]):
            net = conv(functional.avg_pool2d(net, 2) if j else net)
            found.append(net)
        return found


class FlowPyramid(nn.Module):
    """Motion from coarse to fine: each level warps by what the coarser one found and adds what is left."""

    def __init__(self) -> None:
        super().__init__()
        widths = [2 * _channels(level) for level in range(len(_FLOW_FILTERS))]
        *special, shared = (_Predictor(width, f) for width, f in zip(widths, _FLOW_FILTERS, strict=True))
        self._predictor = shared
        self._predictors = nn.ModuleList(reversed(special))  # as published: coarse to fine

    def forward(self, features0: Sequence[Tensor], features1: Sequence[Tensor]) -> list[Tensor]:
        """The flow from image 0 into image 1.

        Returns:
            Of each level, finest first: (N, 2, h, w) float32, u then v, pixels of that level, on the grid of image 0.
        """
        flows: list[Tensor] = []
        for level in reversed(range(LEVELS)):
            own, other = features0[level], features1[level]
            if not flows:
                flows.append(self._residual(level, own, other))
                continue
            # Positions stay in single precision whatever the features are: half resolves 1 pixel at x = 1900.
            coarse = functional.interpolate(2 * flows[-1], own.shape[-2:], mode="bilinear", align_corners=False)
            flows.append(coarse + self._residual(level, own, backward_warp(other, coarse)))
        return flows[::-1]

    def _residual(self, level: int, own: Tensor, other: Tensor) -> Tensor:
        special = len(self._predictors)
        predictor = self._predictors[special - 1 - level] if level < special else self._predictor
        return predictor(torch.cat([own, other], 1)).float()  # type: ignore[no-any-return]


class _Predictor(nn.Module):
    def __init__(self, inputs: int, filters: int) -> None:
        super().__init__()
        self._convs = nn.Sequential(
            _conv(inputs, filters),
            _conv(filters, filters),
            _conv(filters, filters),
            _conv(filters, filters // 2, 1),
            _conv(filters // 2, 2, 1, leaky=False),
        )

    def forward(self, net: Tensor) -> Tensor:
        return self._convs(net)  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Both frames' levels, warped to t, made into one picture from coarse to fine."""

    def __init__(self) -> None:
        super().__init__()
        inputs = [2 * (3 + _channels(level)) + 4 for level in range(FUSED)]
        widths = [_FILTERS << min(level, 3) for level in range(FUSED - 1)]
        nets = [*widths[1:], inputs[-1]]  # channels that come up from the level below
        self.output_conv = nn.Conv2d(widths[0], 3, 1)
        self.convs = nn.ModuleList(
            nn.Sequential(_conv(nets[i], n, 2, leaky=False), _conv(inputs[i] + n, n), _conv(n, n))
            for i, n in reversed(list(enumerate(widths)))
        )

    def forward(
        self,
        images0: Sequence[Tensor],
        features0: Sequence[Tensor],
        images1: Sequence[Tensor],
        features1: Sequence[Tensor],
        flow01: Sequence[Tensor],
        flow10: Sequence[Tensor],
        t: Tensor | float,
    ) -> Tensor:
        """The image at t, (N, 3, H, W), not limited to [0, 1].

        The flow found at a frame is used as if it were at t: flow10 * t looks back into frame 0.

        Args:
            images0: the FUSED finest levels of frame 0 at least, finest first.
            features0: of the same levels.
            images1: as images0, of frame 1.
            features1: as features0, of frame 1.
            flow01: of the same levels, as FlowPyramid gives it for frames 0 and 1.
            flow10: the same for frames 1 and 0.
            t: 0 <= t <= 1; a tensor of one element, or a number.
        """
        net: Tensor | None = None
        for level in reversed(range(FUSED)):
            back, ahead = flow10[level] * t, flow01[level] * (1 - t)
            parts = [
                *(backward_warp(part[level], back) for part in (images0, features0)),
                *(backward_warp(part[level], ahead) for part in (images1, features1)),
                *(flow.to(images0[level].dtype) for flow in (back, ahead)),
            ]
            if net is None:
                net = torch.cat(parts, 1)
                continue
            stage: Any = self.convs[FUSED - 2 - level]
            up, first, second = stage
            parts.append(up(functional.interpolate(net, parts[0].shape[-2:], mode="nearest")))
            net = torch.cat(parts, 1)
            del parts  # of the finest level, 200 full-size channels: they need not outlive their copy
            net = second(first(net))
        return self.output_conv(net)  # type: ignore[no-any-return]


class _Same(nn.Conv2d):
    """A convolution that keeps the size: zeros all around or, for 2x2, right and below."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__(inputs, outputs, size, padding=size // 2)

    def forward(self, input: Tensor) -> Tensor:
        made = super().forward(input)
        # Padded on all sides, a 2x2 kernel makes a first row and column too many. Padding beforehand copies the input.
        return made[..., 1:, 1:] if self.kernel_size == (2, 2) else made


def pyramid(image: Tensor) -> list[Tensor]:
    """LEVELS images, finest first, each the mean of 2x2 pixels of the one before."""
    images = [image]
    for _ in range(LEVELS - 1):
        images.append(functional.avg_pool2d(images[-1], 2))
    return images


def _channels(level: int) -> int:
    """Of the features of a level."""
    return sum(_FILTERS << j for j in range(min(_SUBLEVELS, level + 1)))


def _conv(inputs: int, outputs: int, size: int = 3, *, leaky: bool = True) -> nn.Sequential:
    """A Sequential even of one: the published keys end in `.0.weight`."""
    conv = _Same(inputs, outputs, size)
    return nn.Sequential(conv, nn.LeakyReLU(0.2, inplace=True)) if leaky else nn.Sequential(conv)
