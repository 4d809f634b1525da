"""Logit-adjusted cross entropy: rows of rarer classes must reach a larger margin.

Menon et al., "Long-tail learning via logit adjustment", ICLR 2021: ``cross_entropy(logits + tau log prior, y)``. The
prior of the raw logits is then ``prior^(1 - tau)``: equal classes at ``tau = 1``, which is best for balanced accuracy
(the loss is then `balanced_softmax`).

*Helps when* classes are skewed and the network is strong enough to fit its training rows: the margin still acts where
class weights lose their effect.

*Does not help when* the classes are balanced (then it is cross entropy), or a class has so few rows that its features
cannot be learned at all.

Cost: that of cross entropy.

NOTE[DIFF]: a class without training rows has the prior of one row, not zero.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.loss._class_weights import normalized
from rarebird.methods.loss._from_logits import FromLogits, at_least_one, known_counts
from rarebird.methods.loss.cross_entropy import cross_entropy
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class LogitAdjusted(Method):
    """How much of the prior is removed from the logits.

    Attributes:
        tau: 0 is cross entropy, 1 aims at balanced accuracy.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    tau: Annotated[float, Float(0, 2)] = Field(default=1.0, ge=0, le=10)

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy."""
        return cls(tau=0.0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The paper's, cross entropy, and values between and beyond."""
        return [cls(), cls(tau=0.0), cls(tau=0.5), cls(tau=1.5)]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module."""
        return FromLogits(logit_adjusted, offsets=self.tau * log_prior(known_counts(targets, self.name)))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray:
        """``prior^-tau``, scaled to mean 1 over the training rows: the factor of the raw logits' prior."""
        counts = known_counts(targets, self.name)
        return normalized(np.exp(-self.tau * log_prior(counts)), counts)


def logit_adjusted(logits: Tensor, y: Tensor, offsets: Tensor) -> Tensor:
    """Cross entropy with one offset per class, ``(batch, n_classes) x (batch, n_classes) x (n_classes,) ->
    (batch,)``."""
    return cross_entropy(logits + offsets, y)


def log_prior(class_counts: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` log of the class frequencies; a class without rows counts as one row."""
    counts = at_least_one(class_counts)
    logs: np.ndarray = np.log(counts / counts.sum())
    return logs
