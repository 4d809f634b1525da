"""Move each row's features towards those of a near row of its class: SMOTE in the network's own feature space.

DeVries and Taylor, "Dataset augmentation in feature space" (ICLR workshops 2017), with the neighbors of Chawla et al.,
"SMOTE" (JAIR 2002). Between the network's body and its head, row i with features ``f_i`` becomes ``f_i + u (f_j -
f_i)``: j is one of the `neighbors` nearest rows of the same class in the batch, u uniform in 0..1. A point between two
pictures is no picture, but a point between their features resembles the features of real pictures.

*Label-safe when:* the features separate the classes; targets stay.
*Helps when:* as a second stage on a trained body, with class-balanced batches: the plan ``stages = "feature_smote"``.
*Does not help when:* a class has one or two rows (a line between copies of one row is that row), or from the first
step, when the features are not learned yet.
*Cost:* the distances within a batch.

NOTE[DIFF]: neighbors are searched in the batch, not in all rows, so that features are never outdated. A row with a soft
target belongs to its most probable class. Copies of one row, which balanced batches of a small class contain, are not
neighbors of each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.core.checks import DataError
from rarebird.methods.augmentation import _rows
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float, Int

if TYPE_CHECKING:
    from rarebird.slots.protocols import FeatureAugmentation, TrainStatistics

KINDS = ("image", "table", "series")
# Rows whose squared distance is below this share of the batch's largest are copies of each other, up to rounding.
COPY = 1e-6


class FeatureSmote(Method):
    """Settings.

    Attributes:
        neighbors: Nearest rows of the same class in the batch, one of which is drawn.
        p: Share of the rows that move.
    """

    on_features: ClassVar[bool] = True

    neighbors: Annotated[int, Int(1, 10)] = Field(default=5, ge=1, le=100)
    p: Annotated[float, Float(0.2, 1.0)] = Field(default=0.5, ge=0, le=1)

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(p=0)

    def bind(self, statistics: TrainStatistics) -> FeatureAugmentation:
        """The augmentation for features.

        Raises:
            DataError: The target is a number.
        """
        if statistics.spec.task == "regression":
            raise DataError("feature_smote moves rows within their class, but the target is a number; remove it.")

        def moved(
            features: Tensor, y: Tensor, weight: Tensor, generator: torch.Generator
        ) -> tuple[Tensor, Tensor, Tensor]:
            batch = len(y)
            share = _rows.uniform(0, 1, batch, generator) * _rows.bernoulli(self.p, batch, generator)
            partner = partners(features.detach().flatten(1).float(), y.argmax(dim=1), self.neighbors, generator)
            return torch.lerp(features, features[partner], _rows.broadcastable(share, features)), y, weight

        return moved


def partners(features: Tensor, codes: Tensor, neighbors: int, generator: torch.Generator) -> Tensor:
    """``(batch,)`` int64: for each row one of its nearest others of the same class, itself where it has none.

    Args:
        features: ``(batch, width)`` float32.
        codes: ``(batch,)`` class codes.
        neighbors: Number of the nearest rows, one of which is drawn.
        generator: On the device of `features`.
    """
    batch = len(features)
    distance = torch.cdist(features, features, compute_mode="use_mm_for_euclid_dist").square()
    other = (codes[:, None] == codes) & (distance > COPY * distance.max())
    far = torch.where(other, distance, torch.inf)
    nearest = far.topk(min(neighbors, batch), dim=1, largest=False)
    found = nearest.values.isfinite().sum(dim=1)
    place = (_rows.uniform(0, 1, batch, generator) * found).long().clamp(max=nearest.values.shape[1] - 1)
    chosen = nearest.indices.gather(1, place[:, None])[:, 0]
    return torch.where(found > 0, chosen, torch.arange(batch, device=features.device))
