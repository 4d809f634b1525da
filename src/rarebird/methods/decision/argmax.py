"""Argmax: the most probable class.

The Bayes decision when every error costs the same (Duda, Hart and Stork, "Pattern Classification", 2001, section 2.3);
it serves accuracy.

*Helps when* accuracy is what counts, or the classes are balanced.

*Does not help when* a class is rare and must not be missed: its probability seldom passes all others'.

Cost: nothing.

NOTE ties go to the class that comes first.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from rarebird.slots.methods import Fitted, Method
from rarebird.slots.protocols import Metric

KINDS = ("image", "table", "series")


class FittedArgmax(Fitted):
    """Nothing is learned."""

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """``(n, n_classes) -> (n,)`` class codes."""
        codes: np.ndarray = probabilities.argmax(axis=1)
        return codes


class Argmax(Method):
    """Nothing to set."""

    fitted: ClassVar[type[Fitted]] = FittedArgmax

    def fit(
        self, probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray, metric: Metric, prior: np.ndarray
    ) -> FittedArgmax:
        """The decision itself; the rows play no part."""
        return FittedArgmax()
