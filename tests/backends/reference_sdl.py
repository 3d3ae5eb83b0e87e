"""SDL's published forward written plainly, from the sheet of facts: NCHW, every call from scratch, nothing kept.

What the backend is compared with and timed against. It takes the official state_dict as it is, of either number of
images and of any number of grid columns, and shares no line with backends/sdl.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

type Weights = Mapping[str, Tensor]


def interpolate(weights: Weights, image0: Tensor, image1: Tensor, t: float) -> Tensor:
    """The image at t, padded and cropped as the published script does for video; not limited to [0, 1]."""
    height, width = image0.shape[-2:]
    both = mirrored(mirrored(torch.cat([image0, image1], 1), 2), 3)
    return forward(weights, both, torch.tensor([t], device=both.device))[..., :height, :width]


def mirrored(x: Tensor, dim: int) -> Tensor:
    """Up to a multiple of 32, 012 as 012 210 012."""
    length = x.shape[dim]
    place = torch.arange(length + -length % 32, device=x.device) % (2 * length)
    return x.index_select(dim, torch.minimum(place, 2 * length - 1 - place))


def forward(weights: Weights, x: Tensor, t: Tensor, split: float = 0.5, columns: int = 6) -> Tensor:
    """The network's own answer.

    Args:
        weights: official keys.
        x: (N, 3 or 6, H, W), multiples of 32.
        t: one element, or N.
        split: share of the channels that t scales.
        columns: of the grid.
    """
    skips = [steps(weights, "head", x, (0, 2))]
    for k in range(1, 6):
        skips.append(steps(weights, f"down{k}.body", skips[-1], (0, 2, 4), stride=2))
    y = skips.pop()
    for k in range(1, 6):
        y = torch.cat([steps(weights, f"up{k}.head", twice(y), (1,)), skips.pop()], 1)
        y = steps(weights, f"up{k}.decouple", y, (0,))
        scaled = int(y.shape[1] * split)
        y = torch.cat([y[:, :scaled] * t.view(-1, 1, 1, 1), y[:, scaled:]], 1)
        y = steps(weights, f"up{k}.merge", y, (0,))
    return grid(weights, steps(weights, "tail", y, (0,)), columns)


def grid(weights: Weights, x: Tensor, columns: int) -> Tensor:
    half = columns // 2
    rows = [lateral(weights, "lateral_init", x)]
    for row in (0, 1):
        rows.append(steps(weights, f"gridnet.down_{row}_0.f", rows[-1], (0, 2), stride=2))
    for c in range(1, half):
        for row in range(3):
            rows[row] = lateral(weights, f"lateral_{row}_{c - 1}", rows[row])
            if row:
                rows[row] = rows[row] + steps(weights, f"gridnet.down_{row - 1}_{c}.f", rows[row - 1], (0, 2), stride=2)
    for c in range(half, columns):
        for row in (2, 1, 0):
            rows[row] = lateral(weights, f"lateral_{row}_{c - 1}", rows[row])
            if row < 2:
                rows[row] = rows[row] + steps(weights, f"gridnet.up_{row}_{c - half}.f", twice(rows[row + 1]), (1, 3))
    return lateral(weights, "lateral_final", rows[0])


def lateral(weights: Weights, name: str, x: Tensor) -> Tensor:
    made = steps(weights, f"gridnet.{name}.f", x, (0, 2))
    return made + (conv(weights, f"gridnet.{name}.conv", x) if f"gridnet.{name}.conv.weight" in weights else x)


def steps(weights: Weights, name: str, x: Tensor, places: tuple[int, ...], stride: int = 1) -> Tensor:
    for place in places:
        x = conv(weights, f"{name}.{place}", x, stride if place == places[0] else 1)
        x = F.prelu(x, weights[f"{name}.{place + 1}.weight"])
    return x


def conv(weights: Weights, key: str, x: Tensor, stride: int = 1) -> Tensor:
    return F.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], stride, 1)


def twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
