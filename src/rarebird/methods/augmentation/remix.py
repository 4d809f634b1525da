"""Mixup with targets that favor the rarer class of the two rows.

Chou et al., "Remix: Rebalanced Mixup" (ECCV workshops 2020). Row i and its partner j are blended as in `mixup`, ``lam
x_i + (1 - lam) x_j`` with lam from Beta(alpha, alpha), but the target is ``m y_i + (1 - m) y_j``. With n the number of
training rows of each row's class,

    m = 0    where n_i / n_j >= kappa and lam < tau           (i is common: a blend with little of i is labeled j)
    m = 1    where n_i / n_j <= 1 / kappa and 1 - lam < tau   (i is rare: a blend with little of j is labeled i)
    m = lam  elsewhere.

*Label-safe when:* a blended target is right for a blended row, as for `mixup`, and a faint common row in the background
does not change a rare one.
*Helps when:* classes are skewed by ten or more and rare rows are few: the boundary moves away from the rare class, and
further with deferred re-weighting.
*Does not help when:* classes are balanced (then it is `mixup`), the network underfits, or the recall of the common
classes matters most.
*Cost:* two passes over the batch.

NOTE[DIFF]: lam is drawn for each row, not for the batch. Each half of a target carries its own row's weight. For a
soft target, n is the mean over its classes. Rows are blended as in `mixup`, tables and series too. How much the prior
is changed depends on the network, so the prior of the logits is unknown, and a scale and bias per class is fitted on
held-out rows instead.
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
        alpha: Parameter of the Beta distribution: 0 blends nothing, 1 makes all shares equally likely.
        kappa: A class is common next to another if it has at least this many times its rows.
        tau: Share of a blend below which the common row has no part in the target; 0 is `mixup`.
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
            DataError: The target is a number, so that no class is rarer.
        """
        if statistics.class_counts is None:
            raise DataError("The augmentation 'remix' favors the rarer class, but the target is a number; use 'mixup'.")
        return super().bind(statistics)

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        class_counts = torch.from_numpy(statistics.class_counts)

        def target_share(share: Tensor, y: Tensor, partner: Tensor) -> Tensor:
            counts = y @ class_counts.to(y)
            return own_target_share(share, counts, counts[partner], self.kappa, self.tau)

        return Blend(self.alpha, self.p, target_share)


def own_target_share(share: Tensor, own: Tensor, other: Tensor, kappa: float, tau: float) -> Tensor:
    """The share of the own target in each blend.

    Args:
        share: ``(batch,)`` share of the own row in the blend, 0..1.
        own: ``(batch,)`` training rows of the own class.
        other: ``(batch,)`` training rows of the partner's class.
        kappa: Ratio of their rows from which one class is common next to the other.
        tau: Share below which a common row has no part in the target.
    """
    given_up = (own >= kappa * other) & (share < tau)
    taken = (kappa * own <= other) & (1 - share < tau)
    return torch.where(given_up, 0, torch.where(taken, 1, share))
