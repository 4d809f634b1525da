"""Class-balanced batches: every class gives the same number of rows.

Shen, Lin and Huang, "Relay backpropagation for effective learning of deep CNNs", ECCV 2016 ("class-aware sampling");
the balanced half of Kang et al., "Decoupling representation and classifier for long-tailed recognition", ICLR 2020.

*Helps when* rare classes would be absent from most batches; best as a second stage, on a network that has already
learned its features.

*Does not help when* the rarest class has a handful of rows: they come again and again, and are learned by heart. Strong
augmentation softens that.

Cost: one sort per epoch.

NOTE[DIFF]: classes are not drawn at random but take turns, and each class runs through its own rows before one of them
comes again; so every batch is balanced, and no row is left out by chance longer than it must. An epoch has as many
draws as there are training rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rarebird.methods.batch_sampling._shares import class_codes, occupied, scaled, turns
from rarebird.methods.batch_sampling.shuffled import even_batches
from rarebird.slots.methods import Method
from rarebird.slots.protocols import SamplingState

KINDS = ("image", "table", "series")


class ClassBalanced(Method):
    """Batches with equal shares of all classes that have rows; nothing to set."""

    def __call__(
        self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: SamplingState
    ) -> Iterator[np.ndarray]:
        """The next epoch's batches, each ``(about batch_size,)`` int64 positions; `y` has ``(n,)`` codes or ``(n,
        n_classes)`` targets."""
        yield from even_batches(balanced_order(class_codes(y, self.name), rng), batch_size)

    def prior_factor(self, class_counts: np.ndarray) -> np.ndarray:
        """``1 / count``, scaled to mean 1 over the training rows; a class without rows counts as one row."""
        return scaled(1 / occupied(class_counts), class_counts)


def balanced_order(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``(n,)`` positions, as many as rows, in which the classes take turns.

    Args:
        codes: ``(n,)`` class codes; classes that do not occur are passed over.
        rng: Where the draws come from.
    """
    classes = np.unique(codes)
    # What does not divide evenly goes to randomly chosen classes.
    each, left = divmod(len(codes), max(1, len(classes)))
    quotas = each + (rng.permutation(len(classes)) < left)
    drawn = [turns(np.flatnonzero(codes == label), quota, rng) for label, quota in zip(classes, quotas, strict=True)]
    # The i-th draw of every class falls into the i-th round; within a round the order is random.
    when = np.concatenate([np.arange(quota) for quota in quotas] or [np.zeros(0)]) + rng.random(len(codes))
    order: np.ndarray = np.concatenate(drawn or [codes])[np.argsort(when, kind="stable")]
    return order
