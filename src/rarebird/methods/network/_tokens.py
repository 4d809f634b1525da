"""The tokens of a transformer: patches of a picture, patches of a series, columns of a table."""

# Shape legend: B batch, C channels, T tokens, F columns, D width.

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rarebird.methods.network._layers import (
    CategoryEmbeddings,
    NumberEmbeddings,
    SeriesTokens,
    Standardize,
    mask_of,
)

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs


class PictureTokens(nn.Module):
    """Square overlapping patches with learned positions: the smallest patches of which there are at most `most`."""

    def __init__(self, spec: InputSpec, width: int, most: int) -> None:
        super().__init__()
        stride = patch_side(spec.height, spec.width, most)
        reach = max(stride - 1, 1)
        count = -(-spec.height // stride) * -(-spec.width // stride)
        self.standardize = Standardize(spec.mean, spec.std)
        self.conv = nn.Conv2d(spec.channels, width, 2 * reach + 1, stride, padding=reach)
        self.place = nn.Parameter(0.02 * torch.randn(count, width))

    def forward(self, x: Inputs) -> tuple[Tensor, None]:
        return self.conv(self.standardize(x["pixels"])).flatten(2).transpose(1, 2) + self.place, None


class StepTokens(nn.Module):
    """Overlapping patches of a series; positions are the paper's sines and cosines, which exist for any length."""

    def __init__(self, spec: InputSpec, width: int, most: int) -> None:
        super().__init__()
        self.patches = SeriesTokens(spec.channels, width, spec.length, most)

    def forward(self, x: Inputs) -> tuple[Tensor, Tensor]:
        tokens, lengths = self.patches(x["values"], x["lengths"])
        _, count, width = tokens.shape
        return tokens + sine_places(count, width, tokens.device).to(tokens.dtype), mask_of(lengths, count)


class ColumnTokens(nn.Module):
    """One token per column of a table, ``(B, F, D)``; each column has its own bias."""

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        self.numbers = NumberEmbeddings(spec.bins, width) if spec.n_numbers else None
        self.categories = CategoryEmbeddings(spec.cardinalities, [width] * len(spec.cardinalities))
        self.bias = nn.Parameter(0.02 * torch.randn(len(spec.cardinalities), width)) if spec.cardinalities else None

    def forward(self, x: Inputs) -> tuple[Tensor, None]:
        parts = [] if self.numbers is None else [self.numbers(x["numbers"], x["missing"])]
        if self.bias is not None:
            parts.append(torch.stack(self.categories(x["categories"]), dim=1) + self.bias)
        return torch.cat(parts, dim=1), None


def patch_side(height: int, width: int, most: int) -> int:
    """The smallest side of square patches with which at most `most` cover the picture."""
    side = 1
    while -(-height // side) * -(-width // side) > most:
        side += 1
    return side


def sine_places(count: int, width: int, device: torch.device) -> Tensor:
    """``(count, width)``: sines in the first half of the width, cosines in the second, at wavelengths from 2 pi up to
    10000 * 2 pi."""
    rate = torch.exp(torch.arange(width // 2, device=device) * (-2 * math.log(10_000) / width))
    angle = torch.arange(count, device=device)[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=1)
