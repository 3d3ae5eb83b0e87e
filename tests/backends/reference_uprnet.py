"""UPR-Net's published forward written plainly, from the sheet of facts: NCHW, every call from scratch, nothing kept.

What the backend is compared with and timed against. It takes the official state_dict as it is, shares no line with
backends/uprnet, and splats and correlates plainly too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

type Weights = Mapping[str, Tensor]


def interpolate(
    weights: Weights, image0: Tensor, image1: Tensor, t: float, levels: int | None = None, skipped: int = 0
) -> Tensor:
    """The image at t, padded and cropped as the published demo does; levels by the longer side where none are said."""
    height, width = image0.shape[-2:]
    levels = levels or max(1, math.ceil(math.log2(max(height, width) / 448) + 3))
    multiple = 2 ** (levels + 1)
    around = (0, -width % multiple, 0, -height % multiple)
    images = (F.pad(image, around, value=0.5) for image in (image0, image1))
    return forward(weights, *images, t, levels, skipped)[..., :height, :width]


def forward(weights: Weights, image0: Tensor, image1: Tensor, t: float, levels: int, skipped: int) -> Tensor:
    n, _, height, width = image0.shape
    channels = weights["feat_pyramid.conv_stage2.0.weight"].shape[0]
    coarsest = height >> (levels + 1), width >> (levels + 1)
    flow, feature = image0.new_zeros(n, 4, *coarsest), image0.new_zeros(n, channels, *coarsest)
    frame = None
    for level in range(levels - 1, -1, -1):
        if 0 < level < skipped:
            continue
        frame0, frame1 = (resize(image, 0.5**level) for image in (image0, image1))
        features0, features1 = pyramid(weights, frame0), pyramid(weights, frame1)
        step = features0[2].shape[-1] // flow.shape[-1]
        if step > 1:
            flow, feature = resize(flow, step) * step, resize(feature, step) * step
            frame = resize(frame, step) if frame is not None else None
        if level or not skipped or levels == 1:
            flow, feature = motion(weights, features0[2], features1[2], feature, flow)
        frame = synthesis(weights, frame0, frame1, features0, features1, flow, frame, t)
    assert frame is not None
    return frame


def pyramid(weights: Weights, image: Tensor) -> list[Tensor]:
    levels, x = [], image
    for stage in range(3):
        for k in range(4):
            key = f"feat_pyramid.conv_stage{stage}.{2 * k}"
            x = F.leaky_relu(conv(weights, key, x, stride=2 if stage and not k else 1), 0.1)
        levels.append(x)
    return levels


def motion(
    weights: Weights, features0: Tensor, features1: Tensor, feature: Tensor, flow: Tensor
) -> tuple[Tensor, Tensor]:
    moved0 = splat(features0, flow[:, :2] * 0.25 * 0.5)
    moved1 = splat(features1, flow[:, 2:] * 0.25 * 0.5)
    volume = F.leaky_relu(correlate(moved0, moved1), 0.1)
    x = torch.cat([volume, moved0, moved1, feature, flow], 1)
    for k in range(1, 6):
        x = F.leaky_relu(conv(weights, f"motion_estimator.conv_layer{k}.0", x), 0.1)
    return conv(weights, "motion_estimator.conv_layer6.0", x), x


def synthesis(
    weights: Weights,
    frame0: Tensor,
    frame1: Tensor,
    features0: list[Tensor],
    features1: list[Tensor],
    flow: Tensor,
    frame: Tensor | None,
    t: float,
) -> Tensor:
    full = resize(flow, 4)
    flow0, flow1 = full[:, :2] * t, full[:, 2:] * (1 - t)
    warped0, warped1 = splat(frame0, flow0), splat(frame1, flow1)
    if frame is None:
        frame = (1 - t) * warped0 + t * warped1
    moved = []
    own0, own1 = flow0, flow1
    for k in range(3):
        if k:
            own0, own1 = resize(own0, 0.5) * 0.5, resize(own1, 0.5) * 0.5
        moved.append([splat(features0[k], own0), splat(features1[k], own1)])
    s0 = steps(weights, "encoder_conv", torch.cat([frame, warped0, warped1, frame0, frame1, flow0, flow1], 1), 2)
    s1 = steps(weights, "encoder_down1", torch.cat([s0, *moved[0]], 1), 3, stride=2)
    s2 = steps(weights, "encoder_down2", torch.cat([s1, *moved[1]], 1), 3, stride=2)
    x = steps(weights, "decoder_up1", torch.cat([s2, *moved[2]], 1), 2)
    x = steps(weights, "decoder_up2", torch.cat([x, s1], 1), 2)
    x = steps(weights, "decoder_conv", torch.cat([x, s0], 1), 2)
    made = conv(weights, "synthesis_network.pred", x)
    mask0, mask1 = torch.sigmoid(made[:, 3:4]) * (1 - t), torch.sigmoid(made[:, 4:5]) * t
    blended = (warped0 * mask0 + warped1 * mask1) / (mask0 + mask1)
    return (blended + 2 * torch.sigmoid(made[:, :3]) - 1).clamp(0, 1)


def steps(weights: Weights, name: str, x: Tensor, count: int, stride: int = 1) -> Tensor:
    for k in range(count):
        key = f"synthesis_network.{name}.{2 * k}"
        if name.startswith("decoder_up") and not k:
            x = F.conv_transpose2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], stride=2, padding=1)
        else:
            x = conv(weights, key, x, stride if not k else 1)
        x = F.prelu(x, weights[f"synthesis_network.{name}.{2 * k + 1}.weight"])
    return x


def conv(weights: Weights, key: str, x: Tensor, stride: int = 1) -> Tensor:
    weight = weights[f"{key}.weight"]
    return F.conv2d(x, weight, weights[f"{key}.bias"], stride, weight.shape[-1] // 2)


def resize(x: Tensor, by: float) -> Tensor:
    return F.interpolate(x, scale_factor=float(by), mode="bilinear", align_corners=False)


def splat(image: Tensor, flow: Tensor) -> Tensor:
    """Averaged; each of the four corners by itself, holes 0."""
    n, c, h, w = image.shape
    x, y = flow[:, 0] + torch.arange(w), flow[:, 1] + torch.arange(h)[:, None]
    total = image.new_zeros(n, c + 1, h * w)
    values = torch.cat([image, torch.ones_like(image[:, :1])], 1)
    for dx in (0, 1):
        for dy in (0, 1):
            i, j = x.floor() + dx, y.floor() + dy
            share = (1 - (x - i).abs()) * (1 - (y - j).abs()) * ((i >= 0) & (i < w) & (j >= 0) & (j < h))
            cell = (j.clamp(0, h - 1) * w + i.clamp(0, w - 1)).long().view(n, 1, -1).expand(n, c + 1, -1)
            total.scatter_add_(2, cell, (values * share[:, None]).view(n, c + 1, -1))
    weight = total[:, -1:]
    return (total[:, :-1] / torch.where(weight == 0, 1, weight)).view(n, c, h, w)


def correlate(features0: Tensor, features1: Tensor) -> Tensor:
    h, w = features0.shape[-2:]
    around = F.pad(features1, (4, 4, 4, 4))
    offsets = [(dy, dx) for dy in range(9) for dx in range(9)]
    return torch.stack([(features0 * around[..., dy : dy + h, dx : dx + w]).mean(1) for dy, dx in offsets], 1)
