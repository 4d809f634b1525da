"""Weighted cross entropy: rows of rarer classes count more.

``-sum_k w_k y_k log p_k`` (King and Zeng, "Logistic regression in rare events data", Political Analysis 2001; the
`balanced` weights are scikit-learn's ``class_weight="balanced"``): `balanced` has ``w_k = n / (K n_k)``,
`inverse_square_root` has ``w_k ~ 1 / sqrt(n_k)``, and `class_weight` gives the weights by class label. For weights by
effective number see `class_balanced`.

*Helps when* rare classes get too little gradient in a network that cannot fit every row: linear and small networks,
short trainings.

*Does not help when* the network fits every training row anyway: then weights change little (Byrd and Lipton, "What is
the effect of importance weighting in deep learning?", 2019), and large ones from the first step make the training
unstable; see `logit_adjusted`.

Cost: that of cross entropy.

NOTE[DIFF]: weights are scaled so that their mean over the training rows is 1, so that the learning rate fits every
scheme. A class without training rows is weighted as if it had one row.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.loss._class_weights import by_label, inverse_power, normalized
from rarebird.methods.loss._from_logits import FromLogits, known_counts
from rarebird.methods.loss.cross_entropy import cross_entropy
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Choice

KINDS = ("image", "table", "series")


class Weighted(Method):
    """How much each class counts.

    Attributes:
        scheme: How weights follow from the class counts.
        class_weight: Class label -> weight, in place of the scheme; every label of the data and no other.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    scheme: Annotated[Literal["balanced", "inverse_square_root"], Choice("balanced", "inverse_square_root")] = (
        "balanced"
    )
    class_weight: dict[str, Annotated[float, Field(gt=0)]] | None = None

    @classmethod
    def examples(cls) -> list[Self]:
        """Both schemes, and weights by label."""
        return [cls(), cls(scheme="inverse_square_root"), cls(class_weight={"0": 1.0, "1": 4.0, "猫": 2.5})]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module.

        Raises:
            DataError: The labels of `class_weight` are not exactly the classes.
        """
        return FromLogits(weighted, weights=self.prior_factor(targets))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray:
        """The weights per class themselves: a row of weight 2 counts in the prior as two rows."""
        counts = known_counts(targets, self.name)
        if self.class_weight is not None:
            return normalized(by_label(self.class_weight, targets.classes, "class_weight"), counts)
        return inverse_power(counts, 1.0 if self.scheme == "balanced" else 0.5)


def weighted(logits: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy with one weight per class, ``(batch, n_classes) x (batch, n_classes) x (n_classes,) ->
    (batch,)``."""
    return cross_entropy(logits, y * weights)
