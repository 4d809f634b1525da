"""Linear classifier: logistic or softmax regression on the flat row, linear regression for values.

The inputs of a table are its scaled numbers, a mark for each missing one, and a 0 or 1 for each category. Pictures and
series are one flat row. Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2009, section 4.4.

*Helps when* rows are few, or the rare class has only a few: with one weight per column it can hardly memorize rows, and
with class weights or logit adjustment it is hard to beat on small skewed tables.

*Does not help when* columns interact or their effect changes direction, or the data are pictures: it sees no shape.

Cost: the cheapest network. The optimizer's weight decay, or the regularization `l2`, is its ridge penalty.
"""

# Shape legend: B batch, F columns.

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._layers import HeadedNetwork
from rarebird.methods.network.mlp import FlatPixels, FlatValues
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("image", "table", "series")


class Linear(Method):
    """Settings of a linear classifier.

    Attributes:
        dropout: Rate for the inputs.
    """

    dropout: Annotated[float, Float(0, 0.5)] = Field(default=0.0, ge=0, lt=1)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(dropout=0.1)]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for inputs of `spec`'s shape."""
        flat = (
            OneHotColumns(spec)
            if spec.kind == "table"
            else FlatPixels(spec)
            if spec.kind == "image"
            else FlatValues(spec)
        )
        return FlatHead(flat, flat.width, self.dropout, spec.n_outputs)


class FlatHead(HeadedNetwork):
    """A module that gives a flat row of `inner` numbers, and the head."""

    def __init__(self, flat: nn.Module, inner: int, dropout: float, n_outputs: int) -> None:
        super().__init__()
        self.flat, self.dropout = flat, nn.Dropout(dropout)
        self.head = nn.Linear(inner, n_outputs)

    def features(self, x: Inputs) -> Tensor:
        dropped: Tensor = self.dropout(self.flat(x))
        return dropped


class OneHotColumns(nn.Module):
    """A table's row as ``(B, width)``: numbers, marks of missing numbers, and one-hot categories."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.categories = OneHotCategories(spec.cardinalities)
        self.width = 2 * spec.n_numbers + sum(spec.cardinalities)

    def forward(self, x: Inputs) -> Tensor:
        return torch.cat([x["numbers"], x["missing"], *self.categories(x["categories"])], dim=1)


class OneHotCategories(nn.Module):
    """Each category code as zeros and a one: ``categories (B, F) -> F tensors (B, codes of the column)``."""

    embeds_categories: ClassVar[bool] = True

    def __init__(self, cardinalities: Sequence[int]) -> None:
        super().__init__()
        self.cardinalities = tuple(cardinalities)

    def forward(self, categories: Tensor) -> list[Tensor]:
        return [
            functional.one_hot(categories[:, place], codes).float() for place, codes in enumerate(self.cardinalities)
        ]
