"""Shuffled batches: every training row once per epoch, in random order.

Random reshuffling, the field's default (Bottou, "Curiously fast convergence of some stochastic gradient descent
algorithms", 2009).

*Helps when* every row should be seen equally often; the network learns the natural prior.

*Does not help when* a class is so rare that most batches contain no row of it, and the network forgets it in between.

Cost: one permutation per epoch.

NOTE[DIFF]: batches have equal sizes instead of a short last one, whose few rows would count more than all others; and
no batch has a single row if there are more, as batch normalization cannot train on one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rarebird.core.checks import require
from rarebird.slots.methods import Method
from rarebird.slots.sampling_state import SamplingState

KINDS = ("image", "table", "series")


class Shuffled(Method):
    """Shuffled batches; they have no settings."""

    def __call__(
        self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: SamplingState
    ) -> Iterator[np.ndarray]:
        """The next epoch's batches, each ``(about batch_size,)`` int64 positions into the training rows."""
        yield from even_batches(rng.permutation(len(y)), batch_size)

    def prior_factor(self, class_counts: np.ndarray) -> np.ndarray:
        """Ones: the prior does not change."""
        return np.ones(len(class_counts))


def even_batches(order: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """`order` split into batches whose sizes differ by at most 1; none is larger than `batch_size`, unless one row
    would be left alone."""
    require(batch_size >= 1, "batch_size >= 1", batch_size=batch_size)
    n_batches = max(1, min(-(-len(order) // batch_size), len(order) // 2))
    return np.array_split(order, n_batches) if len(order) else []
