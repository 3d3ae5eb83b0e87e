"""FILM's published forward written plainly, from the sheet of facts: NCHW, every call from scratch, nothing kept.

What the backend is compared with and timed against. It takes the official state_dict as it is, shares no line with
backends/film, and does what the published code does, also where that is thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

type Weights = Mapping[str, Tensor]


def interpolate(weights: Weights, image0: Tensor, image1: Tensor, t: float) -> Tensor:
    """The raw image at t; images of any size, unpadded."""
    images0, images1 = image_pyramid(image0), image_pyramid(image1)
    features0, features1 = extract(weights, images0), extract(weights, images1)
    forward = flows(weights, features0, features1)
    backward = flows(weights, features1, features0)
    levels = []
    for i in range(5):
        b, f = t * backward[i], (1 - t) * forward[i]
        aligned0 = warp(torch.cat([images0[i], features0[i]], 1), b)
        aligned1 = warp(torch.cat([images1[i], features1[i]], 1), f)
        levels.append(torch.cat([aligned0, aligned1, b, f], 1))
    return fuse(weights, levels)


def padded(weights: Weights, image0: Tensor, image1: Tensor, t: float) -> Tensor:
    """The raw image at t as the published scripts make it: zeros around to a multiple of 64, cropped afterwards."""
    height, width = image0.shape[-2:]
    down, right = -height % 64, -width % 64
    around = (right // 2, right - right // 2, down // 2, down - down // 2)
    whole = interpolate(weights, F.pad(image0, around), F.pad(image1, around), t)
    return whole[..., down // 2 : down // 2 + height, right // 2 : right // 2 + width]


def image_pyramid(image: Tensor) -> list[Tensor]:
    levels = [image]
    for _ in range(6):
        levels.append(F.avg_pool2d(levels[-1], 2, 2))
    return levels


def extract(weights: Weights, images: list[Tensor]) -> list[Tensor]:
    found = []
    for image in images:
        net, stages = image, []
        for j in range(4):
            key = f"extract.extract_sublevels.convs.{j}"
            net = leaky(conv(weights, f"{key}.1.0", leaky(conv(weights, f"{key}.0.0", net))))
            stages.append(net)
            if min(net.shape[-2:]) >= 2:  # near the top the stages are more than the sizes allow; nobody reads those
                net = F.avg_pool2d(net, 2, 2)
        found.append(stages)
    return [torch.cat([found[i - j][j] for j in range(4) if j <= i], 1) for i in range(7)]


def flows(weights: Weights, features0: list[Tensor], features1: list[Tensor]) -> list[Tensor]:
    """Flow of each level from its residuals, as published: the search first, then the sum."""
    residuals = [predict(weights, 6, features0[6], features1[6])]
    v = residuals[0]
    for i in range(5, -1, -1):
        v = resize(2 * v, features0[i])
        residual = predict(weights, i, features0[i], warp(features1[i], v))
        residuals.append(residual)
        v = v + residual
    total = [residuals[0]]
    for residual in residuals[1:]:
        total.append(resize(2 * total[-1], residual) + residual)
    return total[::-1]


def predict(weights: Weights, level: int, a: Tensor, b: Tensor) -> Tensor:
    name = "_predictor" if level > 2 else f"_predictors.{2 - level}"
    net = torch.cat([a, b], 1)
    for k in range(4):
        net = leaky(conv(weights, f"predict_flow.{name}._convs.{k}.0", net))
    return conv(weights, f"predict_flow.{name}._convs.4.0", net)


def fuse(weights: Weights, levels: list[Tensor]) -> Tensor:
    net = levels[4]
    for k in range(4):
        level = levels[3 - k]
        net = F.interpolate(net, level.shape[-2:], mode="nearest")
        net = conv(weights, f"fuse.convs.{k}.0.0", net)
        net = leaky(conv(weights, f"fuse.convs.{k}.1.0", torch.cat([level, net], 1)))
        net = leaky(conv(weights, f"fuse.convs.{k}.2.0", net))
    return conv(weights, "fuse.output_conv", net)


def conv(weights: Weights, key: str, x: Tensor) -> Tensor:
    """Stride 1, same size; an even kernel lacks its zeros on the right and below."""
    weight, bias = weights[f"{key}.weight"], weights[f"{key}.bias"]
    k = weight.shape[-1]
    return F.conv2d(F.pad(x, ((k - 1) // 2, k // 2, (k - 1) // 2, k // 2)), weight, bias)


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def resize(flow: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(flow, like.shape[-2:], mode="bilinear", align_corners=False)


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """As the published torch code samples: a grid of pixel centres from -1 to 1, flow in halves of the side."""
    height, width = flow.shape[-2:]
    y = torch.linspace(-1 + 1 / height, 1 - 1 / height, height)
    x = torch.linspace(-1 + 1 / width, 1 - 1 / width, width)
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)[None]
    offset = torch.stack([flow[:, 0] / (width / 2), flow[:, 1] / (height / 2)], -1)
    return F.grid_sample(image, grid + offset, mode="bilinear", padding_mode="border", align_corners=False)
