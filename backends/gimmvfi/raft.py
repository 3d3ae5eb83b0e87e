"""RAFT, the large one: flow between two frames by repeated lookups in their correlation. GIMM-VFI-R's estimator.

Source: Teed and Deng, RAFT: Recurrent All-Pairs Field Transforms for Optical Flow, ECCV 2020, sections 3.1 to 3.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vsvfi.ops import correlation, lookup

ITERATIONS = 20
"""Of the update, as GIMM-VFI's code has it."""

LARGEST_VOLUME = 1 << 30
"""Bytes a number for every pair of places may take; above, correlations are computed where they are looked up."""


def fits(n: int, places: int) -> bool:
    """Whether there is to be a tensor of all pairs of places."""
    return 4 * n * places**2 <= LARGEST_VOLUME


class Context(NamedTuple):
    """What an estimator makes of one frame, with RAFT's channels; FlowFormer's have 128 at 1/4 and 256 at 1/8.

    Attributes:
        fmap: (N, 256, h/8, w/8), to be correlated.
        hidden: (N, 128, h/8, w/8), the state flow begins with.
        given: (N, 128, h/8, w/8), what each update sees.
        quarter: (N, 96, h/4, w/4) and
        eighth: (N, 128, h/8, w/8), of the context encoder.
    """

    fmap: Tensor
    hidden: Tensor
    given: Tensor
    quarter: Tensor
    eighth: Tensor


@dataclass(frozen=True)
class Correlation:
    """Where one frame's places are found in the other, both ways; as volumes, or computed on demand above a size.

    Attributes:
        fmap0, fmap1: (N, C, h, w) of the frames.
        forward: of the later frame, seen from the earlier: a pyramid of correlations, or of its features.
        backward: of the earlier frame, seen from the later.
        whole: whether they are correlations.
    """

    fmap0: Tensor
    fmap1: Tensor
    forward: tuple[Tensor, ...]
    backward: tuple[Tensor, ...]
    whole: bool

    @classmethod
    def of(cls, fmap0: Tensor, fmap1: Tensor, *, levels: int = 4) -> Correlation:
        """Between two frames' features.

        Args:
            fmap0: (N, C, h, w), of the earlier frame.
            fmap1: of the later frame.
            levels: of the pyramids.
        """
        n, _, h, w = fmap0.shape
        if not fits(n, h * w):
            return cls(fmap0, fmap1, tuple(lookup.pooled(fmap1, levels)), tuple(lookup.pooled(fmap0, levels)), False)
        forward = correlation.all_pairs(fmap0, fmap1, levels)
        return cls(fmap0, fmap1, tuple(forward), tuple(_turned(forward[0], levels)), True)

    def at(self, coordinates: Tensor, *, back: bool = False) -> Tensor:
        """(N, 81 levels, h, w) around (N, 2, h, w) coordinates; `back`: of the later frame's places in the earlier."""
        pyramid = list(self.backward if back else self.forward)
        if self.whole:
            return correlation.lookup(pyramid, coordinates)
        return lookup.lookup_on_demand(self.fmap1 if back else self.fmap0, pyramid, coordinates)

    def rows(self, start: int, stop: int, *, back: bool = False) -> Tensor:
        """(N, stop - start, h, w): of these places, counted row by row, with every place of the other frame."""
        own, other = (self.fmap1, self.fmap0) if back else (self.fmap0, self.fmap1)
        if self.whole:
            return (self.backward if back else self.forward)[0].flatten(1, 2)[:, start:stop]
        found = torch.bmm(own.flatten(2)[..., start:stop].transpose(1, 2), other.flatten(2))
        return (found / math.sqrt(own.shape[1])).view(*found.shape[:2], *other.shape[-2:])


def _turned(volume: Tensor, levels: int) -> list[Tensor]:
    """The pyramid seen from the later frame: no product is computed twice."""
    n, h, w = volume.shape[:3]
    turned = volume.permute(0, 3, 4, 1, 2).reshape(n * h * w, 1, h, w)
    return [level.view(n, h, w, *level.shape[-2:]) for level in lookup.pooled(turned, levels)]


