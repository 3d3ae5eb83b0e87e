"""IFRNet's published forward written plainly, from the sheet of facts: NCHW, every call from scratch, nothing kept.

What the backend is compared with and timed against. It takes the official state_dict as it is and shares no line with
backends/ifrnet.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

type Weights = Mapping[str, Tensor]


def interpolate(weights: Weights, image0: Tensor, image1: Tensor, t: float, scale: float = 1.0) -> Tensor:
    """The image at t; sides times `scale` must be multiples of 16."""
    mean = torch.cat([image0, image1], 2).mean((1, 2, 3), keepdim=True)
    image0, image1 = image0 - mean, image1 - mean
    small0, small1 = (resize(image, scale) for image in (image0, image1))
    features0, features1 = encode(weights, small0), encode(weights, small1)
    time = torch.full_like(features0[3][:, :1], t)
    out = decode(weights, 4, torch.cat([features0[3], features1[3], time], 1))
    flow0, flow1, target = out[:, :2], out[:, 2:4], out[:, 4:]
    for k in (3, 2, 1):
        warped0, warped1 = warp(features0[k - 1], flow0), warp(features1[k - 1], flow1)
        out = decode(weights, k, torch.cat([target, warped0, warped1, flow0, flow1], 1))
        flow0 = out[:, :2] + 2 * resize(flow0, 2.0)
        flow1 = out[:, 2:4] + 2 * resize(flow1, 2.0)
        target = out[:, 4:]
    mask, residual = torch.sigmoid(target[:, :1]), target[:, 1:]
    flow0, flow1 = resize(flow0, 1 / scale) / scale, resize(flow1, 1 / scale) / scale
    mask, residual = resize(mask, 1 / scale), resize(residual, 1 / scale)
    blend = mask * warp(image0, flow0) + (1 - mask) * warp(image1, flow1)
    return torch.clamp(blend + mean + residual, 0, 1)


def encode(weights: Weights, image: Tensor) -> list[Tensor]:
    out = []
    for k in (1, 2, 3, 4):
        for layer, stride in ((0, 2), (1, 1)):
            image = convrelu(weights, f"encoder.pyramid{k}.{layer}", image, stride)
        out.append(image)
    return out


def decode(weights: Weights, k: int, x: Tensor) -> Tensor:
    block = f"decoder{k}.convblock"
    x = convrelu(weights, f"{block}.0", x)
    side = weights[f"{block}.1.conv2.0.weight"].shape[0]
    y = convrelu(weights, f"{block}.1.conv1", x)
    y = y.clone()
    y[:, -side:] = convrelu(weights, f"{block}.1.conv2", y[:, -side:].clone())
    y = convrelu(weights, f"{block}.1.conv3", y)
    y = y.clone()
    y[:, -side:] = convrelu(weights, f"{block}.1.conv4", y[:, -side:].clone())
    y = F.conv2d(y, weights[f"{block}.1.conv5.weight"], weights[f"{block}.1.conv5.bias"], padding=1)
    x = F.prelu(x + y, weights[f"{block}.1.prelu.weight"])
    return F.conv_transpose2d(x, weights[f"{block}.2.weight"], weights[f"{block}.2.bias"], stride=2, padding=1)


def convrelu(weights: Weights, name: str, x: Tensor, stride: int = 1) -> Tensor:
    kernel = weights[f"{name}.0.weight"]
    x = F.conv2d(x, kernel, weights[f"{name}.0.bias"], stride, kernel.shape[-1] // 2)
    return F.prelu(x, weights[f"{name}.1.weight"])


def resize(x: Tensor, factor: float) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def warp(image: Tensor, flow: Tensor) -> Tensor:
    n, _, h, w = flow.shape
    x = torch.linspace(-1, 1, w).view(1, 1, 1, w).expand(n, 1, h, w)
    y = torch.linspace(-1, 1, h).view(1, 1, h, 1).expand(n, 1, h, w)
    shift = torch.cat([flow[:, :1] / ((w - 1) / 2), flow[:, 1:] / ((h - 1) / 2)], 1)
    grid = (torch.cat([x, y], 1) + shift).permute(0, 2, 3, 1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)
