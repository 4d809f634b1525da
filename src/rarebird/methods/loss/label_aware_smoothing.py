"""Label-aware smoothing: labels of frequent classes are smoothed more than those of rare ones.

Zhong, Cui, Liu and Jia, "Improving calibration for long-tailed recognition" (MiSLAS), CVPR 2021: a row of class k has
the target ``1 - e_k`` on its own class and ``e_k / (K - 1)`` on each other; ``e_k`` rises with the class's rows from
`tail` at the rarest class to `head` at the largest, because the network is overconfident where rows are many. The paper
uses it while the head alone is re-trained on balanced batches: the loss of the second stage of the plan ``stages =
"crt"``.

*Helps when* the network is overconfident on its large classes, in a second stage on balanced batches.

*Does not help when* classes are balanced (then it is label smoothing by `head`), or as the only remedy against skew: by
itself it raises the recall of rare classes less than `logit_adjusted`.

Cost: cross entropy and two more passes over the targets.

Its logits have no known prior: the share that moves to other classes differs from class to class.

NOTE[DIFF]: a class without training rows counts as one row; classes of equal size all have `head`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from torch import Tensor, nn

from rarebird.core.checks import require
from rarebird.methods.loss._from_logits import FromLogits, at_least_one, known_counts
from rarebird.methods.loss.cross_entropy import cross_entropy
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Choice, Float

KINDS = ("image", "table", "series")
Curve = Literal["concave", "linear", "convex"]


class LabelAwareSmoothing(Method):
    """How much targets are smoothed, from the rarest class to the largest.

    Attributes:
        head: Share of the largest class's targets that goes to the other classes.
        tail: The same for the rarest class.
        curve: How the share rises with the class's rows in between.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    head: Annotated[float, Float(0.1, 0.5)] = Field(default=0.3, ge=0, lt=1)
    tail: Annotated[float, Float(0, 0.1)] = Field(default=0.0, ge=0, lt=1)
    curve: Annotated[Curve, Choice("concave", "linear", "convex")] = "concave"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require(self.tail <= self.head, "tail <= head", tail=self.tail, head=self.head)
        return self

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy."""
        return cls(head=0.0, tail=0.0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The paper's, cross entropy, and the other curves."""
        return [cls(), cls(head=0.0, tail=0.0), cls(curve="linear", tail=0.1), cls(curve="convex")]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module."""
        counts = known_counts(targets, self.name)
        return FromLogits(label_aware_smoothing, shares=smoothed_shares(counts, self.head, self.tail, self.curve))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """None, as smoothing is no prior; ones without any."""
        return np.ones(len(known_counts(targets, self.name))) if self.head == 0 else None


def smoothed_shares(class_counts: np.ndarray, head: float, tail: float, curve: Curve) -> np.ndarray:
    """``(n_classes,)`` share of each class's targets that goes to the other classes."""
    counts = at_least_one(class_counts)
    span = counts.max() - counts.min()
    place = (counts - counts.min()) / span if span > 0 else np.ones(len(counts))
    risen = {"concave": np.sin(np.pi / 2 * place), "linear": place, "convex": 1 - np.cos(np.pi / 2 * place)}[curve]
    shares: np.ndarray = tail + (head - tail) * risen
    return shares


def label_aware_smoothing(logits: Tensor, y: Tensor, shares: Tensor) -> Tensor:
    """Cross entropy with smoothed targets, ``(batch, n_classes) x (batch, n_classes) x (n_classes,) -> (batch,)``."""
    moved = y * shares
    received = (moved.sum(dim=1, keepdim=True) - moved) / (y.shape[1] - 1)
    return cross_entropy(logits, y - moved + received)
