"""FlowFormer: all correlations of a place made into eight tokens, which flow then asks. GIMM-VFI-F's estimator.

Source: Huang et al., FlowFormer: A Transformer Architecture for Optical Flow, ECCV 2022, section 3; the aggregation of
motion is that of Jiang et al., Learning to Estimate Hidden Motions with Global Motion Aggregation, ICCV 2021.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from .raft import Context, Correlation, FlowHead, Half, MotionEncoder, SeparableGRU, enlarged, fits, grid
from .twins import WINDOW, Block, Twins, attend, code, in_windows, out_of_windows

ITERATIONS = 32
"""Of the update, as GIMM-VFI's code has it."""

_TOKENS, _CHANNELS, _HEADS = 8, 128, 8
_QUERY = 64
"""Channels with which flow asks."""
_CONTEXT = 64
"""Channels of the first frame's context that the tokens are given."""
_PATCH = 8
"""Places a side of the other frame that one patch of correlations covers."""
_THINNED = 4

_CHUNK = 1 << 24
"""Numbers after the first convolution of correlations: as many places at a time, since of all it would be terabytes."""


class FlowFormer(nn.Module):
    """Flow in pixels of the frames."""

    def __init__(self) -> None:
        super().__init__()
        self.context_encoder = nn.ModuleDict({"svt": Twins()})
        self.memory_encoder = MemoryEncoder()
        self.memory_decoder = MemoryDecoder()

    def context(self, image: Tensor) -> Context:
        """Of (N, 3, H, W) in [0, 1], sides multiples of 8; float32 whatever the model's precision."""
        scaled = 2 * image - 1
        quarter, eighth = self.context_encoder["svt"](scaled)
        hidden, given = self.memory_decoder.proj(eighth).split(128, 1)
        return Context(self.memory_encoder.features(scaled), hidden.tanh(), given.relu(), quarter, eighth)

    def flows(self, context0: Context, context1: Context) -> tuple[Tensor, Tensor]:
        """(N, 2, H, W) from either frame to the other, from one set of correlations."""
        found = Correlation.of(context0.fmap, context1.fmap, levels=1)
        return self.flow(context0, found), self.flow(context1, found, back=True)

    def flow(self, context: Context, found: Correlation, *, back: bool = False, iterations: int = ITERATIONS) -> Tensor:
        """(N, 2, H, W) from the frame of `context` to the other; `back`: it is the later one."""
        memory = self.memory_encoder(found, context.eighth, back=back)
        return self.memory_decoder(memory, context, found, back, iterations)  # type: ignore[no-any-return]


def raw(correlations: Tensor, found: Correlation) -> Tensor:
    """Products not divided by the root of the channels, as FlowFormer was trained; the root is a power of two."""
    return correlations * sqrt(found.fmap0.shape[1])


