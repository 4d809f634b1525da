"""Layers of several networks: standardization, masks, pooling of unequal lengths, embeddings of columns, drop path."""

# Shape legend: B batch, C channels, T steps, F columns, K bins, D width.

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from rarebird.core.checks import require

if TYPE_CHECKING:
    from rarebird.slots.protocols import Inputs

Pooling = Literal["mean", "attention"]
FAR = 1e30  # Edges of absent bins; finite, so that averages of states stay finite.


class HeadedNetwork(nn.Module):
    """A network whose last linear layer `head` turns ``features(x) (B, D)`` into logits ``(B, n_outputs)``."""

    head: nn.Linear

    def features(self, x: Inputs) -> Tensor:
        """The head's input for each row, ``(B, D)``."""
        raise NotImplementedError

    def forward(self, x: Inputs) -> Tensor:
        """Logits ``(B, n_outputs)``; the predicted standardized value for regression."""
        logits: Tensor = self.head(self.features(x))
        return logits


class Standardize(nn.Module):
    """Pixels in 0..1, ``(B, C, height, width)``, to zero mean and unit spread per channel.

    Args:
        mean, std: Per channel, from `InputSpec`.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        require(len(mean) == len(std), "one mean and one std per channel", means=len(mean), stds=len(std))
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) / self.std


class Resize(nn.Module):
    """Pictures ``(B, C, H, W)`` to other sides, smoothed where they shrink; unchanged where the sides fit."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.sides = (height, width)

    def forward(self, pixels: Tensor) -> Tensor:
        if pixels.shape[2:] == self.sides:
            return pixels
        return functional.interpolate(pixels, self.sides, mode="bilinear", antialias=True, align_corners=False)


class DropPath(nn.Module):
    """Stochastic depth: in training, zeroes a row's whole branch with probability `p` and scales the others by 1 / (1 -
    p).

    Source: Huang, Sun, Liu, Sedra and Weinberger, "Deep Networks with Stochastic Depth", ECCV 2016.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        require(0 <= p < 1, "0 <= p < 1", p=p)
        self.skip_rate = p

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.skip_rate == 0:
            return branch
        shape = (len(branch),) + (1,) * (branch.ndim - 1)
        keep = torch.rand(shape, device=branch.device) >= self.skip_rate
        return branch * (keep / (1 - self.skip_rate)).to(branch.dtype)


def mask_of(lengths: Tensor, steps: int) -> Tensor:
    """``(B, steps)`` bool from ``lengths (B,)``: True at the steps that belong to the series, False in its padding."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def strided(lengths: Tensor, stride: int) -> Tensor:
    """Lengths after a layer that keeps every `stride`-th step, the first one included: rounded up."""
    return torch.div(lengths + stride - 1, stride, rounding_mode="floor")


