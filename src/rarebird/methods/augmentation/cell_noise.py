"""Add Gaussian noise to the numbers of a table, scaled by column.

Training with noise acts like a Tikhonov penalty on the network's slope: Bishop, "Training with Noise is Equivalent to
Tikhonov Regularization" (Neural Computation 1995). Number j of row i becomes ``x + strength s_j e`` with e standard
normal and s_j the column's spread: its interquartile range divided by 1.349, which is the standard deviation of a
normal column, but at most its standard deviation. A column of one or two values (a flag), missing cells and categories
do not change.

*Label-safe when:* columns are measurements. Not for codes, counts of few values or columns that depend on others (the
parts of a sum).
*Helps when:* rows are few and measured with error; it keeps an `mlp` from memorizing single rows.
*Does not help when:* classes are split by sharp thresholds, or the network is strongly regularized already.
*Cost:* one normal draw per cell.

NOTE[DIFF]: in a long-tailed column the tail decides the standard deviation; with the interquartile range the noise
stays below the differences among common rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("table",)


class CellNoise(WithStrength):
    """Settings.

    Attributes:
        strength: Standard deviation of the noise, in spreads of the column.
        p: Share of the rows that get noise.
    """

    strength: Annotated[float, Float(0.01, 0.3, log=True), Field(ge=0, le=5)] = 0.05
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, strongly."""
        return [cls(), cls(strength=0.3, p=0.5)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        scale = self.strength * spreads(statistics.spec)
        if not scale.any():
            return _rows.unchanged

        def noised(x: Inputs, generator: torch.Generator) -> Tensor:
            numbers = x["numbers"]
            return torch.addcmul(numbers, _rows.normal(numbers, generator), scale.to(numbers) * (x["missing"] == 0))

        return _rows.ChangedEntry("numbers", self.p, noised)


def spreads(spec: InputSpec) -> Tensor:
    """``(n_numbers,)`` spread of each standardized column, from the training quantiles that are its bins' edges; 1
    without bins."""
    return torch.tensor([_spread(edges) for edges in spec.bins] if spec.bins else [1.0] * spec.n_numbers)


def _spread(edges: tuple[float, ...]) -> float:
    if len(edges) <= 2:
        return 0.0
    lower, upper = torch.tensor(edges).quantile(torch.tensor([0.25, 0.75])).tolist()
    # 1.349 is the interquartile range of the standard normal distribution; standardized columns have a standard
    # deviation of 1.
    return float(min((upper - lower) / 1.349, 1.0))
