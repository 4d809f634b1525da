"""Cross entropy: every row counts the same, whatever its class; the baseline for classes.

The maximum-likelihood loss for classes, here on soft targets: ``-sum_k y_k log p_k`` with ``p = softmax(logits)``
(Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990; Bishop, "Pattern
Recognition and Machine Learning", 2006, section 4.3.4). With `label_smoothing` a share of every row's target is spread
evenly over the classes (Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016).

*Helps when* the classes are roughly balanced, or when a decision that divides by the prior follows: the prior of its
logits is the natural one, so the probabilities need the least correction. Smoothing helps where labels are noisy and a
network fits them all.

*Does not help when* a class is so rare that the network never learns its features: its rows give almost no gradient.
Smoothing does not help there either: it gives a rare class more than its rows do.

Cost: one log-softmax per batch.

With smoothing there is no prior factor: the network learns ``(1 - e) p + e / n_classes``, and no prior turns p into
that.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.loss._from_logits import FromLogits, known_counts, log_probabilities
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class CrossEntropy(Method):
    """Cross entropy, plain by default.

    Attributes:
        label_smoothing: Share of each row's target that is spread evenly over all classes.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    label_smoothing: Annotated[float, Float(0, 0.3)] = Field(default=0.0, ge=0, lt=1)

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy is its own neutral setting."""
        return cls()

    @classmethod
    def examples(cls) -> list[Self]:
        """The plain loss, and the usual smoothing."""
        return [cls(), cls(label_smoothing=0.1)]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module; it does not depend on counts and labels."""
        return FromLogits(partial(cross_entropy, label_smoothing=self.label_smoothing))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """Ones, as the prior of the logits is that of the training rows; None with smoothing."""
        return np.ones(len(known_counts(targets, self.name))) if self.label_smoothing == 0 else None


def cross_entropy(logits: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross entropy with soft targets, ``(batch, n_classes) x (batch, n_classes) -> (batch,)`` in nats."""
    log_p = log_probabilities(logits)
    unsmoothed = -(y * log_p).sum(dim=1)
    if label_smoothing == 0:
        return unsmoothed
    return (1 - label_smoothing) * unsmoothed - label_smoothing * y.sum(dim=1) * log_p.mean(dim=1)
