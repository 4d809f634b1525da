"""Multilayer perceptron: tables with embedded columns; pictures and series as one flat row.

Linear, ReLU, dropout, `depth` times. In a table, each number is embedded by its piecewise-linear encoding and its own
linear layer, then ReLU (Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep
Learning", NeurIPS 2022); each category by a learned vector; the standardized numbers are inputs as well.

*Helps when* the data are a table: with embeddings it is as good as boosted trees on many tables, and its probabilities
are smooth.

*Does not help when* neighbors matter, as in pictures and longer series: a convolution needs fewer rows to learn the
same.

Cost: ``depth * width ** 2`` multiplications per row plus the first layer's; the cheapest network here. Defaults: the
paper's usual width and depth for a few thousand rows, and embeddings about as wide as the number of bins; not tuned to
a data set.

NOTE[DIFF]: pictures of more than 32 px a side are averaged down to 32 first, so that the first layer stays small.
"""

# Shape legend: B batch, C channels, T steps, F columns, D width.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._channels import ChannelGroup, made_by, read_by
from rarebird.methods.network._layers import (
    CategoryEmbeddings,
    HeadedNetwork,
    NumberEmbeddings,
    Standardize,
    category_width,
    mask_of,
)
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("image", "table", "series")
WIDEST_PICTURE = 32


class Mlp(Method):
    """Settings of a multilayer perceptron.

    Attributes:
        depth: Hidden layers.
        width: Units of each hidden layer.
        embedding: Width of a number's embedding (tables).
        dropout: Rate after each hidden layer.
    """

    depth: Annotated[int, Int(1, 5)] = Field(default=3, ge=1, le=16)
    width: Annotated[int, Int(64, 512, log=True)] = Field(default=256, ge=4, le=4096)
    embedding: Annotated[int, Int(8, 24)] = Field(default=16, ge=1, le=128)
    dropout: Annotated[float, Float(0, 0.6)] = Field(default=0.1, ge=0, lt=1)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(depth=1, width=32, embedding=8, dropout=0.0)]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for inputs of `spec`'s shape."""
        flat = (
            FlatColumns(spec, self.embedding)
            if spec.kind == "table"
            else FlatPixels(spec)
            if spec.kind == "image"
            else FlatValues(spec)
        )
        return Perceptron(flat, flat.width, self.depth, self.width, self.dropout, spec.n_outputs)


class Perceptron(HeadedNetwork):
    """A module that gives a flat row of `inner` numbers, hidden layers, head."""

    def __init__(self, flat: nn.Module, inner: int, depth: int, width: int, dropout: float, n_outputs: int) -> None:
        super().__init__()
        self.flat = flat
        layers: list[nn.Module] = []
        for layer in range(depth):
            layers += [nn.Linear(width if layer else inner, width), nn.ReLU(inplace=True), nn.Dropout(dropout)]
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(width, n_outputs)

    def features(self, x: Inputs) -> Tensor:
        hidden: Tensor = self.hidden(self.flat(x))
        return hidden

    def channel_groups(self) -> list[ChannelGroup]:
        """The units of each hidden layer."""
        layers = [(f"hidden.{name}", one) for name, one in self.hidden.named_children() if isinstance(one, nn.Linear)]
        readers = [name for name, _ in layers[1:]] + ["head"]
        return [
            ChannelGroup(f"layer {place + 1}", layer.out_features, (*made_by(name), *read_by(reader)))
            for place, ((name, layer), reader) in enumerate(zip(layers, readers, strict=True))
        ]


class FlatColumns(nn.Module):
    """A table's row as ``(B, width)``: the numbers, their embeddings, the embeddings of the categories."""

    def __init__(self, spec: InputSpec, embedding: int) -> None:
        super().__init__()
        widths = [category_width(codes) for codes in spec.cardinalities]
        self.numbers = NumberEmbeddings(spec.bins, embedding) if spec.n_numbers else None
        self.categories = CategoryEmbeddings(spec.cardinalities, widths)
        self.width = spec.n_numbers * (1 + embedding) + sum(widths)

    def forward(self, x: Inputs) -> Tensor:
        parts: list[Tensor] = self.categories(x["categories"])
        if self.numbers is not None:
            embedded = functional.relu(self.numbers(x["numbers"], x["missing"]))
            parts = [x["numbers"], embedded.flatten(1), *parts]
        return torch.cat(parts, dim=1)


class FlatPixels(nn.Module):
    """A picture as ``(B, width)``, averaged down to sides of at most `WIDEST_PICTURE`."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.sides = (min(spec.height, WIDEST_PICTURE), min(spec.width, WIDEST_PICTURE))
        self.standardize = Standardize(spec.mean, spec.std)
        self.width = spec.channels * self.sides[0] * self.sides[1]

    def forward(self, x: Inputs) -> Tensor:
        # Channels-last pictures are flattened in the order of their axes, not of their memory.
        return functional.adaptive_avg_pool2d(self.standardize(x["pixels"]), self.sides).flatten(1)


class FlatValues(nn.Module):
    """A series as ``(B, width)``: the first `spec.length` steps, 0 beyond a series' own length."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.steps = spec.length
        self.width = spec.channels * spec.length

    def forward(self, x: Inputs) -> Tensor:
        values = x["values"] * mask_of(x["lengths"], x["values"].shape[2])[:, None, :]
        short = max(self.steps - values.shape[2], 0)
        return functional.pad(values, (0, short))[:, :, : self.steps].flatten(1)