class MemoryEncoder(nn.Module):
    """Features that are correlated, and eight tokens of each place's correlations (section 3.2)."""

    def __init__(self) -> None:
        super().__init__()
        self.feat_encoder = nn.ModuleDict({"svt": Twins()})
        self.channel_convertor = nn.Conv2d(256, 256, 1, bias=False)
        self.cost_perceiver_encoder = CostPerceiver()

    def features(self, image: Tensor) -> Tensor:
        """(N, 256, h/8, w/8) of (N, 3, h, w) in [-1, 1]."""
        return self.channel_convertor(self.feat_encoder["svt"](image)[1])  # type: ignore[no-any-return]

    def forward(self, found: Correlation, context: Tensor, *, back: bool) -> Tensor:
        """(N, h w, tokens, 128)."""
        h, w = context.shape[-2:]
        tokens = self.cost_perceiver_encoder
        chunk, dtype = max(1, _CHUNK // (4 * h * w)), tokens.latent_tokens.dtype
        parts = [
            tokens.read(raw(found.rows(k, min(k + chunk, h * w), back=back), found).to(dtype))
            for k in range(0, h * w, chunk)
        ]
        return tokens(torch.cat(parts, 1), context.to(dtype)).to(context.dtype)  # type: ignore[no-any-return]


class CostPerceiver(nn.Module):
    """Correlations to tokens; then tokens of one place to each other, and those of one kind from place to place."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_tokens = nn.Parameter(torch.empty(1, _TOKENS, _CHANNELS))
        self.patch_embed = CostPatches()
        self.input_layer = Asking()
        self.encoder_layers = nn.ModuleList(Asking() for _ in range(3))
        self.vertical_encoder_layers = nn.ModuleList(Between() for _ in range(3))

    def read(self, cost: Tensor) -> Tensor:
        """(N, P, tokens, 128) of the correlations (N, P, h, w) of P places."""
        patches = self.patch_embed(cost.flatten(0, 1)[:, None])
        made = self.input_layer(self.latent_tokens, patches)
        return made.view(*cost.shape[:2], _TOKENS, _CHANNELS)  # type: ignore[no-any-return]

    def forward(self, read: Tensor, context: Tensor) -> Tensor:
        """(N, h w, tokens, 128) to the same, with the context (N, 256, h, w) of the frame."""
        n, _, h, w = context.shape
        context, x = context.permute(0, 2, 3, 1), read
        for within, between in zip(self.encoder_layers, self.vertical_encoder_layers, strict=True):
            x = x.flatten(0, 1)
            x = within(x).view(n, h, w, _TOKENS, _CHANNELS)
            # A token is a picture of its own: (N tokens, h, w, 128), those of one frame after each other.
            x = x.permute(0, 3, 1, 2, 4).flatten(0, 1)
            x = between(x, context).view(n, _TOKENS, h * w, _CHANNELS).transpose(1, 2)
        return x + read


class Between(nn.Module):
    """Tokens of one kind to each other, near and far."""

    def __init__(self) -> None:
        super().__init__()
        self.local_block = Block(_CHANNELS, ContextLocal(), 1e-5)
        self.global_block = Block(_CHANNELS, ContextThinned(), 1e-5)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N tokens, h, w, 128) to the same, with context (N, h, w, 256)."""
        return self.global_block(self.local_block(x, context), context)  # type: ignore[no-any-return]


class CostPatches(nn.Module):
    """The correlations of one place as patches of the other frame, with where they are."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.Conv2d(1, 16, 6, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 6, 2, 2), nn.ReLU(), nn.Conv2d(32, 64, 6, 2, 2)
        )
        self.ffn_with_coord = nn.Sequential(nn.Conv2d(128, 128, 1), nn.ReLU(), nn.Conv2d(128, 128, 1))
        self.norm = nn.LayerNorm(128)

    def forward(self, cost: Tensor) -> Tensor:
        """(P, 1, h, w) to (P, patches, 128)."""
        cost = functional.pad(cost, (0, -cost.shape[-1] % _PATCH, 0, -cost.shape[-2] % _PATCH))
        x = self.proj(cost)
        p, _, h, w = x.shape
        centres = _places(h, w, x) * _PATCH + _PATCH / 2
        place = code(centres, 64).to(x.dtype).permute(2, 0, 1).expand(p, -1, -1, -1)
        x = self.ffn_with_coord(torch.cat([x, place], 1))
        return self.norm(x.flatten(2).transpose(1, 2))  # type: ignore[no-any-return]


class Asking(nn.Module):
    """Tokens ask others and take in the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(_CHANNELS), nn.LayerNorm(_CHANNELS)
        self.q, self.k, self.v, self.proj = (nn.Linear(_CHANNELS, _CHANNELS) for _ in range(4))
        self.ffn = _two_layers(_CHANNELS)

    def forward(self, tokens: Tensor, asked: Tensor | None = None) -> Tensor:
        """(P or 1, tokens, 128) with (P, S, 128) to (P, tokens, 128); without, they ask each other."""
        asking = self.norm1(tokens)
        asked = asking if asked is None else asked
        questions = self.q(asking).expand(len(asked), -1, -1)  # the same of every place are made once
        answer = attend(questions, self.k(asked), self.v(asked), _HEADS)
        tokens = tokens + self.proj(answer)
        return tokens + self.ffn(self.norm2(tokens))  # type: ignore[no-any-return]


class WithContext(nn.Module):
    """Attention that knows the frame: context and place count in queries and keys, not in values.

    A layer of [tokens, context] + code is the sum of three; only that of the tokens differs from token to token.
    """

    def __init__(self) -> None:
        super().__init__()
        self.context_proj = nn.Linear(256, _CONTEXT)
        self.v, self.proj = nn.Linear(_CHANNELS, _CHANNELS), nn.Linear(_CHANNELS, _CHANNELS)

    def joined(self, layer: nn.Linear, tokens: Tensor, context: Tensor, place: Tensor) -> Tensor:
        """The layer's answer to (N tokens, ..., L, 128), with context (N, ..., L, 64) and (L, 192) of places."""
        shared = functional.linear(context, layer.weight[:, _CHANNELS:])
        shared = shared + functional.linear(place.to(context.dtype), layer.weight, layer.bias)
        own = functional.linear(tokens, layer.weight[:, :_CHANNELS])
        return (own.unflatten(0, (-1, _TOKENS)) + shared[:, None]).flatten(0, 1)  # type: ignore[no-any-return]


class ContextLocal(WithContext):
    """Within windows."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k = (nn.Linear(_CHANNELS + _CONTEXT, _CHANNELS) for _ in range(2))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N tokens, h, w, 128) to the same, with context (N, h, w, 256)."""
        windows, known = in_windows(x), in_windows(self.context_proj(context))
        place = code(_places(WINDOW, WINDOW, x), _CHANNELS + _CONTEXT).flatten(0, 1)
        q, k = (self.joined(layer, windows, known, place) for layer in (self.q, self.k))
        return self.proj(out_of_windows(attend(q, k, self.v(windows), _HEADS), x.shape[1], x.shape[2]))  # type: ignore[no-any-return]


class ContextThinned(WithContext):
    """From every place to one of each square of places; beyond the edge are zeros, which count."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(_CHANNELS + _CONTEXT, _CHANNELS), nn.Linear(_CHANNELS, _CHANNELS)
        self.sr_key = nn.Conv2d(_CHANNELS + _CONTEXT, _CHANNELS, _THINNED, _THINNED)
        self.sr_value = nn.Conv2d(_CHANNELS, _CHANNELS, _THINNED, _THINNED)
        self.norm = nn.LayerNorm(_CHANNELS)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N tokens, h, w, 128) to the same, with context (N, h, w, 256)."""
        known = self.context_proj(context)
        place = code(_places(x.shape[1], x.shape[2], x), _CHANNELS + _CONTEXT).flatten(0, 1)
        q = self.joined(self.q, x.flatten(1, 2), known.flatten(1, 2), place)
        tokens, known = _filled(x), _filled(known)
        weight = self.sr_key.weight
        own = functional.conv2d(tokens, weight[:, :_CHANNELS], stride=_THINNED).unflatten(0, (-1, _TOKENS))
        shared = functional.conv2d(known, weight[:, _CHANNELS:], self.sr_key.bias, stride=_THINNED)
        keys = self.norm((own + shared[:, None]).flatten(0, 1).permute(0, 2, 3, 1))
        values = self.norm(self.sr_value(tokens).permute(0, 2, 3, 1))
        h, w = keys.shape[1:3]
        k = self.k(keys + code(_places(h, w, x) * _THINNED, _CHANNELS).to(keys.dtype))
        return self.proj(attend(q, k.flatten(1, 2), self.v(values).flatten(1, 2), _HEADS).view(x.shape))  # type: ignore[no-any-return]


class MemoryDecoder(nn.Module):
    """Flow in steps, each asking the tokens of its place about where it leads (section 3.3)."""

    def __init__(self) -> None:
        super().__init__()
        self.flow_token_encoder = nn.Sequential(nn.Conv2d(81, _QUERY, 1), nn.GELU(), nn.Conv2d(_QUERY, _QUERY, 1))
        self.proj = nn.Conv2d(256, 256, 1)
        self.decoder_layer = nn.ModuleDict({"cross_attend": AskingMemory()})
        self.update_block = Update()
        self.att = Similarity()

    def forward(self, memory: Tensor, context: Context, found: Correlation, back: bool, iterations: int) -> Tensor:
        """(N, 2, H, W) pixels."""
        n, _, h, w = context.fmap.shape
        start = grid(n, h, w, context.fmap)
        flow, hidden = torch.zeros_like(start), context.hidden
        ask, similar = self.decoder_layer["cross_attend"], self.att(context.given)
        assert isinstance(ask, AskingMemory), "for the reader of types"
        keys, values, steps = ask.k(memory), ask.v(memory), self.update_block.gru.prepared(context.given)
        for _ in range(iterations):
            at = start + flow
            seen = raw(found.at(at, back=back), found).to(hidden.dtype)
            answer = ask(self.flow_token_encoder(seen), at, keys, values)
            hidden = self.update_block(hidden, steps, torch.cat([answer, seen], 1), flow, similar)
            flow = flow + self.update_block.flow_head(hidden).float()
        return enlarged(flow, 0.25 * self.update_block.mask(hidden).float())


class AskingMemory(nn.Module):
    """One question of each place to its own tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(_QUERY), nn.LayerNorm(_QUERY)
        self.q = nn.Linear(_QUERY, _QUERY)
        self.k, self.v = nn.Linear(_CHANNELS, _QUERY), nn.Linear(_CHANNELS, _QUERY)
        self.proj = nn.Linear(2 * _QUERY, _QUERY)
        self.ffn = _two_layers(_QUERY)

    def forward(self, query: Tensor, at: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(N, 64, h, w) to the same, for places (N, 2, h, w), with keys and values (N, h w, tokens, 64)."""
        n, _, h, w = query.shape
        query = query.flatten(2).transpose(1, 2)
        place = code(at.flatten(2).transpose(1, 2), _QUERY).to(query.dtype)
        asked = self.q(self.norm1(query) + place).view(n, h * w, 1, _HEADS, -1)
        # Eight tokens of eight channels: a matrix product for each would be all overhead.
        heads = keys.unflatten(-1, (_HEADS, -1)), values.unflatten(-1, (_HEADS, -1))
        shares = ((asked * heads[0]).sum(-1) / sqrt(_QUERY / _HEADS)).softmax(2)
        answer = (shares[..., None] * heads[1]).sum(2).flatten(2)
        query = query + self.proj(torch.cat([answer, query], -1))
        query = query + self.ffn(self.norm2(query))
        return query.transpose(1, 2).reshape(n, _QUERY, h, w)


class Similarity(nn.Module):
    """Which places of a frame are alike, and so may move alike, those hidden in the other frame too."""

    def __init__(self) -> None:
        super().__init__()
        self.to_qk = nn.Conv2d(128, 256, 1, bias=False)
        self.pos_emb = _Unused()

    def forward(self, given: Tensor) -> tuple[Tensor, ...]:
        """Shares (N, h w, h w); above a size the queries and keys (N, h w, 128) of which they are made."""
        q, k = self.to_qk(given).flatten(2).transpose(1, 2).chunk(2, -1)
        if fits(len(q), q.shape[1]):
            return (torch.bmm(q * 128**-0.5, k.transpose(1, 2)).softmax(-1),)
        # Attention without all pairs, fused, wants a place's channels together.
        return q.contiguous(), k.contiguous()


class _Unused(nn.Module):
    """Of attention by place, which the published network has switched off; its files hold it."""

    def __init__(self) -> None:
        super().__init__()
        self.rel_height, self.rel_width = nn.Embedding(319, 128), nn.Embedding(319, 128)
        self.register_buffer("rel_ind", torch.empty(160, 160, dtype=torch.int64))


class Update(nn.Module):
    """RAFT's step, which also sees how places move that look alike."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MotionEncoder(_QUERY + 81)
        self.gru = SeparableGRU(512)
        self.flow_head = FlowHead()
        self.mask = nn.Sequential(nn.Conv2d(128, 256, 3, 1, 1), nn.ReLU(), nn.Conv2d(256, 576, 1))
        self.aggregator = Aggregator()

    def forward(
        self, hidden: Tensor, steps: list[Half], seen: Tensor, flow: Tensor, similar: tuple[Tensor, ...]
    ) -> Tensor:
        """The new hidden state, (N, 128, h, w)."""
        moved = self.encoder(flow.to(hidden.dtype), seen)
        return self.gru(hidden, torch.cat([moved, self.aggregator(moved, similar)], 1), steps)  # type: ignore[no-any-return]


class Aggregator(nn.Module):
    """The motion of places that look alike, added."""

    def __init__(self) -> None:
        super().__init__()
        self.to_v = nn.Conv2d(128, 128, 1, bias=False)
        self.gamma = nn.Parameter(torch.empty(1))

    def forward(self, moved: Tensor, similar: tuple[Tensor, ...]) -> Tensor:
        """(N, 128, h, w) to the same."""
        v = self.to_v(moved).flatten(2).transpose(1, 2)
        if len(similar) == 1:
            gathered = torch.bmm(similar[0], v)
        else:
            q, k = similar
            gathered = attend(q, k, v.contiguous(), 1)
        return moved + self.gamma * gathered.transpose(1, 2).reshape(moved.shape)


def _two_layers(channels: int) -> nn.Sequential:
    # Published keys count a dropout between, which inference has not.
    return nn.Sequential(nn.Linear(channels, channels), nn.GELU(), nn.Identity(), nn.Linear(channels, channels))


def _places(h: int, w: int, like: Tensor) -> Tensor:
    """(h, w, 2) coordinates, x then y."""
    return grid(1, h, w, like)[0].permute(1, 2, 0)


def _filled(x: Tensor) -> Tensor:
    """(N, h, w, C) to (N, C, ...) with zeros below and right to whole squares."""
    return functional.pad(x, (0, 0, 0, -x.shape[2] % _THINNED, 0, -x.shape[1] % _THINNED)).permute(0, 3, 1, 2)
