"""Distillation: the network learns a teacher's softened probabilities.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", NeurIPS workshop 2014: ``T^2
cross_entropy(logits / T, y)`` with ``y = softmax(teacher's logits / T)``. A temperature T above 1 shows how the teacher
ranks the wrong classes, which labels do not show; the factor ``T^2`` keeps the size of the gradient. `hard_share` of
the loss is taken at temperature 1, as the paper does for true labels.

*Helps when* rows carry a teacher's probabilities as soft targets and the student is smaller than its teacher.

*Does not help when* the targets are plain labels: then it is cross entropy that keeps the network underconfident.

Cost: that of cross entropy, twice where `hard_share` is above 0.

A loss gets one target per row. The caller softens the teacher's probabilities at the same temperature, ``p^(1/T)``
scaled to sum 1, and may mix in the true label or use only the label for some rows. With ``T = 1`` the prior of the
logits is that of the targets; otherwise it is unknown, as logits are up to T times as large as the targets imply.

NOTE[DIFF]: the paper compares with true labels at temperature 1 and with the teacher's probabilities at T; here both
terms compare with the row's one target.
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
    """At which temperature the student is compared with the targets.

    Attributes:
        temperature: What the logits are divided by; 1 is cross entropy. The targets must be softened at the same
            temperature.
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
        """The loss as a module; it does not depend on counts and labels."""
        return FromLogits(partial(distillation, temperature=self.temperature, hard_share=self.hard_share))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """Ones where it is cross entropy; else None, as the temperature changes the size of the logits."""
        return np.ones(len(known_counts(targets, self.name))) if self.temperature == 1 or self.hard_share == 1 else None


def distillation(logits: Tensor, y: Tensor, temperature: float, hard_share: float) -> Tensor:
    """Cross entropy at a temperature, mixed with that at temperature 1, ``(batch, n_classes) x (batch, n_classes) ->
    (batch,)``."""
    softened = temperature**2 * cross_entropy(logits / temperature, y)
    return softened if hard_share == 0 else (1 - hard_share) * softened + hard_share * cross_entropy(logits, y)
