"""AUC: every row of one class should score above every row of the other class, by a margin.

The pairwise squared hinge, ``mean over pairs (i of class 1, j of class 0) of max(0, margin - (s_i - s_j))^2`` with the
score ``s = logit_1 - logit_0``, a convex surrogate of ``1 - AUC`` that is consistent with it (Gao and Zhou, "On the
consistency of AUC pairwise optimization", IJCAI 2015; for deep networks Yuan et al., "Large-scale robust deep AUC
maximization", ICCV 2021). A pair's weight is the product of its rows' weights; the class frequencies have no effect.

*Helps when* two classes are skewed and the order of the scores matters (roc_auc, screening, a threshold chosen later).

*Does not help when* batches are so small that most have no row of the rare class (the network learns nothing from such
a batch: raise `batch_size`, or use `batch_sampling = "class_balanced"`), or when no rows are left to fit probabilities:
the scores have no zero point.

Cost: a number for each pair of rows of the batch, 0.3 MB at 256 rows. As it compares pairs, it gives no loss per row:
``per_row`` is False.

Its logits have no prior: a constant added to all scores changes nothing.

NOTE[DIFF]: all pairs of a batch, in place of Yuan's min-max form, which needs auxiliary variables with an optimizer of
their own. A row with a soft target belongs to both classes, to each by its share.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.methods.loss._from_logits import FromLogits, known_counts
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Auc(Method):
    """By how much the scores of a pair should differ.

    Attributes:
        margin: Difference of scores beyond which a pair adds no loss.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = False

    margin: Annotated[float, Float(0.3, 3, log=True)] = Field(default=1.0, gt=0, le=100)

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module, ``forward(logits (batch, 2), y (batch, 2), weight (batch,)) -> ()``.

        Raises:
            DataError: The number of classes is not two.
        """
        n_classes = len(known_counts(targets, self.name))
        if n_classes != 2:
            raise DataError(
                f"The loss 'auc' is for two classes, but the data have {n_classes}; use balanced_softmax or ldam."
            )
        return FromLogits(partial(pairwise_squared_hinge, margin=self.margin))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """None: an order of rows has no prior."""
        return None


def pairwise_squared_hinge(logits: Tensor, y: Tensor, weight: Tensor, margin: float) -> Tensor:
    """Weighted mean over the pairs of a batch, ``(batch, 2) x (batch, 2) x (batch,) -> ()``; 0 where a class is
    missing."""
    lifted = logits.to(torch.promote_types(logits.dtype, torch.float32))
    score = lifted[:, 1] - lifted[:, 0]
    first, second = y[:, 1] * weight, y[:, 0] * weight
    each = torch.relu(margin - (score[:, None] - score[None, :])).square()
    total = first.sum() * second.sum()
    # Not first @ each @ second: under mixed precision, torch computes matrix products in half precision.
    return (first[:, None] * second[None, :] * each).sum() / torch.where(total > 0, total, 1.0)
