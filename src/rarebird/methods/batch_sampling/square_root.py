"""Batches with classes in proportion to the square roots of their rows: between natural and balanced.

Mahajan et al., "Exploring the limits of weakly supervised pretraining", ECCV 2018, after the sub-sampling of frequent
words by Mikolov et al., "Distributed representations of words and phrases and their compositionality", NeurIPS 2013. A
class of n_k rows gives a share of ``sqrt(n_k) / sum_j sqrt(n_j)`` of all draws, so that a hundredfold imbalance becomes
a tenfold one.

*Helps when* classes are many and long-tailed: rare classes are drawn often enough to be learned, common ones keep their
variety.

*Does not help when* classes are nearly even, or so skewed that most batches still miss the rarest class.

Cost: one sort per epoch.

NOTE[DIFF]: classes are not drawn at random: each has its share in every part of the epoch, and all of its rows are
drawn before one of them is drawn again. An epoch has as many draws as there are training rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from rarebird.methods.batch_sampling._shares import class_codes, occupied, order_in_shares, rows_per_class, scaled
from rarebird.methods.batch_sampling.shuffled import even_batches
from rarebird.slots.methods import Method
from rarebird.slots.sampling_state import SamplingState

KINDS = ("image", "table", "series")


class SquareRoot(Method):
    """Batches with classes in proportion to the roots of their rows; it has no settings."""

    draws_by_weight: ClassVar[bool] = True

    def __call__(
        self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: SamplingState
    ) -> Iterator[np.ndarray]:
        """The next epoch's batches, each ``(about batch_size,)`` int64 positions; `y` has ``(n,)`` codes or ``(n,
        n_classes)`` targets."""
        codes = class_codes(y, self.name)
        shares = root_shares(rows_per_class(codes, state.rows))
        yield from even_batches(order_in_shares(codes, shares, rng, state.rows), batch_size)

    def prior_factor(self, class_counts: np.ndarray) -> np.ndarray:
        """``1 / sqrt(count)``, scaled to mean 1 over the training rows; a class without rows counts as one row."""
        return scaled(1 / np.sqrt(occupied(class_counts)), class_counts)


def root_shares(counts: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` shares of the draws, in proportion to the roots of `counts`, with sum 1."""
    roots = np.sqrt(counts)
    shares: np.ndarray = roots / roots.sum()
    return shares
