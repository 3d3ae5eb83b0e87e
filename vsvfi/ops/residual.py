"""The residual block of IFRNet, which AMT's decoders and so GIMM-VFI's are built of too."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .prelu import PReLU


class SideResidual(nn.Module):
    """Five convolutions; the second and fourth see and replace the last `side` channels only.

    Source: Kong et al., IFRNet, CVPR 2022, figure 3.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.conv1 = activated(channels, channels)
        self.conv2 = activated(side, side)
        self.conv3 = activated(channels, channels)
        self.conv4 = activated(side, side)
        self.conv5 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.prelu = PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) to the same shape."""
        y = self._replaced(self.conv1(x), self.conv2)
        for layer in self.conv3:  # one by one: what went in is given back before more is taken
            y = layer(y)
        y = self.conv5(self._replaced(y, self.conv4))
        return self.prelu(x + y if torch.is_grad_enabled() else y.add_(x))  # type: ignore[no-any-return]

    def _replaced(self, y: Tensor, layer: nn.Module) -> Tensor:
        part = layer(y[:, -self.side :])
        if torch.is_grad_enabled():
            return torch.cat([y[:, : -self.side], part], 1)
        y[:, -self.side :] = part  # the rest is several times as much to copy
        return y


def activated(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution of the same size, or 1 / stride of it, and its PReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), PReLU(outputs))
