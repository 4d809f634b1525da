"""Focal loss: rows that are already well classified count less.

Lin et al., "Focal loss for dense object detection", ICCV 2017, in its multi-class form on the softmax: ``-sum_k a_k y_k
(1 - p_k)^gamma log p_k``. `alpha` gives the ``a_k``: the paper's single number for two classes, weights by class label,
or a scheme on the class counts.

*Helps when* very many easy rows dominate the few hard ones, as background does in detection.

*Does not help when* labels are noisy (wrong labels are the hardest rows), or when probabilities matter and no rows are
left to calibrate them: the loss is not proper, its probabilities are too close to the middle, and no known prior
corrects them.

Cost: cross entropy and two more passes over the logits.

NOTE[DIFF]: the paper's loss is for two classes on a sigmoid; here every class is treated alike, and with two classes
the softmax of two logits is the paper's sigmoid. A number for `alpha` belongs to the rarer class, not to the one coded
1. Weights are scaled so that their mean over the training rows is 1, which leaves the learning rate as it is; the
paper's are not.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.methods.loss._class_weights import by_label, effective_number, inverse_power, normalized
from rarebird.methods.loss._from_logits import FromLogits, known_counts, log_complement, log_probabilities
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Focal(Method):
    """How much less easy rows count, and the weights of the classes.

    Attributes:
        gamma: 0 is cross entropy; at 2 a row with ``p = .9`` counts one hundredth.
        alpha: Weights of the classes: ``balanced`` (as `weighted`), ``effective_number`` (as `class_balanced`), class
            label -> weight, or for two classes a number in 0..1 for the rarer class, and the rest for the other.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    gamma: Annotated[float, Float(0, 5)] = Field(default=2.0, ge=0, le=20)
    alpha: (
        Literal["balanced", "effective_number"]
        | Annotated[float, Field(gt=0, lt=1)]
        | dict[str, Annotated[float, Field(gt=0)]]
        | None
    ) = None

    @field_validator("alpha", mode="wrap")
    @classmethod
    def _one_of_the_forms(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        """One message that names all forms of `alpha`, where pydantic would name only the first."""
        try:
            return handler(value)
        except ValidationError:
            rule = "alpha is balanced, effective_number, a number in 0..1, or a weight above 0 for each class label"
            raise ValueError(f"`{rule}` must hold, but got alpha={value!r}.") from None

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy."""
        return cls(gamma=0.0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The paper's, cross entropy, powers below 1, whose slope at ``p = 1`` is the numerically hard case, and
        weights of each form."""
        weights = {"0": 1.0, "1": 4.0, "猫": 2.5}
        return [
            cls(),
            cls(gamma=0.0),
            cls(gamma=0.5),
            cls(gamma=3.0, alpha="balanced"),
            cls(gamma=0.0, alpha="effective_number"),
            cls(alpha=weights),
        ]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module.

        Raises:
            DataError: `alpha` is a number and there are not two classes, or its labels are not exactly the classes.
        """
        return FromLogits(partial(focal, gamma=self.gamma), weights=self._weights(targets))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """None, as the loss is not proper; at ``gamma = 0`` the weights of `alpha`."""
        return self._weights(targets) if self.gamma == 0 else None

    def _weights(self, targets: TargetStatistics) -> np.ndarray:
        """``(n_classes,)`` weights of `alpha`, mean 1 over the training rows."""
        counts = known_counts(targets, self.name)
        if self.alpha is None:
            return np.ones(len(counts))
        if self.alpha == "balanced":
            return inverse_power(counts, 1.0)
        if self.alpha == "effective_number":
            return effective_number(counts)
        if isinstance(self.alpha, dict):
            return normalized(by_label(self.alpha, targets.classes, "alpha"), counts)
        if len(counts) != 2:
            raise DataError(
                f"focal takes alpha={self.alpha:g} only for two classes, but there are {len(counts)}; use balanced."
            )
        # If two classes are equally frequent, the second is the paper's positive class.
        rarer = 0 if counts[0] < counts[1] else 1
        return normalized(np.where(np.arange(2) == rarer, self.alpha, 1 - self.alpha), counts)


def focal(logits: Tensor, y: Tensor, weights: Tensor, gamma: float) -> Tensor:
    """Focal loss with soft targets, ``(batch, n_classes) x (batch, n_classes) x (n_classes,) -> (batch,)``."""
    log_p = log_probabilities(logits)
    return -(weights * y * torch.exp(gamma * log_complement(log_p)) * log_p).sum(dim=1)
