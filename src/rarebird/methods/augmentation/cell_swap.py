"""Take some cells of each row of a table from another row of the same class.

"Swap noise", known from the winning solution of the Porto Seguro competition (Jahrer 2017) and as the corruption of
Bahri et al., "SCARF: Self-Supervised Contrastive Learning using Random Feature Corruption" (ICLR 2022); here within a
class. Each row gets a partner among the rows of the batch with the same most probable class, and each of its cells,
number or category, is taken from the partner with probability `rate`, missing or not. The target stays.

*Label-safe when:* each column is evidence of the class by itself. Not where a combination is: columns that depend on
one another (the parts of a sum, dates in order) no longer match, and classes that differ only in combinations become
alike.
*Helps when:* rows are few, columns many and redundant, types mixed: unlike noise it changes categories, and only to
values that the class has.
*Does not help when:* a class has one row in most batches, which then stays as it is; combine it with a batch sampling
that draws rare classes more often.
*Cost:* two sorts of the batch and a pass.

NOTE[DIFF]: the originals swap with any row, whatever its label. That blurs the classes; a swap within a class keeps
each column's distribution in the class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.core.checks import DataError
from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("table",)


class CellSwap(WithStrength):
    """Settings.

    Attributes:
        rate: Probability of each cell to be the partner's.
        p: Share of the rows that take cells from their partner.
    """

    off_at_zero: ClassVar[tuple[str, ...]] = ("rate", "p")

    rate: Annotated[float, Float(0.02, 0.5, log=True), Field(ge=0, le=1)] = 0.1
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the cells in half of the rows."""
        return [cls(), cls(rate=0.5, p=0.5)]

    def bind(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches.

        Raises:
            DataError: The task is regression, which has no classes.
        """
        if statistics.spec.task == "regression":
            raise DataError(
                "The augmentation cell_swap swaps within classes, but regression has no classes; use cell_noise."
            )
        return super().bind(statistics)

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""

        def swapped(x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator) -> tuple[Inputs, Tensor, Tensor]:
            partner = partners(y.argmax(dim=1), generator)
            rate = torch.where(_rows.bernoulli(self.p, len(y), generator), self.rate, 0.0)
            return taken(x, {name: part[partner] for name, part in x.items()}, rate, generator), y, weight

        return swapped


def partners(codes: Tensor, generator: torch.Generator) -> Tensor:
    """``(batch,)`` int64, a row of the same class for each row; another one, where the class has more than one.

    Args:
        codes: ``(batch,)`` class codes.
        generator: On the device of `codes`.
    """
    shuffled = _rows.permutation(len(codes), generator)
    order = shuffled[codes[shuffled].argsort(stable=True)]
    # Rows of a class are neighbors, in random order: each takes the next one, and the last takes the first.
    grouped = codes[order]
    following = torch.arange(1, len(codes) + 1, device=codes.device)
    first, end = torch.searchsorted(grouped, grouped), torch.searchsorted(grouped, grouped, right=True)
    return torch.empty_like(order).scatter_(0, order, order[torch.where(following < end, following, first)])


def taken(own: Inputs, other: Inputs, rate: Tensor, generator: torch.Generator) -> Inputs:
    """`own` with each cell, and with a number its missing mark, from `other` with probability `rate` ``(batch,)``."""
    number, category = (
        torch.rand(own[name].shape, generator=generator, device=generator.device) < rate[:, None]
        for name in ("numbers", "categories")
    )
    chosen = {"numbers": number, "missing": number, "categories": category}
    return {**own, **{name: torch.where(take, other[name], own[name]) for name, take in chosen.items()}}
