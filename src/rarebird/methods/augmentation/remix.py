"""Mixup whose target leans to the rarer class.

Chou et al., "Remix: Rebalanced Mixup" (ECCV workshops 2020). Row i and its partner j are blended as in `mixup`, ``lam
x_i + (1 - lam) x_j`` with lam from Beta(alpha, alpha), but the target is ``m y_i + (1 - m) y_j`` with, n the training
rows of each one's class,

    m = 0    where n_i / n_j >= kappa and lam < tau           (i is common: a blend that is mostly the rare j is j)
    m = 1    where n_i / n_j <= 1 / kappa and 1 - lam < tau   (i is rare: a blend that is mostly i is i)
    m = lam  elsewhere.

*Label-safe when:* a blend deserves a blended target, as for `mixup`; and a faint common row in the background does not
change a rare one. *Helps when:* classes are skewed by ten or more and rare rows few: the boundary moves away from the
rare class, and with deferred re-weighting further still.
*Does not help when:* classes are balanced (it is `mixup` then), the network underfits, or recall of the common classes
is what counts. *Cost:* two passes over the batch.

NOTE[DIFF]: lam is drawn for each row, not for the batch. The weight leans with the target. A soft target's n is the
mean of its classes'. Rows are blended as in `mixup`, tables and series too. How far the lean bends the prior depends on
the network, so the logits answer to no known prior, and a scale and bias per class is fitted on held-out rows instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.core.checks import DataError
from rarebird.methods.augmentation._blend import Blend
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, TrainStatistics

KINDS = ("image", "table", "series")


class Remix(WithStrength):
    """Settings.

    Attributes:
        alpha: Of the Beta distribution: 0 blends nothing, 1 draws every share alike.
        kappa: From how many times as many rows on a class counts as common beside another.
        tau: Up to which share of a blend the common row leaves the target to the rare one; 0 is `mixup`.
        p: Share of the rows that are blended.
    """

    bends_prior: ClassVar[bool] = True
    off_at_zero: ClassVar[tuple[str, ...]] = ("alpha", "p")

    alpha: Annotated[float, Float(0.05, 2.0, log=True), Field(ge=0, le=100)] = 1.0
    kappa: Annotated[float, Float(1.5, 10.0, log=True), Field(gt=1)] = 3.0
    tau: Annotated[float, Float(0.2, 0.8), Field(ge=0, le=1)] = 0.5
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default, which is the paper's; half of the rows, mildly."""
        return [cls(), cls(alpha=0.2, kappa=2, tau=0.3, p=0.5)]

    def bind(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches.

        Raises:
            DataError: The target is a number, so that there is no rarer class to lean to.
        """
        if statistics.class_counts is None:
            raise DataError(
                "The augmentation 'remix' leans to the rarer class, and a number as the target has none; use 'mixup'."
            )
        return super().bind(statistics)

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        class_counts = torch.from_numpy(statistics.class_counts)

        def target_share(share: Tensor, y: Tensor, partner: Tensor) -> Tensor:
            counts = y @ class_counts.to(y)
            return leaning(share, counts, counts[partner], self.kappa, self.tau)

        return Blend(self.alpha, self.p, target_share)


def leaning(share: Tensor, own: Tensor, other: Tensor, kappa: float, tau: float) -> Tensor:
    """The share of the own target in each blend.

    Args:
        share: ``(batch,)`` share of the own row in the blend, 0..1.
        own: ``(batch,)`` training rows of the own class.
        other: ``(batch,)`` training rows of the partner's class.
        kappa: Ratio from which on one class is common beside the other.
        tau: Share below which a common row gives up its target.
    """
    given_up = (own >= kappa * other) & (share < tau)
    taken = (kappa * own <= other) & (1 - share < tau)
    return torch.where(given_up, 0, torch.where(taken, 1, share))
