"""Class-balanced batches: every class gives the same number of rows.

Shen, Lin and Huang, "Relay backpropagation for effective learning of deep CNNs", ECCV 2016 ("class-aware sampling");
the balanced half of Kang et al., "Decoupling representation and classifier for long-tailed recognition", ICLR 2020.

*Helps when* rare classes would be missing from most batches; best as a second stage, on a network that has already
learned its features.

*Does not help when* the rarest class has only a few rows: they are repeated many times, and the network memorizes them.
Strong augmentation reduces that.

Cost: one sort per epoch.

NOTE[DIFF]: classes are not drawn at random but alternate, and all rows of a class are drawn before one of them is drawn
again; so every batch is balanced, and no row is missed by chance. An epoch has as many draws as there are training
rows. Rows with sample weights are drawn in proportion to them within their class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from rarebird.methods.batch_sampling._shares import class_codes, drawn_per_class, occupied, scaled
from rarebird.methods.batch_sampling.shuffled import even_batches
from rarebird.slots.methods import Method
from rarebird.slots.sampling_state import SamplingState

KINDS = ("image", "table", "series")


class ClassBalanced(Method):
    """Batches with equal shares of all classes that have rows; it has no settings."""

    draws_by_weight: ClassVar[bool] = True

    def __call__(
        self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: SamplingState
    ) -> Iterator[np.ndarray]:
        """The next epoch's batches, each ``(about batch_size,)`` int64 positions; `y` has ``(n,)`` codes or ``(n,
        n_classes)`` targets."""
        yield from even_batches(balanced_order(class_codes(y, self.name), rng, state.rows), batch_size)

    def prior_factor(self, class_counts: np.ndarray) -> np.ndarray:
        """``1 / count``, scaled to mean 1 over the training rows; a class without rows counts as one row."""
        return scaled(1 / occupied(class_counts), class_counts)


def balanced_order(codes: np.ndarray, rng: np.random.Generator, rows: np.ndarray | None = None) -> np.ndarray:
    """``(n,)`` positions, as many as rows, in an order in which the classes alternate.

    Args:
        codes: ``(n,)`` class codes; classes without rows are left out.
        rng: Source of the draws.
        rows: ``(n,)`` how many rows each row counts for; None where each counts for one.
    """
    classes = np.unique(codes)
    # Draws that are left after an even division go to random classes.
    each, left = divmod(len(codes), max(1, len(classes)))
    quotas = each + (rng.permutation(len(classes)) < left)
    drawn = drawn_per_class(codes, quotas, rng, rows)
    # The i-th draw of every class is in the i-th round; within a round the order is random.
    when = np.concatenate([np.arange(quota) for quota in quotas] or [np.zeros(0)]) + rng.random(len(codes))
    order: np.ndarray = np.concatenate(drawn or [codes])[np.argsort(when, kind="stable")]
    return order
