"""Blend each row, and its target, with another row of the batch.

Zhang et al., "mixup: Beyond Empirical Risk Minimization" (ICLR 2018). Row i and its partner j (a permutation of the
batch) become ``lam x_i + (1 - lam) x_j`` with target ``lam y_i + (1 - lam) y_j`` and weight ``lam w_i + (1 - lam)
w_j``, lam of each row from Beta(alpha, alpha).

*Label-safe when:* a blend deserves a blended target, which holds better for pictures and aligned series than for tables
with rules between columns (the parts of a sum, dates in order) or for series out of step.
*Helps when:* rows are few, labels noisy, probabilities overconfident; with deferred re-weighting one of the strongest
remedies for long tails.
*Does not help when:* the network underfits, the training is short, or probabilities are calibrated already (it makes
them too timid). *Cost:* two passes over the batch.

NOTE[DIFF]: lam is drawn for each row, not for the batch. A category, and a number that either row lacks, cannot be
blended: the cell is row i's with probability lam, else row j's, missing or not. Blended series are as long as the
longer of the two; the shorter one ends in zeros, the mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _rows
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("image", "table", "series")


class Mixup(Method):
    """Settings.

    Attributes:
        alpha: Of the Beta distribution: 0 blends nothing, 1 draws every share alike.
        p: Share of the rows that are blended.
    """

    alpha: Annotated[float, Float(0.05, 2.0, log=True), Field(ge=0, le=100)] = 0.2
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(alpha=0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, strongly."""
        return [cls(), cls(alpha=1, p=0.5)]

    def bind(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        if self.alpha == 0 or self.p == 0:
            return _rows.unchanged

        def blend(x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator) -> tuple[Inputs, Tensor, Tensor]:
            batch = len(y)
            partner = _rows.permutation(batch, generator)
            share = _rows.beta(self.alpha, batch, generator)
            if self.p < 1:
                share = torch.where(_rows.hit(self.p, batch, generator), share, 1)
            return (
                blended(x, {name: part[partner] for name, part in x.items()}, share, generator),
                _rows.mixed(y, y[partner], share),
                _rows.mixed(weight, weight[partner], share),
            )

        return blend


def blended(first: Inputs, second: Inputs, share: Tensor, generator: torch.Generator) -> Inputs:
    """``share`` ``(batch,)`` of `first` and the rest of `second`, whichever kind of data they are."""
    if "pixels" in first:
        return {**first, "pixels": _rows.mixed(first["pixels"], second["pixels"], share)}
    if "values" in first:
        lengths = torch.maximum(first["lengths"], second["lengths"])
        # A row that keeps all of itself, or gives itself up, keeps the one length too.
        lengths = torch.where(share == 1, first["lengths"], torch.where(share == 0, second["lengths"], lengths))
        return {**first, "values": _rows.mixed(first["values"], second["values"], share), "lengths": lengths}
    return _blended_cells(first, second, share, generator)


def _blended_cells(first: Inputs, second: Inputs, share: Tensor, generator: torch.Generator) -> Inputs:
    own = {name: _chosen(first[name], share, generator) for name in ("numbers", "categories")}
    either_missing = (first["missing"] > 0) | (second["missing"] > 0)
    picked = torch.where(own["numbers"], first["numbers"], second["numbers"])
    return {
        **first,
        "numbers": torch.where(either_missing, picked, _rows.mixed(first["numbers"], second["numbers"], share)),
        "missing": torch.where(own["numbers"], first["missing"], second["missing"]) * either_missing,
        "categories": torch.where(own["categories"], first["categories"], second["categories"]),
    }


def _chosen(cells: Tensor, share: Tensor, generator: torch.Generator) -> Tensor:
    """``(batch, columns)`` bool: each cell stays with probability `share` ``(batch,)``."""
    return torch.rand(cells.shape, generator=generator, device=generator.device) < share[:, None]
