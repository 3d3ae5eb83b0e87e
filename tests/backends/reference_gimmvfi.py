"""GIMM-VFI's published forward written plainly, from the sheet of facts: NCHW, every call from scratch, nothing kept.

What the backend is compared with and timed against. It takes the official state_dict of either variant as it is, on
any device, shares no line with backends/gimmvfi, and does what the published code does: each direction's flow by a
call of its own, whole correlation volumes, weights normalised at each call. FlowFormer is in reference_flowformer.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from . import reference_flowformer as flowformer
from .reference_flowformer import Estimate, conv

type Weights = Mapping[str, Tensor]


def interpolate(weights: Weights, image0: Tensor, image1: Tensor, t: float) -> Tensor:
    """The image at t; the edges repeated around to multiples of 32, cropped afterwards."""
    height, width = image0.shape[-2:]
    down, right = -height % 32, -width % 32
    around = (right // 2, right - right // 2, down // 2, down - down // 2)
    whole = forward(weights, *(F.pad(image, around, mode="replicate") for image in (image0, image1)), t)
    return whole[..., down // 2 : down // 2 + height, right // 2 : right // 2 + width]


def forward(weights: Weights, image0: Tensor, image1: Tensor, t: float) -> Tensor:
    """The network's own answer, in [0, 1].

    Args:
        weights: official keys, of R or F; all is computed on their device and in their dtype, splats in float32.
        image0: (N, 3, H, W) in [0, 1], sides multiples of 16 from 128.
        image1: the same.
        t: between 0 and 1, which the published code divides by.
    """
    image0, image1 = image0.to(weights["g_filter"]), image1.to(weights["g_filter"])
    there, back = estimated(weights, image0, image1)
    flow_t = implicit(weights, there.flow, back.flow, t)
    return synthesized(weights, 2 * image0 - 1, 2 * image1 - 1, there, back, flow_t, t)


def estimated(weights: Weights, image0: Tensor, image1: Tensor) -> tuple[Estimate, Estimate]:
    """From either image to the other, each from nothing."""
    estimate = raft if "amt_fproj.weight" in weights else flowformer.flowformer
    return estimate(weights, image0, image1), estimate(weights, image1, image0)


# RAFT.


def raft(weights: Weights, image0: Tensor, image1: Tensor) -> Estimate:
    """From image0 to image1, with its features projected to the channels of synthesis."""
    update = "flow_estimator.update_block"
    image0, image1 = 2 * image0 - 1, 2 * image1 - 1
    fmap0, fmap1 = encoded(weights, "flow_estimator.fnet", torch.cat([image0, image1]))[2].chunk(2)
    quarter, eighth, context = encoded(weights, "flow_estimator.cnet", image0)
    hidden, given = flowformer.halves(context)
    seen = pyramid(flowformer.all_pairs(fmap0, fmap1) / 16)
    start = at = flowformer.coordinates(fmap0)
    for _ in range(20):
        moving = flowformer.motion(weights, f"{update}.encoder", at - start, flowformer.lookup(seen, at))
        hidden = flowformer.gated(weights, f"{update}.gru", hidden, torch.cat([given, moving], 1))
        at = at + flowformer.two(weights, f"{update}.flow_head.conv1", f"{update}.flow_head.conv2", hidden)
        mask = flowformer.two(weights, f"{update}.mask.0", f"{update}.mask.2", hidden)
        flow = flowformer.upsampled(at - start, mask)
    return Estimate(
        flow,
        conv(weights, "amt_second_last_cproj", quarter),
        conv(weights, "amt_last_cproj", eighth),
        conv(weights, "amt_fproj", fmap0),
    )


def encoded(weights: Weights, name: str, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the second stage at 1/4, of the third at 1/8, and of the last convolution."""
    x = normed(weights, f"{name}.norm1", conv(weights, f"{name}.conv1", x, 2)).relu()
    x = residual(weights, f"{name}.layer1.1", residual(weights, f"{name}.layer1.0", x))
    quarter = residual(weights, f"{name}.layer2.1", residual(weights, f"{name}.layer2.0", x, 2))
    eighth = residual(weights, f"{name}.layer3.1", residual(weights, f"{name}.layer3.0", quarter, 2))
    return quarter, eighth, conv(weights, f"{name}.conv2", eighth)


