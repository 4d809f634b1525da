"""Transformer: self-attention over picture patches, series patches or table columns.

Vaswani et al., "Attention Is All You Need", NeurIPS 2017; as picture patches Dosovitskiy et al., "An Image is Worth
16x16 Words", ICLR 2021; as table columns Gorishniy, Rubachev, Khrulkov and Babenko, "Revisiting Deep Learning Models
for Tabular Data", NeurIPS 2021 (FT-Transformer). Blocks normalize first: ``x + attention(norm(x))``, then ``x +
feed_forward(norm(x))``; the head sees a learned weighted mean of the tokens.

*Helps when* there are tens of thousands of rows, columns interact, or distant parts of a series are related.

*Does not help when* rows are few: it must learn that neighbors matter, which is built into a convolution.

Cost: about ``8 * depth * width ** 2`` multiplications per token and ``2 * depth * width`` per pair of tokens; a table
has one token per column. On CPUs attention trains faster in float32 than in bfloat16. Defaults: a third of
FT-Transformer's published width, its depth and dropout, 64 tokens; not tuned to a data set.

NOTE[DIFF]: patches overlap by half on each side (kernel 2 s - 1, stride s); attention pooling in place of a class
token; GELU in all kinds.
"""

# Shape legend: B batch, C channels, T tokens, F columns, D width, N attention heads.

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._channels import ChannelGroup, Place, made_by, read_by
from rarebird.methods.network._layers import (
    AttentionPooling,
    DropPath,
    HeadedNetwork,
    Pooling,
    pooling_of,
)
from rarebird.methods.network._tokens import ColumnTokens, PictureTokens, StepTokens
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("image", "table", "series")
HEAD_WIDTH = 16


class Transformer(Method):
    """Settings of a transformer.

    Attributes:
        depth: Blocks.
        heads: Attention heads of 16 numbers each; a token is ``16 * heads`` wide.
        most_tokens: Largest number of tokens of a picture or series; it decides the size of the patches.
        dropout: Rate in the feed-forward layers and before the head.
        stochastic_depth: Probability of skipping the branches of the last block; it grows linearly from the first block
            on.
        pooling: A learned weighted mean of the tokens (``attention``), or their plain ``mean``.
    """

    depth: Annotated[int, Int(1, 6)] = Field(default=3, ge=1, le=24)
    heads: Annotated[int, Int(2, 12)] = Field(default=4, ge=1, le=64)
    most_tokens: Annotated[int, Int(16, 256, log=True)] = Field(default=64, ge=1, le=4096)
    dropout: Annotated[float, Float(0, 0.6)] = Field(default=0.1, ge=0, lt=1)
    stochastic_depth: Annotated[float, Float(0, 0.3)] = Field(default=0.0, ge=0, lt=1)
    pooling: Annotated[Pooling, Choice("mean", "attention")] = "attention"

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(depth=2, heads=1, most_tokens=8, dropout=0.0, stochastic_depth=0.1, pooling="mean")]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for inputs of `spec`'s shape; series may have any length from 1 step."""
        return AttentionNetwork(self, spec)


class AttentionNetwork(HeadedNetwork):
    """A module that gives tokens and their mask, blocks, pooling, head."""

    def __init__(self, settings: Transformer, spec: InputSpec) -> None:
        super().__init__()
        width = settings.heads * HEAD_WIDTH
        if spec.kind == "table":
            self.tokens: nn.Module = ColumnTokens(spec, width)
        else:
            self.tokens = (PictureTokens if spec.kind == "image" else StepTokens)(spec, width, settings.most_tokens)
        drops = [settings.stochastic_depth * (place + 1) / settings.depth for place in range(settings.depth)]
        self.blocks = nn.ModuleList(AttentionBlock(settings.heads, settings.dropout, drop) for drop in drops)
        self.norm = nn.LayerNorm(width)
        self.pool = pooling_of(settings.pooling, width)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(width, spec.n_outputs)

    def features(self, x: Inputs) -> Tensor:
        tokens, mask = self.tokens(x)
        for block in self.blocks:
            tokens = block(tokens, mask)
        pooled: Tensor = self.dropout(self.pool(self.norm(tokens), mask))
        return pooled

    def attention(self, x: Inputs) -> Tensor:
        """``(B, T)`` share of each token in the pooled one, over all blocks: half of each token is its own, half what
        it attends to (Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020)."""
        tokens, mask = self.tokens(x)
        flow = torch.eye(tokens.shape[1], device=tokens.device).expand(len(tokens), -1, -1)
        for block in self.blocks:
            assert isinstance(block, AttentionBlock)
            shares = block.shares(block.norm(tokens), mask)
            flow = (shares + torch.eye(tokens.shape[1], device=tokens.device)) / 2 @ flow
            tokens = block(tokens, mask)
        if isinstance(self.pool, AttentionPooling):
            pooled = self.pool.shares(self.norm(tokens), mask)
        else:
            inside = torch.ones(tokens.shape[:2], device=tokens.device) if mask is None else mask.float()
            pooled = inside / inside.sum(dim=1, keepdim=True)
        return torch.einsum("bt,bts->bs", pooled, flow)

    def channel_groups(self) -> list[ChannelGroup]:
        """The attention heads, and the units of the feed-forward layer, of each block."""
        groups = []
        for place, block in enumerate(self.blocks):
            assert isinstance(block, AttentionBlock)
            here = f"blocks.{place}"
            rows = [Place(f"{here}.query_key_value.{name}", 0, 3, HEAD_WIDTH) for name in ("weight", "bias")]
            heads = (*rows, *read_by(f"{here}.mix", repeat=HEAD_WIDTH))
            units = (*made_by(f"{here}.feed_forward.1"), *read_by(f"{here}.feed_forward.4"))
            groups.append(ChannelGroup(f"heads {place + 1}", block.heads, heads))
            groups.append(ChannelGroup(f"units {place + 1}", block.feed_forward[1].out_features, units))  # type: ignore[arg-type]
        return groups


class AttentionBlock(nn.Module):
    """Self-attention and a feed-forward layer of twice the width, ``(B, T, D) -> (B, T, D)``; no token attends to a
    masked one."""

    def __init__(self, heads: int, dropout: float, drop: float) -> None:
        super().__init__()
        width = heads * HEAD_WIDTH
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )
        self.drop_path = DropPath(drop)

    @property
    def heads(self) -> int:
        """Attention heads, fewer than at first where some were removed."""
        return self.query_key_value.out_features // (3 * HEAD_WIDTH)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        tokens = tokens + self.drop_path(self._attention(self.norm(tokens), mask))
        fed: Tensor = tokens + self.drop_path(self.feed_forward(tokens))
        return fed

    def shares(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """``(B, T, T)`` how much each token attends to each other one, the mean over the heads."""
        query, key, _ = self._queries(tokens)
        scores = query @ key.transpose(2, 3) / math.sqrt(HEAD_WIDTH)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], -torch.inf)
        share: Tensor = scores.softmax(dim=3).mean(dim=1)
        return share

    def _queries(self, tokens: Tensor) -> Tensor:
        """Queries, keys and values, ``(3, B, N, T, HEAD_WIDTH)``."""
        batch, count, _ = tokens.shape
        together: Tensor = self.query_key_value(tokens).view(batch, count, 3, self.heads, HEAD_WIDTH)
        return together.permute(2, 0, 3, 1, 4)

    def _attention(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        query, key, value = self._queries(tokens)
        seen = None if mask is None else mask[:, None, None, :]
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        mixed: Tensor = self.mix(found.transpose(1, 2).flatten(2))
        return mixed
