"""TabM for tables: many perceptrons in one, with shared weights and small adapters and heads of their own.

Gorishniy, Kotelnikov and Babenko, "TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling", ICLR
2025, after Wen, Tran and Ba, "BatchEnsemble", ICLR 2020. Member k of a layer computes ``s_k * (W (r_k * x)) + b_k``: W
is shared, the vectors r_k, s_k and b_k are its own. The first layer's r_k start as random signs, which makes the
members different; all others start at 1. In training each member learns from its own loss; their mean predicts.
`adapters = "first"` is the paper's TabM-mini: the first layer's r_k alone, W and b shared.

*Helps when* the data are a table: the mean of the members varies less than one network on few rows, and is more
accurate on many, with hardly more weights than one network.

*Does not help when* neighbors matter (pictures, series), or the network must be fast: it has about the weights of
`mlp`, but `members` times its multiplications.

Cost: ``members * depth * width ** 2`` multiplications per row, in large products: on CPUs about ten times `mlp`.
Defaults are the paper's (three layers, all adapters) with half its members and half its width, which fits the small
tables of this library; not tuned to a data set.

NOTE[DIFF]: the members' logits are averaged, where the paper averages probabilities: their mean is then one linear
layer on all members' features, which stages can freeze or train again. The members' heads share their bias. Numbers are
embedded as in `mlp`, by the piecewise-linear encoding (the paper's best variants, too); r_k is drawn per number rather
than per column of the embedded row.
"""

# Shape legend: B batch, K members, D width.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._layers import HeadedNetwork
from rarebird.methods.network.mlp import FlatColumns
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("table",)


class Tabm(Method):
    """Settings of a parameter-efficient ensemble of perceptrons.

    Attributes:
        members: Number of perceptrons in one network.
        depth: Hidden layers.
        width: Units of each hidden layer.
        embedding: Width of a number's embedding.
        dropout: Rate after each hidden layer.
        adapters: ``all`` layers have adapters, or only the ``first`` (TabM-mini).
    """

    members: Annotated[int, Int(4, 32, log=True)] = Field(default=16, ge=1, le=256)
    depth: Annotated[int, Int(1, 5)] = Field(default=3, ge=1, le=16)
    width: Annotated[int, Int(64, 512, log=True)] = Field(default=256, ge=4, le=4096)
    embedding: Annotated[int, Int(8, 24)] = Field(default=16, ge=1, le=128)
    dropout: Annotated[float, Float(0, 0.6)] = Field(default=0.1, ge=0, lt=1)
    adapters: Annotated[Literal["all", "first"], Choice("all", "first")] = "all"

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(),
            cls(members=4, depth=1, width=32, embedding=8, dropout=0.0),
            cls(members=3, depth=2, width=16, adapters="first"),
        ]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for tables of `spec`'s columns."""
        return MemberNetwork(self, spec)


class MemberNetwork(HeadedNetwork):
    """Flat columns, the hidden layers of all members, head.

    ``features(x)`` is ``(B, K * D)``: the features of each member divided by K, so that the head gives the mean of the
    members' logits.
    """

    head: MemberHead

    def __init__(self, settings: Tabm, spec: InputSpec) -> None:
        super().__init__()
        members, width = settings.members, settings.width
        self.flat = FlatColumns(spec, settings.embedding)
        # The first layer's adapters of the input, which make the members different.
        self.signs = nn.Parameter(torch.randint(0, 2, (members, self.flat.width)) * 2.0 - 1)
        self.layers = nn.ModuleList()
        for place in range(settings.depth):
            inner = width if place else self.flat.width
            shared = settings.adapters == "first"
            self.layers.append(
                nn.Linear(inner, width) if shared else MemberLinear(members, inner, width, adapts_input=place > 0)
            )
        self.dropout = nn.Dropout(settings.dropout)
        self.head = MemberHead(members, width, spec.n_outputs)

    def features(self, x: Inputs) -> Tensor:
        hidden: Tensor = self.flat(x)[:, None, :] * self.signs
        for layer in self.layers:
            hidden = self.dropout(functional.relu(layer(hidden)))
        return hidden.flatten(1) / self.head.members

    def forward(self, x: Inputs) -> Tensor:
        """In training each member's logits, ``(B, K, n_outputs)``; in evaluation their mean, ``(B, n_outputs)``."""
        features = self.features(x)
        return self.head.each(features) if self.training else self.head(features)


class MemberLinear(nn.Module):
    """``s * (W (r * x)) + b``, ``(B, K, inner) -> (B, K, outer)``: W is shared, each member has its r, s and b.

    Args:
        adapts_input: Whether there is an r; that of the first layer is applied before it.
    """

    def __init__(self, members: int, inner: int, outer: int, adapts_input: bool) -> None:
        super().__init__()
        self.shared = nn.Linear(inner, outer, bias=False)
        self.inputs = nn.Parameter(torch.ones(members, inner)) if adapts_input else None
        self.outputs = nn.Parameter(torch.ones(members, outer))
        # Different for each member from the start, as in the paper's code.
        self.bias = nn.Parameter(torch.empty(members, outer).uniform_(-(inner**-0.5), inner**-0.5))

    def forward(self, x: Tensor) -> Tensor:
        adapted = x if self.inputs is None else x * self.inputs
        mapped: Tensor = self.shared(adapted) * self.outputs + self.bias
        return mapped


class MemberHead(nn.Linear):
    """The heads of all members: as a linear layer it gives the mean of their logits, and `each` gives the logits of
    each."""

    def __init__(self, members: int, width: int, n_outputs: int) -> None:
        self.members, self.width = members, width
        super().__init__(members * width, n_outputs)

    def reset_parameters(self) -> None:
        """Weights on the scale of one member's head, whose input is `width` numbers."""
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -(self.width**-0.5), self.width**-0.5)

    def each(self, features: Tensor) -> Tensor:
        """The logits of each member, ``(B, K, n_outputs)``, from ``features(x) (B, K * D)``."""
        own = features.view(len(features), self.members, self.width) * self.members
        return torch.einsum("bkd,okd->bko", own, self.weight.view(-1, self.members, self.width)) + self.bias
