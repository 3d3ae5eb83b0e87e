"""FlowFormer's published forward written plainly, from the sheet of facts, and the recurrent steps it has from RAFT.

reference_gimmvfi.py estimates flow with it, and builds RAFT of the same steps. Every call computes all there is: both
frames' features, the whole correlation volume, the flow at full size after each step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

type Weights = Mapping[str, Tensor]

HEADS, TOKENS = 8, 8


class Estimate(NamedTuple):
    """Flow, and what synthesis is given of the frame it begins in.

    Attributes:
        flow: (N, 2, H, W) pixels, from the first image to the second.
        quarter: (N, 128, H/4, W/4), features.
        eighth: (N, 256, H/8, W/8), features.
        fmap: (N, 256, H/8, W/8), to be correlated.
    """

    flow: Tensor
    quarter: Tensor
    eighth: Tensor
    fmap: Tensor


def flowformer(weights: Weights, image0: Tensor, image1: Tensor) -> Estimate:
    """From image0 to image1, (N, 3, H, W) in [0, 1], sides multiples of 8."""
    image0, image1 = 2 * image0 - 1, 2 * image1 - 1
    quarter, eighth = twins(weights, "flow_estimator.context_encoder.svt", image0)
    fmaps = twins(weights, "flow_estimator.memory_encoder.feat_encoder.svt", torch.cat([image0, image1]))[1]
    fmap0, fmap1 = conv(weights, "flow_estimator.memory_encoder.channel_convertor", fmaps).chunk(2)
    cost = all_pairs(fmap0, fmap1)
    memory = remembered(weights, "flow_estimator.memory_encoder.cost_perceiver_encoder", cost, eighth)
    return Estimate(decoded(weights, "flow_estimator.memory_decoder", cost, memory, eighth), quarter, eighth, fmap0)


def remembered(weights: Weights, name: str, cost: Tensor, context: Tensor) -> Tensor:
    """(P, 8, 128) tokens of the P source places' cost maps (P, 1, h, w), with the source's (N, 256, h, w) features."""
    n, _, h, w = context.shape
    first = asked(weights, f"{name}.input_layer", weights[f"{name}.latent_tokens"], patches(weights, name, cost))
    # Sample by sample, as the tokens are: the published order mixes the samples of a batch up.
    around = context.permute(0, 2, 3, 1).repeat_interleave(TOKENS, 0)
    tokens = first
    for k in range(3):
        tokens = asked(weights, f"{name}.encoder_layers.{k}", tokens)
        planes = tokens.view(n, h * w, TOKENS, 128).transpose(1, 2).reshape(n * TOKENS, h, w, 128)
        layer = f"{name}.vertical_encoder_layers.{k}"
        near = partial(windowed_with_context, weights, f"{layer}.local_block.attn", around)
        far = partial(thinned_with_context, weights, f"{layer}.global_block.attn", around)
        planes = block(weights, f"{layer}.local_block", planes, near, 1e-5)
        planes = block(weights, f"{layer}.global_block", planes, far, 1e-5)
        tokens = planes.view(n, TOKENS, h * w, 128).transpose(1, 2).reshape(-1, TOKENS, 128)
    return tokens + first


def patches(weights: Weights, name: str, cost: Tensor) -> Tensor:
    """(P, patches, 128) of (P, 1, h, w), one each 8x8."""
    height, width = cost.shape[-2:]
    x = F.pad(cost, (0, -width % 8, 0, -height % 8))
    for k in (0, 2, 4):
        x = conv(weights, f"{name}.patch_embed.proj.{k}", x if k == 0 else x.relu(), 2, 2)
    centres = places(x.shape[-2], x.shape[-1], x) * 8 + 4
    x = torch.cat([x, code(centres, 64).permute(2, 0, 1).expand_as(x)], 1)
    x = conv(weights, f"{name}.patch_embed.ffn_with_coord.0", x).relu()
    x = conv(weights, f"{name}.patch_embed.ffn_with_coord.2", x)
    return norm(weights, f"{name}.patch_embed.norm", x.flatten(2).mT)


def asked(weights: Weights, name: str, tokens: Tensor, other: Tensor | None = None) -> Tensor:
    """Tokens (P or 1, 8, 128) after asking (P, S, 128), or each other."""
    query = norm(weights, f"{name}.norm1", tokens)
    source = query if other is None else other
    q = linear(weights, f"{name}.q", query)
    k, v = linear(weights, f"{name}.k", source), linear(weights, f"{name}.v", source)
    tokens = tokens + linear(weights, f"{name}.proj", attention(q, k, v, HEADS))
    return tokens + feed(weights, f"{name}.ffn", norm(weights, f"{name}.norm2", tokens))


def windowed_with_context(weights: Weights, name: str, context: Tensor, x: Tensor) -> Tensor:
    """(N tokens, h, w, 128), context (N tokens, h, w, 256): queries and keys know it and the place in the window."""
    both = windows(torch.cat([x, linear(weights, f"{name}.context_proj", context)], -1))
    both = both + code(places(7, 7, x), 192).flatten(0, 1)
    q, k = linear(weights, f"{name}.q", both), linear(weights, f"{name}.k", both)
    v = linear(weights, f"{name}.v", windows(x))
    return unwindowed(attention(q, k, v, HEADS), x)


def thinned_with_context(weights: Weights, name: str, context: Tensor, x: Tensor) -> Tensor:
    """The same from every place to one of each 4x4."""
    h, w, c = x.shape[1:]
    x = F.pad(x, (0, 0, 0, -w % 4, 0, -h % 4))
    context = F.pad(linear(weights, f"{name}.context_proj", context), (0, 0, 0, -w % 4, 0, -h % 4))
    both = torch.cat([x, context], -1)
    q = linear(weights, f"{name}.q", both + code(places(both.shape[1], both.shape[2], x), 192))
    keys = norm(weights, f"{name}.norm", strided(weights, f"{name}.sr_key", both, 4))
    values = norm(weights, f"{name}.norm", strided(weights, f"{name}.sr_value", x, 4))
    keys = keys + code(4 * places(keys.shape[1], keys.shape[2], x), c)
    k, v = linear(weights, f"{name}.k", keys), linear(weights, f"{name}.v", values)
    return attention(q.flatten(1, 2), k.flatten(1, 2), v.flatten(1, 2), HEADS).view_as(x)[:, :h, :w]


def decoded(weights: Weights, name: str, cost: Tensor, memory: Tensor, context: Tensor) -> Tensor:
    """(N, 2, H, W): 32 steps, each asking a place's tokens about where its flow leads."""
    n, _, h, w = context.shape
    update, cross = f"{name}.update_block", f"{name}.decoder_layer.cross_attend"
    hidden, given = halves(conv(weights, f"{name}.proj", context))
    q, k = conv(weights, f"{name}.att.to_qk", given).flatten(2).mT.chunk(2, -1)
    alike = (128**-0.5 * q @ k.mT).softmax(-1)
    keys, values = linear(weights, f"{cross}.k", memory), linear(weights, f"{cross}.v", memory)
    start = at = coordinates(context)
    for _ in range(32):
        window = lookup([cost], at)
        query = conv(weights, f"{name}.flow_token_encoder.0", window)
        query = conv(weights, f"{name}.flow_token_encoder.2", F.gelu(query))
        query = query.permute(0, 2, 3, 1).reshape(n * h * w, 1, 64)
        asking = norm(weights, f"{cross}.norm1", query) + code(at.permute(0, 2, 3, 1).reshape(n * h * w, 1, 2), 64)
        answer = attention(linear(weights, f"{cross}.q", asking), keys, values, HEADS)
        query = query + linear(weights, f"{cross}.proj", torch.cat([answer, query], -1))
        query = query + feed(weights, f"{cross}.ffn", norm(weights, f"{cross}.norm2", query))
        answer = query.view(n, h, w, 64).permute(0, 3, 1, 2)
        moving = motion(weights, f"{update}.encoder", at - start, torch.cat([answer, window], 1))
        others = alike @ conv(weights, f"{update}.aggregator.to_v", moving).flatten(2).mT
        others = moving + weights[f"{update}.aggregator.gamma"] * others.mT.reshape(moving.shape)
        hidden = gated(weights, f"{update}.gru", hidden, torch.cat([given, moving, others], 1))
        at = at + two(weights, f"{update}.flow_head.conv1", f"{update}.flow_head.conv2", hidden)
        flow = upsampled(at - start, two(weights, f"{update}.mask.0", f"{update}.mask.2", hidden))
    return flow


