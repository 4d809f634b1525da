"""Balanced: the class whose probability is largest in proportion to its class frequency.

``argmax_k p_k / prior_k`` maximizes the expected mean of the classes' recalls (Menon et al., "On the statistical
consistency of algorithms for binary classification under class imbalance", ICML 2013; Collell, Prelec and Patil, "A
simple plug-in bagging ensemble based on threshold-moving", 2018).

*Helps when* balanced accuracy matters most: with good probabilities it needs no held-out rows and no remedy in
training.

*Does not help when* the precision of the rare class matters as well, as in F1: it predicts a class of prior .01 at a
probability of .01. Nor when the prior of a class is known from a few rows only.

Cost: nothing.

NOTE: ties go to the rarest class, whose errors cost most; a network that has learned nothing gives every row the prior,
which is a tie. A class without training rows is never predicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rarebird.core.checks import require
from rarebird.slots.decisions import DecisionRows
from rarebird.slots.methods import Fitted, Method

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("image", "table", "series")
# Ratios that differ by a smaller share are equal: well above the rounding errors of float64.
TIED = 1e-9


class FittedBalanced(Fitted):
    """The class with the largest ratio of probability and natural prior."""

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

    def on_tensors(self, probabilities: Tensor) -> Tensor:
        """The same decision in torch, for an exported graph."""
        import torch

        prior = probabilities.new_tensor(self.prior, dtype=torch.float64)
        ratio = torch.where(prior > 0, probabilities.double() / torch.where(prior > 0, prior, 1), -1.0)
        tied = ratio >= ratio.amax(dim=1, keepdim=True) * (1 - TIED)
        return torch.where(tied, -prior, -torch.inf).argmax(dim=1)


class Balanced(Method):
    """The largest ratio of probability and prior; it has no settings."""

    fitted: ClassVar[type[Fitted]] = FittedBalanced

    def fit(self, rows: DecisionRows) -> FittedBalanced:
        """The decision for the rows' `prior (n_classes,)`; the rows themselves are not used."""
        return FittedBalanced(prior=tuple(rows.prior.tolist()))


def above_prior(probabilities: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """``argmax_k p_k / prior_k``, ``(n, n_classes) -> (n,)``; equal ratios, up to rounding, go to the rarest class."""
    # A class with prior 0 is never the largest.
    ratio = np.where(prior > 0, probabilities.astype(np.float64) / np.where(prior > 0, prior, 1), -1.0)
    tied = ratio >= ratio.max(axis=1, keepdims=True) * (1 - TIED)
    codes: np.ndarray = np.where(tied, -prior, -np.inf).argmax(axis=1)
    return codes
