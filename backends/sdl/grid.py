"""The grid network that makes SDL's picture: three rows of sizes, crossed downwards, then upwards.

Source: Fourure et al., Residual Conv-Deconv Grid Network for Semantic Segmentation, BMVC 2017, as SDL uses it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vsvfi.ops.prelu import PReLU

_ROWS = (32, 64, 96)
"""Channels at full size, at 1/2 and at 1/4."""


class GridNet(nn.Module):
    """Six columns: three that go down, three that go up."""

    def __init__(self) -> None:
        super().__init__()
        top, middle, bottom = _ROWS
        self.lateral_init = Lateral(top, top)
        for row, width in enumerate(_ROWS):
            for column in range(5):
                self.add_module(f"lateral_{row}_{column}", Lateral(width, width))
        for row, (inputs, outputs) in enumerate(((top, middle), (middle, bottom))):
            for column in range(3):
                self.add_module(f"down_{row}_{column}", Between(activated(inputs, outputs, outputs, stride=2)))
        for row, (inputs, outputs) in enumerate(((middle, top), (bottom, middle))):
            for column in range(3):
                self.add_module(f"up_{row}_{column}", Between(enlarged(inputs, outputs, outputs)))
        self.lateral_final = Lateral(top, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 32, H, W) to (N, 3, H, W); H and W multiples of 4."""
        top = self.lateral_init(x)
        middle = self._run("down_0_0", top)
        bottom = self._run("down_1_0", middle)
        for column in (1, 2):
            top = self._run(f"lateral_0_{column - 1}", top)
            middle = _sum(self._run(f"lateral_1_{column - 1}", middle), self._run(f"down_0_{column}", top))
            bottom = _sum(self._run(f"lateral_2_{column - 1}", bottom), self._run(f"down_1_{column}", middle))
        for column in (3, 4, 5):
            bottom = self._run(f"lateral_2_{column - 1}", bottom)
            middle = _sum(self._run(f"lateral_1_{column - 1}", middle), self._run(f"up_1_{column - 3}", bottom))
            top = _sum(self._run(f"lateral_0_{column - 1}", top), self._run(f"up_0_{column - 3}", middle))
        return self.lateral_final(top)  # type: ignore[no-any-return]

    def _run(self, name: str, x: Tensor) -> Tensor:
        return self.get_submodule(name)(x)  # type: ignore[no-any-return]


class Lateral(nn.Module):
    """Two convolutions added to what they are given, or to a convolution of it where the channels change."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.f = nn.Sequential(_conv(inputs, outputs), PReLU(outputs), _conv(outputs, outputs), PReLU(outputs))
        self.conv = _conv(inputs, outputs) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, outputs, h, w)."""
        return _sum(self.f(x), x if self.conv is None else self.conv(x))


class Between(nn.Module):
    """From one row to another."""

    def __init__(self, f: nn.Sequential) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        """At half or twice the size."""
        return self.f(x)  # type: ignore[no-any-return]


def activated(inputs: int, *outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolutions, each with a PReLU behind it; the first has the stride."""
    layers: list[nn.Module] = []
    for made in outputs:
        layers += [_conv(inputs, made, stride), PReLU(made)]
        inputs, stride = made, 1
    return nn.Sequential(*layers)


def enlarged(inputs: int, *outputs: int) -> nn.Sequential:
    """Bilinear to twice the size, then as `activated`."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), *activated(inputs, *outputs)
    )


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


def _sum(fresh: Tensor, other: Tensor) -> Tensor:
    """Into the first of them, which nobody else holds, where no gradient needs it."""
    return fresh + other if torch.is_grad_enabled() else fresh.add_(other)
