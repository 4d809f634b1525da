"""Asymmetric loss: other classes count less where they are easy, the row's own class always counts.

Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter and Zelnik-Manor, "Asymmetric loss for multi-label classification",
ICCV 2021: for every class k of a row ``-y_k (1 - p_k)^gamma_positive log p_k - (1 - y_k) q_k^gamma_negative log(1 -
q_k)`` with the shifted probability ``q_k = max(p_k - margin, 0)``, so that negatives below the margin add no loss.

*Helps when* there are many classes and confusions with a few of them matter, or where focal loss lowers the weight of
the rare class's own rows too early.

*Does not help when* probabilities matter and no rows are left to calibrate them (the loss is not proper, and no known
prior corrects it), or when there are two classes, whose two terms are nearly the same.

Cost: cross entropy and three more passes over the logits.

NOTE[DIFF]: here a row has one label, so p is the softmax where the paper has sigmoids: the same probabilities are
trained and used for prediction. (The authors' own single-label code applies the focus to cross entropy with smoothed
labels; without smoothing, its negatives have no effect.) A `margin` of 1 removes the negatives.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.loss._from_logits import FromLogits, known_counts, log_complement, log_probabilities
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Asymmetric(Method):
    """How much the weight of easy classes is lowered: of the row's own class, and of the others.

    Attributes:
        gamma_negative: Power for the classes that a row does not belong to.
        gamma_positive: Power for the row's own class; at 0 its weight is never lowered.
        margin: Probability below which a class that a row does not belong to adds no loss.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    gamma_negative: Annotated[float, Float(0, 6)] = Field(default=4.0, ge=0, le=20)
    gamma_positive: Annotated[float, Float(0, 2)] = Field(default=0.0, ge=0, le=20)
    margin: Annotated[float, Float(0, 0.2)] = Field(default=0.05, ge=0, le=1)

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy: only the row's own class counts, with constant weight."""
        return cls(gamma_positive=0.0, margin=1.0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The paper's, cross entropy, both sides focused, and no focus at all."""
        return [
            cls(),
            cls.neutral(),
            cls(gamma_positive=1.0, margin=0.0),
            cls(gamma_negative=0.0),
            cls(gamma_negative=0.5),
        ]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module; it does not depend on the counts."""
        return FromLogits(
            partial(
                asymmetric, gamma_positive=self.gamma_positive, gamma_negative=self.gamma_negative, margin=self.margin
            )
        )

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """None, as the loss is not proper; ones where it is cross entropy."""
        return np.ones(len(known_counts(targets, self.name))) if self.gamma_positive == 0 and self.margin == 1 else None


def asymmetric(logits: Tensor, y: Tensor, gamma_positive: float, gamma_negative: float, margin: float) -> Tensor:
    """Asymmetric loss with soft targets, ``(batch, n_classes) x (batch, n_classes) -> (batch,)``."""
    log_p = log_probabilities(logits)
    log_not_p = log_complement(log_p)
    own = torch.exp(gamma_positive * log_not_p) * -log_p
    return (y * own + (y.sum(dim=1, keepdim=True) - y) * _others(log_p, log_not_p, gamma_negative, margin)).sum(dim=1)


def _others(log_p: Tensor, log_not_p: Tensor, gamma: float, margin: float) -> Tensor:
    """``-q^gamma log(1 - q)`` with ``q = max(p - margin, 0)``, finite with finite gradient everywhere."""
    if margin == 0:
        return torch.exp(gamma * log_p) * -log_not_p
    beyond = log_p.exp() - margin > 0
    # The branch that is not taken must stay finite, too: the gradient of torch.where multiplies it by zero.
    shifted = torch.where(beyond, log_p.exp() - margin, 1.0)
    log_not_shifted = torch.log(torch.where(beyond, log_not_p.exp() + margin, 1.0))
    return torch.where(beyond, shifted**gamma * -log_not_shifted, 0.0)
