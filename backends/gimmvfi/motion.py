"""Motion at any t out of two flows: an implicit function of place and time. GIMM.

Source: Guo et al., Generalizable Implicit Motion Modeling for Video Frame Interpolation, NeurIPS 2024, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vsvfi.ops.backward_warp import backward_warp
from vsvfi.ops.splat import splat

_CHUNK = 1 << 16
"""Pixels at a time of the implicit function: 128 channels of a whole 4K frame would be 4 GB."""


@dataclass(frozen=True)
class Latent:
    """What two flows say of all t.

    Attributes:
        flow01, flow10: (N, 2, H, W) float32, pixels.
        metric0, metric1: (N, 1, H, W), how much each pixel is to be trusted.
        key0, key1: (N, 16, H, W), motion as features of either frame.
        scale: (N, 1, 1, 1), the largest motion in pixels; 1 where there is none.
    """

    flow01: Tensor
    flow10: Tensor
    metric0: Tensor
    metric1: Tensor
    key0: Tensor
    key1: Tensor
    scale: Tensor


class GIMM(nn.Module):
    """Encodes flows, carries the code to t, reads the motion there."""

    def __init__(self) -> None:
        super().__init__()
        self.g_filter = nn.Parameter(torch.empty(1, 1, 1, 3, 3))
        self.alpha_v = nn.Parameter(torch.empty(1))
        self.alpha_fe = nn.Parameter(torch.empty(1))
        self.cnn_encoder = nn.Sequential(
            _conv(2, 16), _conv(16, 32), nn.LeakyReLU(0.1), Lateral(32), Lateral(32), Lateral(32), nn.LeakyReLU(0.1),
            _conv(32, 16, "reflect"),
        )  # fmt: skip
        self.res_conv = nn.Sequential(
            _conv(64, 32), _conv(32, 64), nn.LeakyReLU(0.1), Lateral(64), nn.LeakyReLU(0.1), _conv(64, 32, "reflect")
        )
        self.hyponet = Hyponet()

    def latent(self, flow01: Tensor, flow10: Tensor) -> Latent:
        """Of flows (N, 2, H, W) in pixels."""
        along = flow01, -flow10  # both along time
        scale = torch.stack([each.abs().amax((1, 2, 3), keepdim=True) for each in along]).amax(0)
        # Equal frames have no motion to measure by; the published code divides by 0 there.
        scale = torch.where(scale > 0, scale, 1.0)
        keys = [self.cnn_encoder((each / scale + 1) / 2) for each in along]
        metrics = [self.metric(flow01, flow10), self.metric(flow10, flow01)]
        return Latent(flow01, flow10, metrics[0], metrics[1], keys[0], keys[1], scale)

    def metric(self, flow: Tensor, other: Tensor) -> Tensor:
        """High where the way there and back ends where it began, and neighbours move alike; equations 5 and 6."""
        n, _, h, w = flow.shape
        kernel = self.g_filter.view(1, 1, 3, 3)
        planes = flow.reshape(2 * n, 1, h, w)
        mean, square = (
            functional.conv2d(functional.pad(each, (1, 1, 1, 1), mode="reflect"), kernel)
            for each in (planes, planes.square())
        )
        spread = (square - mean.square()).clamp(min=1e-9).sqrt().view(n, 2, h, w).mean(1, keepdim=True)
        error = (flow + backward_warp(other, flow)).abs().mean(1, keepdim=True)
        return 1 / (1 + error * self.alpha_fe) + 1 / (1 + spread * self.alpha_v)

    def forward(self, latent: Latent, t: Tensor) -> Tensor:
        """(N, 2, H, W): the motion of the whole interval, at each pixel of the frame at t, in pixels."""
        carried0 = splat(latent.key0, latent.flow01 * t, latent.metric0, mode="linear")
        carried1 = splat(latent.key1, latent.flow10 * (1 - t), latent.metric1, mode="linear")
        carried = torch.cat([carried0, carried1], 1)
        refined = self.res_conv(torch.cat([latent.key0, latent.key1, carried], 1))
        return (2 * self.hyponet(carried + refined, t) - 1) * latent.scale  # type: ignore[no-any-return]


class Hyponet(nn.Module):
    """Sines of a pixel's code, time and place to the motion there; equation 4. Weights are of length 1 already."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (35, 128, 128, 128, 128, 2)
        layers = enumerate(pairwise(sizes))
        self.params_dict = nn.ParameterDict(
            {f"linear_wb{k}": nn.Parameter(torch.empty(inputs + 1, outputs)) for k, (inputs, outputs) in layers}
        )

    def forward(self, code: Tensor, t: Tensor) -> Tensor:
        """(N, 32, H, W) to (N, 2, H, W), normalised motion in about [0, 1]."""
        n, c, h, w = code.shape
        y, x = ((torch.arange(size, device=code.device) + 0.5) * (2 / size) - 1 for size in (h, w))
        place = torch.stack([t.expand(h, w), y[:, None].expand(h, w), x.expand(h, w)], -1).reshape(-1, 3)
        pixels = code.permute(0, 2, 3, 1).reshape(n, h * w, c)
        starts = range(0, h * w, _CHUNK)
        made = [self._read(each[k : k + _CHUNK], place[k : k + _CHUNK]) for each in pixels for k in starts]
        return torch.cat(made).view(n, h, w, 2).permute(0, 3, 1, 2)

    def _read(self, code: Tensor, place: Tensor) -> Tensor:
        x = torch.cat([code, place], 1)
        layers = list(self.params_dict.values())
        for k, layer in enumerate(layers):
            x = torch.addmm(layer[-1], x, layer[:-1])
            x = x.sin() if k < len(layers) - 1 else x + 0.5
        return x


class Lateral(nn.Module):
    """Two convolutions added to what goes in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_conv(channels, channels), nn.LeakyReLU(0.1), _conv(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) to the same."""
        return x + self.layers(x)  # type: ignore[no-any-return]


def _conv(inputs: int, outputs: int, padding: Literal["zeros", "reflect"] = "zeros") -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, 1, 1, padding_mode=padding)