class RAFT(nn.Module):
    """Flow in pixels of the frames."""

    def __init__(self) -> None:
        super().__init__()
        self.fnet = Encoder(affine=False)
        self.cnet = Encoder(affine=True)
        self.update_block = Update()

    def context(self, image: Tensor) -> Context:
        """Of (N, 3, H, W) in [0, 1], sides multiples of 8."""
        scaled = 2 * image - 1
        fmap, _, _ = self.fnet(scaled)
        both, quarter, eighth = self.cnet(scaled)
        hidden, given = both.split(128, 1)
        return Context(fmap, hidden.tanh(), given.relu(), quarter, eighth)

    def flows(self, context0: Context, context1: Context) -> tuple[Tensor, Tensor]:
        """(N, 2, H, W) from either frame to the other, from one set of correlations."""
        found = Correlation.of(context0.fmap, context1.fmap)
        return self.flow(context0, found), self.flow(context1, found, back=True)

    def flow(self, context: Context, found: Correlation, *, back: bool = False, iterations: int = ITERATIONS) -> Tensor:
        """(N, 2, H, W) from the frame of `context` to the other; `back`: it is the later one."""
        n, _, h, w = context.fmap.shape
        start = grid(n, h, w, context.fmap)
        flow, hidden = torch.zeros_like(start), context.hidden
        steps = self.update_block.gru.prepared(context.given)
        for _ in range(iterations):
            seen = found.at(start + flow, back=back).to(hidden.dtype)
            hidden = self.update_block(hidden, steps, seen, flow)
            flow = flow + self.update_block.flow_head(hidden).float()
        return enlarged(flow, 0.25 * self.update_block.mask(hidden).float())


def grid(n: int, h: int, w: int, like: Tensor) -> Tensor:
    """(n, 2, h, w) float32 coordinates of all pixels, x then y."""
    y, x = torch.meshgrid(
        torch.arange(h, dtype=torch.float32, device=like.device),
        torch.arange(w, dtype=torch.float32, device=like.device),
        indexing="ij",
    )
    return torch.stack([x, y]).expand(n, 2, h, w)


def enlarged(flow: Tensor, mask: Tensor) -> Tensor:
    """Eight times the size and value; each pixel a convex combination of the nine around it (section 3.3)."""
    n, _, h, w = flow.shape
    weights = mask.view(n, 1, 9, 8, 8, h, w).softmax(2)
    around = functional.unfold(8 * flow, 3, padding=1).view(n, 2, 9, 1, 1, h, w)
    return (weights * around).sum(2).permute(0, 1, 4, 2, 5, 3).reshape(n, 2, 8 * h, 8 * w)


class Encoder(nn.Module):
    """Features at 1/8; with batch norm also those on the way there. Without: instance norm, which has no parameters."""

    def __init__(self, *, affine: bool) -> None:
        super().__init__()
        self.norm1 = _norm(64, affine)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        self.layer1 = nn.Sequential(Residual(64, 64, 1, affine), Residual(64, 64, 1, affine))
        self.layer2 = nn.Sequential(Residual(64, 96, 2, affine), Residual(96, 96, 1, affine))
        self.layer3 = nn.Sequential(Residual(96, 128, 2, affine), Residual(128, 128, 1, affine))
        self.conv2 = nn.Conv2d(128, 256, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 256, h/8, w/8), and the last two layers' outputs."""
        x = self.layer1(self.norm1(self.conv1(x)).relu())
        quarter = self.layer2(x)
        eighth = self.layer3(quarter)
        return self.conv2(eighth), quarter, eighth


