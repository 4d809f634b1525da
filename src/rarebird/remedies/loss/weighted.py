"""Weighted cross entropy: rows of rarer classes count more.

``-sum_k w_k y_k log p_k`` (King and Zeng, "Logistic regression in rare events data", Political Analysis 2001; the `balanced` weights are
scikit-learn's ``class_weight="balanced"``): `balanced` has ``w_k = n / (K n_k)``, `inverse_square_root` has ``w_k ~ 1 / sqrt(n_k)``, and
`class_weight` gives the weights by class label.

*Helps when* rare classes get too little gradient in a network that cannot fit every row: linear and small networks, short trainings.

*Does not help when* the network fits every training row anyway: then weights change little (Byrd and Lipton, "What is the effect of
importance weighting in deep learning?", 2019), and large ones from the first step make the training unstable; see `logit_adjusted`.

Cost: that of cross entropy.

NOTE[DIFF]: weights are scaled so that their mean over the training rows is 1, so choosing a scheme leaves the learning rate as it is. A
class without training rows is weighted as if it had one row.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.checks import DataError, nearest, require, some
from rarebird.methods import Method
from rarebird.ranges import Choice
from rarebird.remedies.loss.cross_entropy import cross_entropy

KINDS = ("image", "table", "series")


class Weighted(Method):
    """How much each class counts.

    Attributes:
        scheme: How weights follow from the class counts.
        class_weight: Class label -> weight, in place of the scheme; every label of the data and no other.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    scheme: Annotated[Literal["balanced", "inverse_square_root"], Choice("balanced", "inverse_square_root")] = "balanced"
    class_weight: dict[str, Annotated[float, Field(gt=0)]] | None = None

    @classmethod
    def examples(cls) -> list[Self]:
        """Both schemes, and weights by label."""
        return [cls(), cls(scheme="inverse_square_root"), cls(class_weight={"0": 1.0, "1": 4.0, "猫": 2.5})]

    def build(self, class_counts: Tensor | None, classes: tuple[str, ...] = ()) -> nn.Module:
        """The loss as a module.

        Raises:
            DataError: `class_weight` names a class that the data lack, or misses one that they have.
        """
        require(class_counts is not None, "weighted is for classes, with their counts", class_counts=class_counts)
        assert class_counts is not None
        weights = self.prior_factor(class_counts.double().cpu().numpy(), classes)
        return WeightedModule(torch.as_tensor(weights, dtype=torch.float32, device=class_counts.device))

    def prior_factor(self, class_counts: np.ndarray, classes: tuple[str, ...] = ()) -> np.ndarray:
        """The weights per class themselves: a row of weight 2 teaches the prior of two rows."""
        if self.class_weight is not None:
            return normalized(by_label(self.class_weight, classes), class_counts)
        return class_weights(class_counts, power=1.0 if self.scheme == "balanced" else 0.5)


class WeightedModule(nn.Module):
    """``logits (batch, n_classes), y (batch, n_classes) -> (batch,)`` with one weight per class."""

    weights: Tensor

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        """Weighted cross entropy per row."""
        return cross_entropy(logits, y * self.weights.to(y.device))


def class_weights(class_counts: np.ndarray, power: float) -> np.ndarray:
    """``(n_classes,)`` weights ``1 / count ** power`` whose mean over the training rows is 1."""
    counts = np.where(class_counts > 0, class_counts, 1).astype(np.float64)
    return normalized(counts**-power, class_counts)


def normalized(weights: np.ndarray, class_counts: np.ndarray) -> np.ndarray:
    """`weights` scaled so that their mean over rows with these counts is 1."""
    require(class_counts.sum() > 0, "at least one training row", class_counts=class_counts.tolist())
    scaled: np.ndarray = weights * (class_counts.sum() / (weights * class_counts).sum())
    return scaled


def by_label(class_weight: dict[str, float], classes: tuple[str, ...]) -> np.ndarray:
    """The given weights in the order of `classes`.

    Raises:
        DataError: The labels of the weights are not exactly the classes.
    """
    unknown = [label for label in class_weight if label not in classes]
    if unknown:
        raise DataError(f"class_weight names the class {unknown[0]!r}, which the data do not have; {nearest(unknown[0], classes)}")
    missing = [label for label in classes if label not in class_weight]
    if missing:
        raise DataError(f"class_weight misses the class {some(map(repr, missing))}; give a weight for every class.")
    return np.array([class_weight[label] for label in classes])
