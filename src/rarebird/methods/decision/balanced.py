"""Balanced: the class whose probability rose most above its prior.

``argmax_k p_k / prior_k`` maximizes the expected mean of the classes' recalls (Menon et al., "On the statistical
consistency of algorithms for binary classification under class imbalance", ICML 2013; Collell, Prelec and Patil, "A
simple plug-in bagging ensemble based on threshold-moving", 2018).

*Helps when* balanced accuracy is what counts: no row is needed to find it, and no remedy in training is needed either,
given good probabilities.

*Does not help when* precision of the rare class counts as well, as in F1: it calls a class of prior .01 at a
probability of .01. Nor when the prior of a class is known from a few rows only.

Cost: nothing.

NOTE ties (a network that knows nothing gives every row its prior) go to the rarest class, which a miss costs most. A
class that has no training row is never chosen.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from rarebird.core.checks import require
from rarebird.slots.methods import Fitted, Method
from rarebird.slots.protocols import Metric

KINDS = ("image", "table", "series")


class FittedBalanced(Fitted):
    """Divide by the natural prior, then take the largest."""

    prior: tuple[float, ...]

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """``(n, n_classes) -> (n,)`` class codes."""
        require(
            probabilities.shape[1] == len(self.prior),
            "one prior per class",
            classes=probabilities.shape[1],
            priors=len(self.prior),
        )
        return above_prior(probabilities, np.array(self.prior))


class Balanced(Method):
    """Nothing to set."""

    fitted: ClassVar[type[Fitted]] = FittedBalanced

    def fit(
        self, probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray, metric: Metric, prior: np.ndarray
    ) -> FittedBalanced:
        """The decision for the natural `prior (n_classes,)`; the rows play no part."""
        return FittedBalanced(prior=tuple(np.asarray(prior, dtype=np.float64).tolist()))


def above_prior(probabilities: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """``argmax_k p_k / prior_k``, ``(n, n_classes) -> (n,)``; equal ratios, up to rounding, go to the rarest class."""
    # An absent class gets no chance; all others are compared in float64, so that 1e-9 is well above the rounding of the
    # ratio.
    ratio = np.where(prior > 0, probabilities.astype(np.float64) / np.where(prior > 0, prior, 1), -1.0)
    tied = ratio >= ratio.max(axis=1, keepdims=True) * (1 - 1e-9)
    codes: np.ndarray = np.where(tied, -prior, -np.inf).argmax(axis=1)
    return codes