def twins(weights: Weights, name: str, image: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 128, h/4, w/4) and (N, 256, h/8, w/8): the first two stages of Twins-SVT-Large."""
    stages, x = [], image
    for k, (size, heads, step) in enumerate(((4, 4, 8), (2, 8, 4))):
        near = partial(windowed, weights, f"{name}.blocks.{k}.0.attn", heads)
        far = partial(thinned, weights, f"{name}.blocks.{k}.1.attn", heads, step)
        x = conv(weights, f"{name}.patch_embeds.{k}.proj", x, size, 0).permute(0, 2, 3, 1)
        x = block(weights, f"{name}.blocks.{k}.0", norm(weights, f"{name}.patch_embeds.{k}.norm", x), near, 1e-6)
        x = x.permute(0, 3, 1, 2)
        depthwise = weights[f"{name}.pos_block.{k}.proj.0.weight"], weights[f"{name}.pos_block.{k}.proj.0.bias"]
        x = x + F.conv2d(x, *depthwise, padding=1, groups=x.shape[1])
        x = block(weights, f"{name}.blocks.{k}.1", x.permute(0, 2, 3, 1), far, 1e-6)
        x = x.permute(0, 3, 1, 2).contiguous()  # else all that follows would run in another memory format
        stages.append(x)
    return stages[0], stages[1]


def block(weights: Weights, name: str, x: Tensor, attend: Callable[[Tensor], Tensor], eps: float) -> Tensor:
    x = x + linear(weights, f"{name}.attn.proj", attend(norm(weights, f"{name}.norm1", x, eps)))
    wide = linear(weights, f"{name}.mlp.fc1", norm(weights, f"{name}.norm2", x, eps))
    return x + linear(weights, f"{name}.mlp.fc2", F.gelu(wide))


def windowed(weights: Weights, name: str, heads: int, x: Tensor) -> Tensor:
    q, k, v = linear(weights, f"{name}.qkv", windows(x)).chunk(3, -1)
    return unwindowed(attention(q, k, v, heads), x)


def thinned(weights: Weights, name: str, heads: int, step: int, x: Tensor) -> Tensor:
    seen = norm(weights, f"{name}.norm", strided(weights, f"{name}.sr", x, step))
    k, v = linear(weights, f"{name}.kv", seen).flatten(1, 2).chunk(2, -1)
    return attention(linear(weights, f"{name}.q", x).flatten(1, 2), k, v, heads).view_as(x)


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """(..., L, C) at (..., S, C), each head with its share of the channels."""
    q, k, v = (each.unflatten(-1, (heads, -1)).transpose(-3, -2) for each in (q, k, v))
    shares = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)
    return (shares @ v).transpose(-3, -2).flatten(-2)  # type: ignore[no-any-return]


def windows(x: Tensor) -> Tensor:
    """(N, h, w, C) as (N, down, across, 49, C), zeros below and right where the last 7x7 are not full."""
    height, width = x.shape[1:3]
    x = F.pad(x, (0, 0, 0, -width % 7, 0, -height % 7))
    return x.unflatten(2, (-1, 7)).unflatten(1, (-1, 7)).transpose(2, 3).flatten(3, 4)  # type: ignore[no-any-return]


def unwindowed(x: Tensor, like: Tensor) -> Tensor:
    height, width = like.shape[1:3]
    x = x.unflatten(3, (7, 7)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
    return x[:, :height, :width]


def code(place: Tensor, channels: int) -> Tensor:
    """(..., channels) of places (..., 2)."""
    frequencies = torch.arange(channels // 4, dtype=place.dtype, device=place.device)
    x, y = (3.14 / 200 * each[..., None] * frequencies for each in place.unbind(-1))
    return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], -1)


def feed(weights: Weights, name: str, x: Tensor) -> Tensor:
    return linear(weights, f"{name}.3", F.gelu(linear(weights, f"{name}.0", x)))


def strided(weights: Weights, name: str, x: Tensor, step: int) -> Tensor:
    return conv(weights, name, x.permute(0, 3, 1, 2), step, 0).permute(0, 2, 3, 1)


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def norm(weights: Weights, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps)


# What both estimators do.


def conv(weights: Weights, name: str, x: Tensor, stride: int = 1, padding: int | None = None) -> Tensor:
    """Padded with zeros by half the kernel unless told."""
    weight = weights[f"{name}.weight"]
    around = (weight.shape[-2] // 2, weight.shape[-1] // 2) if padding is None else (padding, padding)
    return F.conv2d(x, weight, weights.get(f"{name}.bias"), stride, around)


def two(weights: Weights, first: str, second: str, x: Tensor) -> Tensor:
    return conv(weights, second, conv(weights, first, x).relu())


def halves(context: Tensor) -> tuple[Tensor, Tensor]:
    """The state to begin with, and what each step is given."""
    return context[:, :128].tanh(), context[:, 128:].relu()


def places(h: int, w: int, like: Tensor) -> Tensor:
    """(h, w, 2), x then y."""
    y, x = (torch.arange(size, dtype=like.dtype, device=like.device) for size in (h, w))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def coordinates(like: Tensor) -> Tensor:
    """(N, 2, h, w): where each place of (N, C, h, w) is."""
    n, _, h, w = like.shape
    return places(h, w, like).permute(2, 0, 1).repeat(n, 1, 1, 1)


def all_pairs(fmap0: Tensor, fmap1: Tensor) -> Tensor:
    """(N h w, 1, h, w): for each place of image 0 its products with all of image 1."""
    return (fmap0.flatten(2).mT @ fmap1.flatten(2)).view(-1, 1, *fmap1.shape[-2:])


def lookup(pyramid: list[Tensor], at: Tensor) -> Tensor:
    """(N, 81 levels, h, w): the windows of 9x9 around (N, 2, h, w) coordinates, zeros outside."""
    n, _, h, w = at.shape
    reach = torch.arange(-4, 5, dtype=at.dtype, device=at.device)
    # The rows' offsets are added to x, as published: windows lie on their side.
    offsets = torch.stack(torch.meshgrid(reach, reach, indexing="ij"), -1)
    found = []
    for k, level in enumerate(pyramid):
        height, width = level.shape[-2:]
        x, y = (at.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2) / 2**k + offsets).unbind(-1)
        where = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], -1)
        found.append(F.grid_sample(level, where, align_corners=True).view(n, h, w, 81))
    return torch.cat(found, -1).permute(0, 3, 1, 2).contiguous()


def motion(weights: Weights, name: str, flow: Tensor, seen: Tensor) -> Tensor:
    """(N, 128, h, w), the flow itself the last two channels."""
    seen = two(weights, f"{name}.convc1", f"{name}.convc2", seen).relu()
    moved = two(weights, f"{name}.convf1", f"{name}.convf2", flow).relu()
    return torch.cat([conv(weights, f"{name}.conv", torch.cat([seen, moved], 1)).relu(), flow], 1)


def gated(weights: Weights, name: str, hidden: Tensor, x: Tensor) -> Tensor:
    """Along rows, then along columns."""
    for k in (1, 2):
        joined = torch.cat([hidden, x], 1)
        z = conv(weights, f"{name}.convz{k}", joined).sigmoid()
        r = conv(weights, f"{name}.convr{k}", joined).sigmoid()
        q = conv(weights, f"{name}.convq{k}", torch.cat([r * hidden, x], 1)).tanh()
        hidden = (1 - z) * hidden + z * q
    return hidden


def upsampled(flow: Tensor, mask: Tensor) -> Tensor:
    """Eight times the size and value, each pixel a convex combination of the 3x3 around it."""
    n, _, h, w = flow.shape
    shares = (0.25 * mask).view(n, 1, 9, 64, h, w).softmax(2)
    around = F.unfold(8 * flow, 3, padding=1).view(n, 2, 9, 1, h, w)
    return F.pixel_shuffle((shares * around).sum(2).flatten(1, 2), 8)
