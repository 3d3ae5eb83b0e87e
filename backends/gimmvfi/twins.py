"""Twins-SVT, its first two stages: attention within windows, then from every place to a thinned grid of all.

Source: Chu et al., Twins: Revisiting the Design of Spatial Attention in Vision Transformers, NeurIPS 2021, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WINDOW = 7
"""Places a side that attend to each other."""


class Twins(nn.Module):
    """Twins-SVT-Large as far as 1/8 of the size, under the keys of its best known implementation."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embeds = nn.ModuleList([Patches(3, 128, 4), Patches(128, 256, 2)])
        self.blocks = nn.ModuleList(
            nn.ModuleList([Block(c, Local(c, heads), 1e-6), Block(c, Thinned(c, heads, step), 1e-6)])
            for c, heads, step in ((128, 4, 8), (256, 8, 4))
        )
        self.pos_block = nn.ModuleList([Place(128), Place(256)])
        self.norm = nn.LayerNorm(1024)  # of a stage that is not here; published files have it

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 128, h/4, w/4) and (N, 256, h/8, w/8) of (N, 3, h, w) in [-1, 1], sides multiples of 8 from 32."""
        made, x = [], image
        for patches, blocks, place in zip(self.patch_embeds, self.blocks, self.pos_block, strict=True):
            local, wide = blocks.children()
            x = wide(place(local(patches(x)))).permute(0, 3, 1, 2)
            made.append(x)
        return made[0], made[1]


class Patches(nn.Module):
    """Squares of pixels as places."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inputs, outputs, size, size)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, h / size, w / size, outputs)."""
        return self.norm(self.proj(x).permute(0, 2, 3, 1))  # type: ignore[no-any-return]


class Place(nn.Module):
    """Where a place is, told by its neighbours: a convolution of each channel, added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, groups=channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, h, w, channels) to the same."""
        return x + self.proj(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention, then two layers at each place; both added to what they are given normalised."""

    def __init__(self, channels: int, attention: nn.Module, eps: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps)
        self.attn = attention
        self.norm2 = nn.LayerNorm(channels, eps)
        self.mlp = MLP(channels)

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        """(N, h, w, channels) to the same; what else attention wants comes after."""
        x = x + self.attn(self.norm1(x), *context)
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class MLP(nn.Module):
    """Two layers at each place, four times as wide between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(..., channels) to the same."""
        return self.fc2(functional.gelu(self.fc1(x)))  # type: ignore[no-any-return]


class Local(nn.Module):
    """Attention within windows; beyond the edge are zeros, which are attended to as well."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, h, w, channels) to the same."""
        q, k, v = self.qkv(in_windows(x)).chunk(3, -1)
        return self.proj(out_of_windows(attend(q, k, v, self.heads), x.shape[1], x.shape[2]))  # type: ignore[no-any-return]


class Thinned(nn.Module):
    """Attention of every place to one of each square of places, what lies beyond the last whole square unseen."""

    def __init__(self, channels: int, heads: int, step: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(channels, channels)
        self.kv = nn.Linear(channels, 2 * channels)
        self.sr = nn.Conv2d(channels, channels, step, step)
        self.norm = nn.LayerNorm(channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, h, w, channels) to the same; sides from the step."""
        seen = self.norm(self.sr(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).flatten(1, 2))
        k, v = self.kv(seen).chunk(2, -1)
        return self.proj(attend(self.q(x.flatten(1, 2)), k, v, self.heads).view(x.shape))  # type: ignore[no-any-return]


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention in parts of the channels, (..., L, C) at (..., S, C)."""
    q, k, v = (each.flatten(0, -3).unflatten(-1, (heads, -1)).transpose(1, 2) for each in (q, k, v))
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def in_windows(x: Tensor) -> Tensor:
    """(N, h, w, C) to (N, windows, 49, C), filled up with zeros below and right."""
    n, h, w, c = x.shape
    x = functional.pad(x, (0, 0, 0, -w % WINDOW, 0, -h % WINDOW))
    x = x.view(n, x.shape[1] // WINDOW, WINDOW, x.shape[2] // WINDOW, WINDOW, c)
    return x.transpose(2, 3).reshape(n, -1, WINDOW * WINDOW, c)


def out_of_windows(x: Tensor, h: int, w: int) -> Tensor:
    """`in_windows` back, of (N windows, 49, C)."""
    down, across = -(-h // WINDOW), -(-w // WINDOW)
    x = x.view(-1, down, across, WINDOW, WINDOW, x.shape[-1]).transpose(2, 3)
    return x.reshape(-1, down * WINDOW, across * WINDOW, x.shape[-1])[:, :h, :w]


def code(coordinates: Tensor, channels: int) -> Tensor:
    """(..., channels) sines and cosines of x, then of y, for (..., 2) of them."""
    frequencies = torch.arange(channels // 4, dtype=torch.float32, device=coordinates.device)
    angles = 3.14 * coordinates.float()[..., None] * frequencies * (1 / 200)
    return torch.stack([angles.sin(), angles.cos()], -2).flatten(-3)
