"""Distillation: the targets are a teacher's softened probabilities, met by the student's softened ones.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", NeurIPS workshop 2014: ``T^2
cross_entropy(logits / T, y)`` with ``y = softmax(teacher's logits / T)``. A temperature T above 1 shows how the teacher
ranks the wrong classes, which labels do not; the factor ``T^2`` keeps the gradient's size. `hard_share` of the loss is
taken at temperature 1, as the paper does for true labels.

*Helps when* rows carry a teacher's probabilities as soft targets and the student is smaller than its teacher.

*Does not help when* the targets are plain labels: then it is cross entropy that gives up before it is sure, no more.

Cost: that of cross entropy, twice where `hard_share` is above 0.

A loss sees one target per row. Who makes the targets softens the teacher's probabilities at this same temperature,
``p^(1/T)`` scaled to sum 1, and may mix in the true label or leave rows with the label alone. With ``T = 1`` the logits
answer to the targets' own prior; otherwise to none, as they are up to T times as wide as the targets say.

NOTE[DIFF]: the paper judges true labels at temperature 1 and the teacher's probabilities at T; here both terms judge
the row's one target.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.loss._from_logits import FromLogits, known_counts
from rarebird.methods.loss.cross_entropy import cross_entropy
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Distillation(Method):
    """At which temperature student and targets meet.

    Attributes:
        temperature: What the logits are divided by; 1 is cross entropy. The targets must have been softened by the
            same.
        hard_share: Share of the loss that is taken at temperature 1; 1 is cross entropy.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    temperature: Annotated[float, Float(1, 10, log=True)] = Field(default=2.0, ge=1, le=100)
    hard_share: Annotated[float, Float(0, 0.5)] = Field(default=0.0, ge=0, le=1)

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy."""
        return cls(temperature=1.0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default, cross entropy, and a mixture at a high temperature."""
        return [cls(), cls(temperature=1.0), cls(temperature=8.0, hard_share=0.3)]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module; counts and labels play no part."""
        return FromLogits(partial(distillation, temperature=self.temperature, hard_share=self.hard_share))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """Ones where it is cross entropy; else None, as the logits are as wide as the temperature makes them."""
        return np.ones(len(known_counts(targets, self.name))) if self.temperature == 1 or self.hard_share == 1 else None


def distillation(logits: Tensor, y: Tensor, temperature: float, hard_share: float) -> Tensor:
    """Cross entropy at a temperature, with its share at temperature 1, ``(batch, n_classes) x (batch, n_classes) ->
    (batch,)``."""
    softened = temperature**2 * cross_entropy(logits / temperature, y)
    return softened if hard_share == 0 else (1 - hard_share) * softened + hard_share * cross_entropy(logits, y)