def pool_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over the steps where `mask (B, T)` is True, at least one for each row; ``(B, C, T) -> (B, C)``."""
    inside = mask[:, None, :].to(x.dtype)
    return (x * inside).sum(dim=2) / inside.sum(dim=2)


def pool_segments(x: Tensor, lengths: Tensor, segments: int) -> Tensor:
    """Means over equal parts of each series' own length, ``(B, C, T) -> (B, C, segments)``.

    Adaptive average pooling for unequal lengths: a step on the border of two parts counts in each by its share, padding
    changes nothing, and a series shorter than `segments` is stretched.
    """
    own = lengths.to(torch.float32)[:, None, None]
    start = torch.arange(segments, device=x.device)[:, None] * own / segments  # (B, segments, 1)
    step = torch.arange(x.shape[2], device=x.device)
    overlap = (torch.minimum(step + 1, start + own / segments) - torch.maximum(step, start)).clamp(
        min=0
    )  # (B, segments, T)
    return torch.einsum("bct,bst->bcs", x, (overlap * segments / own).to(x.dtype))


class AttentionPooling(nn.Module):
    """A learned weighted mean of tokens, ``(B, T, D) -> (B, D)``; starts as the plain mean.

    Source: Ilse, Tomczak and Welling, "Attention-based Deep Multiple Instance Learning", ICML 2018.
    NOTE[DIFF]: the scores are linear in the token, without a hidden layer: fewer weights for few rows.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)  # A bias would cancel in the softmax.
        nn.init.zeros_(self.score.weight)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        return torch.einsum("bt,btd->bd", self.shares(tokens, mask).to(tokens.dtype), tokens)

    def shares(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """``(B, T)`` weight of each token, with sum 1."""
        scores = self.score(tokens).squeeze(2).float()
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        share: Tensor = scores.softmax(dim=1)
        return share


class MeanPooling(nn.Module):
    """The plain mean of tokens, ``(B, T, D) -> (B, D)``, with the arguments of `AttentionPooling`."""

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        return tokens.mean(dim=1) if mask is None else pool_mean(tokens.transpose(1, 2), mask)


def pooling_of(name: Pooling, width: int) -> nn.Module:
    """The pooling of that name, for tokens of `width` numbers."""
    return AttentionPooling(width) if name == "attention" else MeanPooling()


class SeriesTokens(nn.Module):
    """Overlapping patches of a series by one strided convolution, ``(B, C, T) -> (B, ceil(T / stride), D)``, and their
    lengths.

    The stride is the smallest that gives at most `most` tokens for a series of `length` steps.
    """

    def __init__(self, channels: int, width: int, length: int, most: int) -> None:
        super().__init__()
        self.stride = -(-length // most)
        reach = max(self.stride - 1, 1)
        self.conv = nn.Conv1d(channels, width, 2 * reach + 1, self.stride, padding=reach)

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        values = values * mask_of(lengths, values.shape[2])[:, None, :]
        return self.conv(values).transpose(1, 2), strided(lengths, self.stride)


class NumberEmbeddings(nn.Module):
    """Embeds each number as a vector: ``numbers, missing (B, F) -> (B, F, D)``.

    Each column has its own linear layer. Its input is the number, its missing mark, and the number's piecewise-linear
    encoding over bins: 0 below a bin, 1 above it, inside it the share of the bin below the number.

    Source: Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS
    2022.

    NOTE[DIFF]: the first and last bin are closed and the number is an input as well, so that beyond the bins the output
    is linear in the number, not in units of a bin that may be narrow; the encoding of a missing number is 0.

    Args:
        bins: Per column, increasing edges, at least two.
        width: D.
    """

    def __init__(self, bins: Sequence[Sequence[float]], width: int) -> None:
        super().__init__()
        require(
            all(len(edges) >= 2 for edges in bins),
            "at least two bin edges per column",
            fewest=min(map(len, bins), default=2),
        )
        most = max((len(edges) - 1 for edges in bins), default=0)
        lower = torch.full((len(bins), most), FAR)
        inverse = torch.ones(len(bins), most)
        for column, edges in enumerate(bins):
            known = torch.tensor(edges, dtype=torch.float64)
            lower[column, : len(edges) - 1] = known[:-1].float()
            inverse[column, : len(edges) - 1] = (1 / known.diff().clamp(min=1e-8)).float()
        self.lower: Tensor
        self.inverse: Tensor
        self.register_buffer("lower", lower)
        self.register_buffer("inverse", inverse)
        self.weight = nn.Parameter(torch.empty(len(bins), most + 2, width))
        self.bias = nn.Parameter(torch.empty(len(bins), width))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -((most + 2) ** -0.5), (most + 2) ** -0.5)

    def encode(self, numbers: Tensor, missing: Tensor) -> Tensor:
        """``(B, F, K + 2)``: the piecewise-linear encoding, the number, the missing mark."""
        present = 1 - missing[:, :, None]
        # In place: for a thousand columns each copy is most of the memory of a batch.
        pieces = (numbers[:, :, None] - self.lower).mul_(self.inverse).clamp_(0, 1).mul_(present)
        return torch.cat([pieces, numbers[:, :, None] * present, missing[:, :, None]], dim=2)

    def forward(self, numbers: Tensor, missing: Tensor) -> Tensor:
        return torch.einsum("bfk,fkd->bfd", self.encode(numbers, missing), self.weight) + self.bias


class CategoryEmbeddings(nn.Module):
    """Embeds each category code as a vector: ``categories (B, F) -> F tensors (B, width of the column)``.

    Code 0, for unseen and missing categories, starts as the zero vector, and stays so where training has none.

    Args:
        cardinalities: Codes per column.
        widths: Width per column.
    """

    embeds_categories: ClassVar[bool] = True

    def __init__(self, cardinalities: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.tables = nn.ModuleList(
            nn.Embedding(codes, width) for codes, width in zip(cardinalities, widths, strict=True)
        )
        for table, width in zip(self.tables, widths, strict=True):
            assert isinstance(table, nn.Embedding)
            nn.init.uniform_(table.weight, -(width**-0.5), width**-0.5)
            nn.init.zeros_(table.weight[0])

    def forward(self, categories: Tensor) -> list[Tensor]:
        return [table(categories[:, column]) for column, table in enumerate(self.tables)]


def category_width(cardinality: int) -> int:
    """Width of a category's embedding by the rule of fastai (Howard and Gugger 2020): ``1.6 * cardinality ** 0.56``,
    here at most 64."""
    return min(64, math.ceil(1.6 * math.pow(cardinality, 0.56)))