def residual(weights: Weights, name: str, x: Tensor, stride: int = 1) -> Tensor:
    made = normed(weights, f"{name}.norm1", conv(weights, f"{name}.conv1", x, stride)).relu()
    made = normed(weights, f"{name}.norm2", conv(weights, f"{name}.conv2", made)).relu()
    if stride > 1:
        x = normed(weights, f"{name}.downsample.1", conv(weights, f"{name}.downsample.0", x, stride))
    return (x + made).relu()


def normed(weights: Weights, name: str, x: Tensor) -> Tensor:
    """By the batch's statistics in the file; fnet has none, and so an instance's own."""
    if f"{name}.running_mean" not in weights:
        return F.instance_norm(x)
    mean, var, weight, bias = (weights[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, mean, var, weight, bias)


def pyramid(volume: Tensor) -> list[Tensor]:
    levels = [volume]
    for _ in range(3):
        levels.append(F.avg_pool2d(levels[-1], 2, 2))
    return levels


# GIMM: the motion at t.


def implicit(weights: Weights, flow01: Tensor, flow10: Tensor, t: float) -> Tensor:
    """(N, 2, H, W): the whole interval's motion at the pixels of time t."""
    largest = torch.cat([flow01, -flow10], 1).abs().amax((1, 2, 3), keepdim=True)
    key0, key1 = (refined(weights, "cnn_encoder", (v / largest + 1) / 2, 3) for v in (flow01, -flow10))
    metric0, metric1 = metric(weights, flow01, flow10), metric(weights, flow10, flow01)
    moved = torch.cat([splat(key0, flow01 * t, metric0), splat(key1, flow10 * (1 - t), metric1)], 1)
    latent = moved + refined(weights, "res_conv", torch.cat([key0, key1, moved], 1), 1)
    return (2 * hyponet(weights, latent, t) - 1) * largest


def metric(weights: Weights, flow: Tensor, back: Tensor) -> Tensor:
    """(N, 1, H, W): high where the way back leads home and neighbours move alike."""
    kernel = weights["g_filter"][0].expand(2, 1, 3, 3)
    of_squares = F.conv2d(F.pad(flow**2, (1, 1, 1, 1), "reflect"), kernel, groups=2)
    squared = F.conv2d(F.pad(flow, (1, 1, 1, 1), "reflect"), kernel, groups=2) ** 2
    variance = (of_squares - squared).clamp(1e-9).sqrt().mean(1, keepdim=True)
    error = (flow + warp(back, flow)).abs().mean(1, keepdim=True)
    return 1 / (1 + error * weights["alpha_fe"]) + 1 / (1 + variance * weights["alpha_v"])


def refined(weights: Weights, name: str, x: Tensor, laterals: int) -> Tensor:
    x = leaky(conv(weights, f"{name}.1", conv(weights, f"{name}.0", x)))
    for k in range(3, 3 + laterals):
        inner = leaky(conv(weights, f"{name}.{k}.layers.0", x))
        x = x + conv(weights, f"{name}.{k}.layers.2", inner)
    return conv(weights, f"{name}.{4 + laterals}", F.pad(leaky(x), (1, 1, 1, 1), "reflect"), padding=0)


def splat(x: Tensor, flow: Tensor, weight: Tensor) -> Tensor:
    """Every pixel added to the four around where it goes, in float32, divided by the weights there; 0 at uncovered."""
    n, _, h, w = x.shape
    source = torch.cat([x * weight, weight], 1).float().flatten(2)
    flow = flow.float()
    target = (flowformer.coordinates(flow) + flow).flatten(2)
    low, total = target.floor(), torch.zeros_like(source)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        corner = low + torch.stack([torch.full_like(low[:, 0], dx), torch.full_like(low[:, 0], dy)], 1)
        share = (1 - (target - corner).abs()).prod(1, keepdim=True)
        column, row = corner.split(1, 1)
        inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)  # no NaN is, so none becomes an index
        index = torch.where(inside, row, 0).long() * w + torch.where(inside, column, 0).long()
        total.scatter_add_(2, index.expand_as(source), source * torch.where(inside, share, 0))
    values, norms = total[:, :-1], total[:, -1:]
    return (values / torch.where(norms == 0, 1, norms)).view(n, -1, h, w).to(x.dtype)


