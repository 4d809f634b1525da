"""Random Fourier features: a Gaussian kernel machine on a table's columns, with a linear head.

Rahimi and Recht, "Random features for large-scale kernel machines", NeurIPS 2007. Frozen cosines of random projections,
``sqrt(2) cos(w x + b)``: the mean product of two rows' features is nearly ``exp(-|x - z|^2 / (2 s^2))``. The columns
themselves are features, too, so that a trend needs no kernel. Only the head learns, best solved in closed form:
``head=ridge``, which is then a kernel ridge regression.

*Helps when* rows are few, tens to a few thousands, and classes are smooth regions of several columns together.

*Does not help when* few of many columns matter (each column adds to the distance), or classes are split by thresholds.

Cost: a product of matrices for the features, and the head's solution.

NOTE[DIFF]: the width `s` is in units of the rows' mean distance from their mean, taken from the training rows, so that
it fits any number of columns; frequencies are orthogonal in blocks (Yu et al., "Orthogonal random features", NeurIPS
2016), which needs fewer of them.
"""

# Shape legend: B batch, F columns, D frequencies.

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.network._layers import HeadedNetwork
from rarebird.methods.network.linear import OneHotColumns
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("table",)
MOST_ORTHOGONAL = 1024


class RandomFourier(Method):
    """Settings of the features.

    Attributes:
        frequencies: The number of cosines.
        width: Of the Gaussian kernel, in units of the rows' root mean squared distance from their mean.
        linear: Size of the columns themselves beside the cosines.
    """

    has_frozen_part: ClassVar[bool] = True
    """What is computed of all rows before the training."""
    frequencies: Annotated[int, Int(256, 2048, log=True)] = Field(default=1024, ge=1, le=100_000)
    width: Annotated[float, Float(0.3, 3, log=True)] = Field(default=1.0, gt=0)
    linear: Annotated[float, Float(0.1, 3, log=True)] = Field(default=1.0, ge=0)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(frequencies=64), cls(frequencies=33, width=0.5, linear=0.5)]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for a table's columns."""
        return RandomFourierNetwork(self, spec)


class RandomFourierNetwork(HeadedNetwork):
    """One-hot columns, frozen cosines beside them, head."""

    frequencies: Tensor
    phases: Tensor
    scale: Tensor

    def __init__(self, settings: RandomFourier, spec: InputSpec) -> None:
        super().__init__()
        self.flat = OneHotColumns(spec)
        columns, count = max(self.flat.width, 1), settings.frequencies
        self.width, self.linear = settings.width, settings.linear
        self.register_buffer("frequencies", orthogonal(count, columns))
        self.register_buffer("phases", 2 * math.pi * torch.rand(count))
        self.register_buffer("scale", torch.tensor(math.sqrt(columns)))
        self.head = nn.Linear(count + columns, spec.n_outputs)

    @torch.no_grad()
    def fit_frozen(self, x: Inputs, counts: Tensor) -> Inputs:
        """Take the unit of distance from the training rows; they stay as they are."""
        rows = self._columns({name: part.to(self.scale.device) for name, part in x.items()}).double()
        share = (counts / counts.sum()).double().to(rows.device)
        distance = share @ (rows - share @ rows).square().sum(dim=1)
        self.scale.copy_(distance.sqrt().clamp(min=1e-6))
        return x

    def features(self, x: Inputs) -> Tensor:
        rows = self._columns(x) / self.scale
        angles = rows @ self.frequencies.T / self.width + self.phases
        cosines = math.sqrt(2 / len(self.phases)) * torch.cos(angles)
        return torch.cat([cosines, self.linear * rows], dim=1)

    def _columns(self, x: Inputs) -> Tensor:
        """``(B, F)``; a table without columns has one of zeros."""
        flat: Tensor = self.flat(x)
        return flat if flat.shape[1] else flat.new_zeros(len(flat), 1)


def orthogonal(count: int, columns: int) -> Tensor:
    """``(D, F)`` frequencies: in blocks of F rows, orthogonal directions with the lengths of normal vectors."""
    if columns > MOST_ORTHOGONAL:
        return torch.randn(count, columns)  # nearly orthogonal
    blocks = [torch.linalg.qr(torch.randn(columns, columns))[0] for _ in range(-(-count // columns))]
    lengths: Tensor = torch.randn(count, columns).norm(dim=1, keepdim=True)
    return lengths * torch.cat(blocks)[:count]