class Residual(nn.Module):
    """Two convolutions beside a shortcut, which is strided where they are."""

    def __init__(self, inputs: int, outputs: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.norm1, self.norm2 = _norm(outputs, affine), _norm(outputs, affine)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), _norm(outputs, affine))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, outputs, h / stride, w / stride)."""
        y = self.norm1(self.conv1(x)).relu()
        y = self.norm2(self.conv2(y)).relu()
        return (self.downsample(x) + y).relu()  # type: ignore[no-any-return]


def _norm(channels: int, affine: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if affine else nn.InstanceNorm2d(channels)


class Update(nn.Module):
    """One step: what was seen and the flow so far change the hidden state."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MotionEncoder(324)
        self.gru = SeparableGRU(384)
        self.flow_head = FlowHead()
        self.mask = nn.Sequential(nn.Conv2d(128, 256, 3, 1, 1), nn.ReLU(), nn.Conv2d(256, 576, 1))

    def forward(self, hidden: Tensor, steps: list[Half], seen: Tensor, flow: Tensor) -> Tensor:
        """The new hidden state, (N, 128, h, w)."""
        return self.gru(hidden, self.encoder(flow.to(hidden.dtype), seen), steps)  # type: ignore[no-any-return]


class MotionEncoder(nn.Module):
    """Correlations and flow as 128 channels, the flow itself the last two."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(inputs, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, 1, 1)
        self.convf1 = nn.Conv2d(2, 128, 7, 1, 3)
        self.convf2 = nn.Conv2d(128, 64, 3, 1, 1)
        self.conv = nn.Conv2d(256, 126, 3, 1, 1)

    def forward(self, flow: Tensor, seen: Tensor) -> Tensor:
        """(N, 128, h, w)."""
        seen = self.convc2(self.convc1(seen).relu()).relu()
        moved = self.convf2(self.convf1(flow).relu()).relu()
        return torch.cat([self.conv(torch.cat([seen, moved], 1)).relu(), flow], 1)


class Half(NamedTuple):
    """Half a step of the gated unit: weights of what changes from step to step, and what the rest comes to.

    Attributes:
        gates, change: weights of the two gates, and of the new state.
        known_gates, known_change: (N, 256, h, w) and (N, 128, h, w), biases and context.
        padding: of the convolutions.
    """

    gates: Tensor
    change: Tensor
    known_gates: Tensor
    known_change: Tensor
    padding: tuple[int, int]


class SeparableGRU(nn.Module):
    """A gated recurrent unit along rows, then one along columns; `inputs`: 128 of the state, 128 of context, others."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        for k, (size, padding) in enumerate((((1, 5), (0, 2)), ((5, 1), (2, 0))), 1):
            for gate in "zrq":
                self.add_module(f"conv{gate}{k}", nn.Conv2d(inputs, 128, size, padding=padding))

    def prepared(self, given: Tensor) -> list[Half]:
        """What the context (N, 128, h, w) adds in every step: a third of the work, done once."""
        made = []
        for k, padding in (("1", (0, 2)), ("2", (2, 0))):
            z, r, q = (getattr(self, f"conv{gate}{k}") for gate in "zrq")
            gates, biases = torch.cat([z.weight, r.weight]), torch.cat([z.bias, r.bias])
            known = functional.conv2d(given, gates[:, 128:256], biases, padding=padding)
            change = functional.conv2d(given, q.weight[:, 128:256], q.bias, padding=padding)
            made.append(Half(_without(gates), _without(q.weight), known, change, padding))
        return made

    def forward(self, hidden: Tensor, x: Tensor, steps: list[Half]) -> Tensor:
        """(N, 128, h, w) state and what changed to the new state."""
        for step in steps:
            both = torch.cat([hidden, x], 1)
            gates = functional.conv2d(both, step.gates, padding=step.padding) + step.known_gates
            keep, reset = gates.sigmoid().chunk(2, 1)
            both = torch.cat([reset * hidden, x], 1)
            change = functional.conv2d(both, step.change, padding=step.padding) + step.known_change
            hidden = torch.lerp(hidden, change.tanh(), keep)
        return hidden


def _without(weight: Tensor) -> Tensor:
    """All inputs but the context."""
    return torch.cat([weight[:, :128], weight[:, 256:]], 1)


class FlowHead(nn.Module):
    """How far the flow is to move on."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(128, 256, 3, 1, 1)
        self.conv2 = nn.Conv2d(256, 2, 3, 1, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, 2, h, w)."""
        return self.conv2(self.conv1(hidden).relu())  # type: ignore[no-any-return]
