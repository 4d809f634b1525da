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

With `standardized` logits, those of each row are divided by their standard deviation, after their mean is taken away,
before the temperature: the student then learns the teacher's order and relations of classes, and not the size of its
logits (Sun, Ren, Li, Liu, "Logit standardization in knowledge distillation", CVPR 2024). The targets must be made so,
too. Only the part at temperature 1 then tells the size, so that `hard_share` must be above 0. With two classes nothing
but the order is left.

NOTE[DIFF]: the paper compares with true labels at temperature 1 and with the teacher's probabilities at T; here both
terms compare with the row's one target. `LEAST_VARIANCE` is added where the paper adds 1e-7, because a network begins
with logits of nearly one size.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from rarebird.methods.loss._from_logits import FromLogits, known_counts
from rarebird.methods.loss.cross_entropy import cross_entropy
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")
LEAST_VARIANCE = 1e-2


class Distillation(Method):
    """At which temperature the student is compared with the targets.

    Attributes:
        temperature: What the logits are divided by; 1 is cross entropy. The targets must be softened at the same
            temperature.
        hard_share: Share of the loss that is taken at temperature 1; 1 is cross entropy.
        standardized: Whether the logits are standardized before the temperature.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    temperature: Annotated[float, Float(1, 10, log=True)] = Field(default=2.0, ge=1, le=100)
    hard_share: Annotated[float, Float(0, 0.5)] = Field(default=0.0, ge=0, le=1)
    standardized: bool = False

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if self.standardized and self.hard_share == 0:
            raise ValueError("`hard_share > 0` must hold where logits are standardized, but got hard_share=0.")
        return self

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy."""
        return cls(temperature=1.0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default, cross entropy, and a mixture at a high temperature."""
        whole = cls(temperature=2.0, hard_share=0.5, standardized=True)
        return [cls(), cls(temperature=1.0), cls(temperature=8.0, hard_share=0.3), whole]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module; it does not depend on counts and labels."""
        given, share = self.temperature, self.hard_share
        return FromLogits(partial(distillation, temperature=given, hard_share=share, standardized=self.standardized))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """Ones where it is cross entropy; else None, as the temperature changes the size of the logits."""
        is_plain = self.hard_share == 1 or (self.temperature == 1 and not self.standardized)
        return np.ones(len(known_counts(targets, self.name))) if is_plain else None


def distillation(
    logits: Tensor, y: Tensor, temperature: float, hard_share: float, standardized: bool = False
) -> Tensor:
    """Cross entropy at a temperature, mixed with that at temperature 1, ``(batch, n_classes) x (batch, n_classes) ->
    (batch,)``."""
    compared = _standardized(logits) if standardized else logits
    softened = temperature**2 * cross_entropy(compared / temperature, y)
    return softened if hard_share == 0 else (1 - hard_share) * softened + hard_share * cross_entropy(logits, y)


def _standardized(logits: Tensor) -> Tensor:
    """Each row's logits with mean 0 and, nearly, standard deviation 1."""
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    centered = logits - logits.mean(dim=1, keepdim=True)
    return centered / (centered.square().mean(dim=1, keepdim=True) + LEAST_VARIANCE).sqrt()
