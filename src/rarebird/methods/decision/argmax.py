"""Argmax: the most probable class.

The Bayes decision if every error costs the same (Duda, Hart and Stork, "Pattern Classification", 2001, section 2.3); it
is best for accuracy.

*Helps when* accuracy matters most, or the classes are balanced.

*Does not help when* a class is rare and must not be missed: its probability is seldom the largest.

Cost: nothing.

NOTE: ties go to the class that comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rarebird.slots.decisions import DecisionRows
from rarebird.slots.methods import Fitted, Method

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("image", "table", "series")


class FittedArgmax(Fitted):
    """The most probable class; nothing is learned."""

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """``(n, n_classes) -> (n,)`` class codes."""
        codes: np.ndarray = probabilities.argmax(axis=1)
        return codes

    def on_tensors(self, probabilities: Tensor) -> Tensor:
        """The same decision in torch, for an exported graph."""
        return probabilities.argmax(dim=1)


class Argmax(Method):
    """The most probable class; it has no settings."""

    fitted: ClassVar[type[Fitted]] = FittedArgmax

    def fit(self, rows: DecisionRows) -> FittedArgmax:
        """The decision itself; the rows are not used."""
        return FittedArgmax()
