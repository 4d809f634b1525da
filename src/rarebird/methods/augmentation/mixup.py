"""Blend each row, and its target, with another row of the batch.

Zhang et al., "mixup: Beyond Empirical Risk Minimization" (ICLR 2018). Row i and its partner j (a permutation of the
batch) become ``lam x_i + (1 - lam) x_j`` with the loss ``lam w_i loss(y_i) + (1 - lam) w_j loss(y_j)``, lam of each row
from Beta(alpha, alpha): each half carries its own weight.

*Label-safe when:* a blended target is right for a blended row: more so for pictures and aligned series than for tables
with rules between columns (the parts of a sum, dates in order) or for series that are not aligned.
*Helps when:* rows are few, labels noisy, probabilities overconfident; with deferred re-weighting one of the strongest
remedies for long tails.
*Does not help when:* the network underfits, the training is short, or probabilities are calibrated already (it makes
them underconfident).
*Cost:* two passes over the batch.

NOTE[DIFF]: lam is drawn for each row, not for the batch. A category, and a number that is missing in either row, cannot
be blended: the cell is row i's with probability lam, else row j's, missing or not. Blended series are as long as the
longer of the two; the shorter one ends in zeros, the mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field

from rarebird.methods.augmentation._blend import Blend
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, TrainStatistics

KINDS = ("image", "table", "series")


class Mixup(WithStrength):
    """Settings.

    Attributes:
        alpha: Parameter of the Beta distribution: 0 blends nothing, 1 makes all shares equally likely.
        p: Share of the rows that are blended.
    """

    off_at_zero: ClassVar[tuple[str, ...]] = ("alpha", "p")

    alpha: Annotated[float, Float(0.05, 2.0, log=True), Field(ge=0, le=100)] = 0.2
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, strongly."""
        return [cls(), cls(alpha=1, p=0.5)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        return Blend(self.alpha, self.p, target_share=lambda share, y, partner: share)
