"""How alike the features of two frames are: near each place (local_cost), or between all pairs of places."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

from vsvfi.errors import ShapeError

from . import kernels
from .layout import gradients_wanted, memory_format
from .lookup import pooled

_RADII = (3, 4)
"""Those there are kernels for: UPR-Net's, and LiteFlowNet's, which teaches IFRNet."""

_BLOCK = 8
"""Side of the blocks that are correlated as matrices; at radius 4 two thirds of the products are then thrown away."""


def local_cost(features0: Tensor, features1: Tensor, radius: int = 4, *, stride: int = 1) -> Tensor:
    """The mean over channels of the products of each place in frame 0 with the places around it in frame 1.

    out(k, y, x) = mean_c f0(c, sy, sx) f1(c, sy + s dy, sx + s dx), where s is the stride, dx and dy go from -r to r,
    and k = (dy + r)(2r + 1) + dx + r. Outside frame 1 is 0.

    Args:
        features0: (N, C, H, W), floating, any memory format.
        features1: the same shape.
        radius: r, from 0.
        stride: s, from 1, of both the places and the offsets.

    Returns:
        (N, (2r + 1)^2, ceil(H / s), ceil(W / s)) with the dtype of the features.

    Raises:
        ShapeError: the features differ in shape.

    Source: Sun et al., PWC-Net, CVPR 2018, eq. 2. Kernel: cuda/local_cost.cu.
    """
    _same_shape(features0, features1)
    if radius in _RADII and kernels.usable(features0, features1) and not gradients_wanted(features0, features1):
        return local_cost_operator(features0, features1, radius, stride)  # type: ignore[no-any-return]
    return local_cost_definition(features0, features1, radius, stride)


def local_cost_definition(features0: Tensor, features1: Tensor, radius: int, stride: int) -> Tensor:
    """What a local cost means; any device, differentiable."""
    # Places and offsets lie on one grid of every s-th pixel: on it alone the stride is 1.
    features0, features1 = (features[..., ::stride, ::stride] for features in (features0, features1))
    n, c, h, w = features0.shape
    rows, columns, side = -(-h // _BLOCK), -(-w // _BLOCK), _BLOCK + 2 * radius
    below, right = rows * _BLOCK - h, columns * _BLOCK - w
    own = functional.pad(features0.permute(0, 2, 3, 1), (0, 0, 0, right, 0, below))
    other = functional.pad(features1.permute(0, 2, 3, 1), (0, 0, radius, radius + right, radius, radius + below))
    # (blocks, 64, C) times (blocks, C, side * side): each place of a block with the whole neighbourhood of the block.
    own = own.reshape(n, rows, _BLOCK, columns, _BLOCK, c).transpose(2, 3).reshape(-1, _BLOCK * _BLOCK, c)
    other = other.unfold(1, side, _BLOCK).unfold(2, side, _BLOCK).permute(0, 1, 2, 4, 5, 3).reshape(-1, side * side, c)
    products = torch.bmm(own, other.transpose(1, 2)) / c
    # Of these, place (y, x) wants the square that begins at (y, x): a diagonal view.
    span = 2 * radius + 1
    place, square = side * side, side
    wanted = products.as_strided(
        (n, rows, columns, _BLOCK, _BLOCK, span, span),
        (
            rows * columns * _BLOCK * _BLOCK * place,
            columns * _BLOCK * _BLOCK * place,
            _BLOCK * _BLOCK * place,
            _BLOCK * place + square,
            place + 1,
            square,
            1,
        ),
    )
    volume = wanted.permute(0, 1, 3, 2, 4, 5, 6).reshape(n, rows * _BLOCK, columns * _BLOCK, span * span)
    return volume.permute(0, 3, 1, 2)[..., :h, :w]


@torch.library.custom_op("vsvfi::local_cost", mutates_args=())
def local_cost_operator(features0: Tensor, features1: Tensor, radius: int, stride: int) -> Tensor:
    """As the definition, without gradients, on its kernel where there is one."""
    out = _volume_like(features0, radius, stride)
    if not kernels.usable(features0, features1):
        return out.copy_(local_cost_definition(features0, features1, radius, stride))
    n, c, h, w = features0.shape
    _, _, rows, columns = out.shape
    count = n * rows * columns * (2 * radius + 1)
    index = kernels.index_type(features0, features1, out, count=count)
    packed = str(kernels.in_packs(features0) and kernels.in_packs(features1)).lower()
    name = f"local_cost<{kernels.TYPES[features0.dtype]}, {index}, {radius}, {packed}>"
    layout = [number for tensor in (features0, features1, out) for number in kernels.strides(tensor, index)]
    sizes, grid = kernels.indices((n, c, h, w), index), kernels.indices((rows, columns, stride), index)
    kernels.launch("local_cost", name, count, features0, features1, out, *sizes, *layout, *grid)
    return out


@local_cost_operator.register_fake
def _(features0: Tensor, features1: Tensor, radius: int, stride: int) -> Tensor:
    return _volume_like(features0, radius, stride)


@register_flop_formula(torch.ops.vsvfi.local_cost)
def _local_cost_flops(shape0: tuple[int, ...], _: object, radius: int, stride: int, **__: object) -> int:
    n, c, h, w = shape0
    return 2 * n * c * -(-h // stride) * -(-w // stride) * (2 * radius + 1) ** 2


def _volume_like(features: Tensor, radius: int, stride: int) -> Tensor:
    n, _, h, w = features.shape
    shape = n, (2 * radius + 1) ** 2, -(-h // stride), -(-w // stride)
    return torch.empty(shape, dtype=features.dtype, device=features.device, memory_format=memory_format(features))


def all_pairs(features0: Tensor, features1: Tensor, levels: int = 4) -> list[Tensor]:
    """The inner product of every place in frame 0 with every place in frame 1, and its means over frame 1.

    Frame 1 is halved from level to level by means of 2x2 places, an odd last row or column dropped. For the volume
    seen from frame 1, call it with the frames exchanged.

    Args:
        features0: (N, C, H, W), floating.
        features1: (N, C, H1, W1), both from 2^(levels - 1).
        levels: from 1.

    Returns:
        Of each level (N, H, W, H1 // 2^l, W1 // 2^l), divided by the root of C.

    Raises:
        ShapeError: the features differ in N or C, or frame 1 has no place left on the last level.

    Source: Teed and Deng, RAFT, ECCV 2020, section 3.2.
    """
    n, c, h, w = features0.shape
    if features1.shape[:2] != (n, c) or min(features1.shape[-2:]) < 1 << (levels - 1):
        shapes = f"{tuple(features0.shape)} and {tuple(features1.shape)}"
        raise ShapeError(f"features must have one N and C, and sides of at least {1 << (levels - 1)}, got {shapes}")
    volume = torch.bmm(features0.flatten(2).transpose(1, 2), features1.flatten(2)) / math.sqrt(c)
    pyramid = pooled(volume.view(n * h * w, 1, *features1.shape[-2:]), levels)
    return [level.view(n, h, w, *level.shape[-2:]) for level in pyramid]


def lookup(pyramid: list[Tensor], coordinates: Tensor, radius: int = 4) -> Tensor:
    """What each place of frame 0 finds around its coordinates in frame 1, on each level.

    Channel k (2r + 1)^2 + i (2r + 1) + j is level k at (X / 2^k + i - r, Y / 2^k + j - r), bilinear, outside 0. The
    slow index moves along x, as RAFT has it and its weights expect. Positions are in float32.

    Args:
        pyramid: from `all_pairs`.
        coordinates: (N, 2, H, W), X then Y, pixels of frame 1 on level 0; one that is not finite finds 0.
        radius: r, from 0.

    Returns:
        (N, levels (2r + 1)^2, H, W) with the dtype of the pyramid.

    Raises:
        ShapeError: the coordinates differ from the pyramid in N, H or W.

    Source: Teed and Deng, RAFT, ECCV 2020, section 3.2.
    """
    n, h, w = pyramid[0].shape[:3]
    if coordinates.shape != (n, 2, h, w):
        raise ShapeError(f"coordinates must be {(n, 2, h, w)} for this pyramid, got {tuple(coordinates.shape)}")
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32, device=coordinates.device)
    centres = coordinates.to(torch.float32).permute(0, 2, 3, 1).reshape(n * h * w, 2)
    found = []
    for k, level in enumerate(pyramid):
        x = _unit(centres[:, :1] / (1 << k) + offsets, level.shape[-1])
        y = _unit(centres[:, 1:] / (1 << k) + offsets, level.shape[-2])
        span = 2 * radius + 1
        grid = torch.stack([x[:, :, None].expand(-1, span, span), y[:, None].expand(-1, span, span)], -1)
        planes = level.reshape(n * h * w, 1, *level.shape[-2:]).to(torch.float32)
        taken = functional.grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        found.append(taken.view(n, h, w, span * span).to(level.dtype))
    return torch.cat(found, -1).permute(0, 3, 1, 2).contiguous()


def _unit(position: Tensor, size: int) -> Tensor:
    """Pixels to grid_sample's coordinates; a position far outside, or none at all, becomes one just outside."""
    position = torch.where(position.isfinite(), position, -4.0).clamp(-4.0, size + 3.0)
    return position.mul(2.0 / size).add(1.0 / size - 1.0)


def _same_shape(features0: Tensor, features1: Tensor) -> None:
    if features0.shape != features1.shape:
        raise ShapeError(f"features must have one shape, got {tuple(features0.shape)} and {tuple(features1.shape)}")
