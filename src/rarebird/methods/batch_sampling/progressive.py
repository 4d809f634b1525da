"""Progressively balanced batches: the natural mix of classes at first, equal shares at the end.

Kang et al., "Decoupling representation and classifier for long-tailed recognition", ICLR 2020. Class k, with n_k of n
rows and C classes, gives a share of ``(1 - t) n_k / n + t / C`` of the draws, where t grows in proportion to the
progress of the training and is 1 in its last fifth.

*Helps when* features should be learned from all rows, but classes should be separated evenly: two-stage training
without a second stage.

*Does not help when* the rarest class has only a few rows, which are repeated many times towards the end; nor in a stage
that begins late: progress is that of the whole training, so its batches are nearly balanced from its start. With few
epochs the mix changes in large steps.

Cost: one sort per epoch.

NOTE[DIFF]: the paper's t reaches 1 only at the very end, where the learning rate is too low for the network to follow:
its logits are then .3 in the log-odds away from the balanced prior (a small network, AdamW with a cosine schedule, 1 to
10 % rare rows); with this t, by .03 to .1. Classes are not drawn at random: each has its share in every part of the
epoch, and all of its rows are drawn before one of them is drawn again.
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
_BALANCED_FROM = 0.8


class Progressive(Method):
    """From natural to equal shares of all classes that have rows; it has no settings."""

    draws_by_weight: ClassVar[bool] = True

    def __call__(
        self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: SamplingState
    ) -> Iterator[np.ndarray]:
        """The next epoch's batches, each ``(about batch_size,)`` int64 positions; `y` has ``(n,)`` codes or ``(n,
        n_classes)`` targets."""
        codes = class_codes(y, self.name)
        shares = progressive_shares(rows_per_class(codes, state.rows), state.progress)
        yield from even_batches(order_in_shares(codes, shares, rng, state.rows), batch_size)

    def prior_factor(self, class_counts: np.ndarray) -> np.ndarray:
        """``1 / count``, scaled to mean 1 over the training rows; a class without rows counts as one row."""
        return scaled(1 / occupied(class_counts), class_counts)


def progressive_shares(counts: np.ndarray, progress: float) -> np.ndarray:
    """``(n_classes,)`` shares of the draws at `progress` 0..1: natural at 0, equal at the end."""
    equal = min(1.0, progress / _BALANCED_FROM)
    shares: np.ndarray = (1 - equal) * counts / counts.sum() + equal / len(counts)
    return shares