def hyponet(weights: Weights, latent: Tensor, t: float) -> Tensor:
    """(N, 2, H, W) of (N, 32, H, W): sines of the latent code, time and place."""
    n, _, h, w = latent.shape
    y, x = ((2 * torch.arange(size, dtype=latent.dtype, device=latent.device) + 1) / size - 1 for size in (h, w))
    time = latent.new_full((h, w), t)
    where = torch.stack([time, *torch.meshgrid(y, x, indexing="ij")]).expand(n, 3, h, w)
    z = torch.cat([latent, where], 1).flatten(2).mT
    for k in range(5):
        layer = weights[f"hyponet.params_dict.linear_wb{k}"]
        z = (z if k == 0 else z.sin()) @ F.normalize(layer[:-1], dim=0) + layer[-1]
    return z.mT.contiguous().view(n, 2, h, w) + 0.5


# Synthesis.


def synthesized(
    weights: Weights, image0: Tensor, image1: Tensor, there: Estimate, back: Estimate, flow_t: Tensor, t: float
) -> Tensor:
    """Of images in [-1, 1]: flows at 1/4, two updates by correlation, three flows at full size, and their merger."""
    flow0, flow1, mask, feature = begun(weights, image0, image1, (there.eighth, back.eighth), flow_t, t)
    corr = looked_up(there.fmap, back.fmap, flow0, flow1, t)
    flows = torch.cat([flow0, flow1], 1)
    change, moves = updated(weights, "amt_update4_low", resize(feature, 0.5), resize(flows, 0.5) * 0.5, corr)
    feature, flows = feature + resize(change, 2), flows + resize(moves, 2) * 2
    change, moves = updated(weights, "amt_update4_high", feature, flows, resize(corr, 2))
    feature, flows = feature + change, flows + moves
    return finished(weights, image0, image1, (there.quarter, back.quarter), resize(flows, 4) * 4, feature, mask)


