"""SDL's U-Net under the published key names, and how it runs: what t does not touch once a pair, the rest per image.

The grid that finishes the picture is next door in grid.py. Source: Yang et al., Beyond a Video Frame Interpolator: A
Space Decoupled Learning Approach to Continuous Image Transition, ECCV 2022 workshops, arXiv 2203.09771.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .grid import GridNet, activated, enlarged

_WIDTHS = (32, 64, 128, 256, 512, 512)
"""Channels at full size, at 1/2, 1/4, 1/8, 1/16 and 1/32."""


class SDLNet(nn.Module):
    """A U-Net whose decoder scales a part of its channels by t, and a grid network behind it.

    Args:
        images: how many go in: 1 or 2.
        split: share of each decoder level's channels that t scales.
    """

    def __init__(self, images: int, split: float = 0.5) -> None:
        super().__init__()
        self.head = activated(3 * images, _WIDTHS[0], _WIDTHS[0])
        self.down1, self.down2, self.down3, self.down4, self.down5 = map(Down, _WIDTHS[:-1], _WIDTHS[1:])
        coarse, fine = _WIDTHS[:0:-1], _WIDTHS[-2::-1]
        self.up1, self.up2, self.up3, self.up4, self.up5 = (
            Up(*widths, split) for widths in zip(coarse, fine, strict=True)
        )
        self.tail = activated(_WIDTHS[0], _WIDTHS[0])
        self.gridnet = GridNet()

    def relate(self, images: Tensor) -> tuple[Tensor, ...]:
        """Whatever t does not touch.

        Args:
            images: (N, 3 or 6, H, W), those that go in side by side, in [0, 1]; H and W multiples of 32.

        Returns:
            Of each decoder level what it brings to t, coarsest first: (N, 512, H / 16, W / 16) to (N, 32, H, W).
            The coarsest is finished; the others are sums that lack what comes from the level below.
        """
        skips = [self.head(images)]
        for down in (self.down1, self.down2, self.down3, self.down4, self.down5):
            skips.append(down(skips[-1]))
        first, *others = self._ups
        coarsest = first.joined(first.head(skips.pop()), first.aside(skips.pop()))
        return (coarsest, *(up.aside(skips.pop()) for up in others))

    def synthesize(self, levels: Sequence[Tensor], t: Tensor) -> Tensor:
        """The image at t, not limited to [0, 1].

        Args:
            levels: from `relate`.
            t: float32; one element, or N: one for each image of the batch.
        """
        first, *others = self._ups
        x = first.merged(levels[0], t)
        for up, level in zip(others, levels[1:], strict=True):
            x = up.merged(up.joined(up.head(x), level), t)
        return self.gridnet(self.tail(x))  # type: ignore[no-any-return]

    @property
    def _ups(self) -> tuple[Up, ...]:
        return self.up1, self.up2, self.up3, self.up4, self.up5


class Down(nn.Module):
    """Halves the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = activated(inputs, outputs, outputs, outputs, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, outputs, h / 2, w / 2)."""
        return self.body(x)  # type: ignore[no-any-return]


class Up(nn.Module):
    """One level of the decoder, in the parts that `SDLNet` runs: head, decouple's two halves, merge.

    A convolution of two things side by side is the sum of one of each, so the encoder's half of decouple is done once
    for all t. And scaling channels by t, then convolving, is convolving with weights that are scaled by t.
    """

    def __init__(self, inputs: int, outputs: int, split: float) -> None:
        super().__init__()
        self.outputs = outputs
        self.scaled = int(outputs * split)
        self.head = enlarged(inputs, outputs)
        self.decouple = activated(2 * outputs, outputs)
        self.merge = activated(outputs, outputs)

    def aside(self, skip: Tensor) -> Tensor:
        """The encoder's part of decouple, with the bias."""
        conv = _first(self.decouple)
        return functional.conv2d(skip, conv.weight[:, self.outputs :], conv.bias, padding=1)

    def joined(self, coarse: Tensor, aside: Tensor) -> Tensor:
        """What decouple makes of the coarser level, brought to this size by head, and of `aside`."""
        part = functional.conv2d(coarse, _first(self.decouple).weight[:, : self.outputs], padding=1)
        total = part + aside if torch.is_grad_enabled() else part.add_(aside)
        return self.decouple[1](total)  # type: ignore[no-any-return]

    def merged(self, x: Tensor, t: Tensor) -> Tensor:
        """The first channels times t, and a convolution that merges them with the others."""
        conv = _first(self.merge)
        # In float32: t in bfloat16 would be off by 1/256 of itself.
        scale = torch.cat([t.view(-1, 1).expand(-1, self.scaled), t.new_ones(t.numel(), self.outputs - self.scaled)], 1)
        if t.numel() == 1:
            weight = (conv.weight * scale[..., None, None]).to(x.dtype)
            return self.merge[1](functional.conv2d(x, weight, conv.bias, padding=1))  # type: ignore[no-any-return]
        return self.merge((x * scale[..., None, None]).to(x.dtype))  # type: ignore[no-any-return]


def _first(layers: nn.Sequential) -> nn.Conv2d:
    conv = layers[0]
    assert isinstance(conv, nn.Conv2d), "a convolution comes first"
    return conv
