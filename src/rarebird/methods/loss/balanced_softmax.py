"""Balanced softmax: the softmax that would hold if all classes were equally frequent.

Ren et al., "Balanced meta-softmax for long-tailed visual recognition", NeurIPS 2020: ``p_k = n_k exp(z_k) / sum_j n_j
exp(z_j)`` in the cross entropy, so that the network's own softmax is an unbiased estimate for equal class frequencies
at test time. It is `logit_adjusted` at ``tau = 1``, published in the same year with another derivation; both names are
in use.

*Helps when* classes are skewed and each should be recognized equally well: the usual first choice before anything is
tuned.

*Does not help when* the classes are balanced (then it is cross entropy), or when the goal is accuracy at natural class
frequencies.

Cost: that of cross entropy.

NOTE[DIFF]: without the paper's meta sampler, which learns the sampling rates by second-order gradients on a balanced
set of rows. A class without training rows counts as one row.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from torch import nn

from rarebird.methods.loss._class_weights import inverse_power
from rarebird.methods.loss._from_logits import FromLogits, known_counts
from rarebird.methods.loss.logit_adjusted import log_prior, logit_adjusted
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics

KINDS = ("image", "table", "series")


class BalancedSoftmax(Method):
    """The loss follows from the class counts; it has no settings."""

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module."""
        return FromLogits(logit_adjusted, offsets=log_prior(known_counts(targets, self.name)))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray:
        """``1 / prior``, scaled to mean 1 over the training rows: the prior of the raw logits is equal classes."""
        return inverse_power(known_counts(targets, self.name), 1.0)