def begun(
    weights: Weights, image0: Tensor, image1: Tensor, eighths: tuple[Tensor, Tensor], flow_t: Tensor, t: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Both flows, the mask's logit and a feature, at 1/4."""
    made0, made1 = (enlarged(weights, "amt_init_decoder.upsample", x, 1) for x in eighths)
    flow0, flow1 = resize(-t * flow_t, 0.25) * 0.25, resize((1 - t) * flow_t, 0.25) * 0.25
    small0, small1 = resize(image0, 0.25), resize(image1, 0.25)
    known = [warp(made0, flow0), warp(made1, flow1), flow0, flow1, small0, small1]
    known += [warp(small0, flow0), warp(small1, flow1)]
    made = trunk(weights, "amt_init_decoder.convblock", torch.cat(known, 1))
    return flow0 + made[:, :2], flow1 + made[:, 2:4], made[:, 4:5], made[:, 5:]


def looked_up(fmap0: Tensor, fmap1: Tensor, flow0: Tensor, flow1: Tensor, t: float) -> Tensor:
    """(N, 648, H/8, W/8): correlations where the flows at 1/4, drawn out over the interval, lead."""
    n, _, h, w = fmap0.shape
    volume = flowformer.all_pairs(fmap0, fmap1) / 16
    # A copy: of a strided view in half precision, torch 2.15 samples memory beyond it on a CPU.
    turned = volume.view(n, h * w, h * w).mT.contiguous().view(-1, 1, h, w)
    grid = flowformer.coordinates(fmap0)
    low0, low1 = resize(flow0, 0.5) * 0.5, resize(flow1, 0.5) * 0.5
    found0 = flowformer.lookup(pyramid(volume), grid + low1 / (1 - t))
    found1 = flowformer.lookup(pyramid(turned), grid + low0 / t)
    return torch.cat([found0, found1], 1)


def updated(weights: Weights, name: str, feature: Tensor, flows: Tensor, corr: Tensor) -> tuple[Tensor, Tensor]:
    """Changes of the feature and of the flows."""

    def step(key: str, x: Tensor) -> Tensor:
        return leaky(conv(weights, f"{name}.{key}", x))

    corr, motion = step("convc2", step("convc1", corr)), step("convf2", step("convf1", flows))
    joined = torch.cat([step("conv", torch.cat([corr, motion], 1)), flows, feature], 1)
    state = conv(weights, f"{name}.gru.2", step("gru.0", joined))
    change = conv(weights, f"{name}.feat_head.2", step("feat_head.0", state))
    return change, conv(weights, f"{name}.flow_head.2", step("flow_head.0", state))


def finished(
    weights: Weights,
    image0: Tensor,
    image1: Tensor,
    quarters: tuple[Tensor, Tensor],
    flows: Tensor,
    feature: Tensor,
    mask: Tensor,
) -> Tensor:
    """The image, of both flows at full size, a feature and the mask's logit at 1/4."""
    made0, made1 = (enlarged(weights, "amt_final_decoder.upsample", x, 2) for x in quarters)
    flow0, flow1 = flows[:, :2], flows[:, 2:]
    mask = resize(mask, 4)
    known = [resize(feature, 4), warp(made0, flow0), warp(made1, flow1), flow0, flow1, mask, image0, image1]
    known += [warp(image0, flow0), warp(image1, flow1)]
    made = trunk(weights, "amt_final_decoder.convblock", torch.cat(known, 1))
    delta0, delta1, logits, rest = made.split([6, 6, 3, 9], 1)
    shares = (logits + mask.repeat(1, 3, 1, 1)).sigmoid()
    merged = []
    for k in range(3):
        warped0 = warp(image0, flow0 + delta0[:, 2 * k : 2 * k + 2])
        warped1 = warp(image1, flow1 + delta1[:, 2 * k : 2 * k + 2])
        share = shares[:, k : k + 1]
        merged.append(share * warped0 + (1 - share) * warped1 + rest[:, 3 * k : 3 * k + 3])
    correction = F.prelu(conv(weights, "amt_comb_block.0", torch.cat(merged, 1)), weights["amt_comb_block.1.weight"])
    image: Tensor = (merged[0] + merged[1] + merged[2]) / 3 + conv(weights, "amt_comb_block.2", correction)
    return torch.clamp((image + 1) / 2, 0, 1)


def enlarged(weights: Weights, name: str, x: Tensor, doublings: int) -> Tensor:
    for _ in range(doublings):
        x = F.pixel_shuffle(x, 2)
    for k in range(doublings, doublings + 5):
        x = active(weights, f"{name}.{k}", x)
    x = conv(weights, f"{name}.{doublings + 5}", x)
    return normed(weights, f"{name}.{doublings + 6}", x).relu()


def trunk(weights: Weights, name: str, x: Tensor) -> Tensor:
    x = active(weights, f"{name}.0", x)
    for k in (1, 2, 3):
        y = active(weights, f"{name}.{k}.conv1", x)
        y = torch.cat([y[:, :-64], active(weights, f"{name}.{k}.conv2", y[:, -64:])], 1)
        y = active(weights, f"{name}.{k}.conv3", y)
        y = torch.cat([y[:, :-64], active(weights, f"{name}.{k}.conv4", y[:, -64:])], 1)
        x = F.prelu(x + conv(weights, f"{name}.{k}.conv5", y), weights[f"{name}.{k}.prelu.weight"])
    return conv(weights, f"{name}.4", x)


def active(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.prelu(conv(weights, f"{name}.0", x), weights[f"{name}.1.weight"])


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)


def resize(x: Tensor, factor: float) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def warp(x: Tensor, flow: Tensor) -> Tensor:
    """As published: a grid from -1 to 1 from the first pixel's centre to the last's; the edge beyond."""
    h, w = flow.shape[-2:]
    down, across = (torch.linspace(-1, 1, size, dtype=flow.dtype, device=flow.device) for size in (h, w))
    columns = across + flow[:, 0] * (2 / (w - 1))
    rows = down[:, None] + flow[:, 1] * (2 / (h - 1))
    where = torch.stack([columns, rows], -1)
    return F.grid_sample(x, where, mode="bilinear", padding_mode="border", align_corners=True)
