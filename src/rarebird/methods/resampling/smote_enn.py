"""SMOTE, and then remove every row, new ones included, whose neighbors are of other classes.

Batista, Prati and Monard, "A Study of the Behavior of Several Methods for Balancing Machine Learning Training Data"
(SIGKDD Explorations 2004). SMOTE also makes rows among other classes. Rows of any class are removed if their
`cleaning_neighbors` nearest rows are of other classes: more rows than by `smote_tomek` (see `smote` and
`edited_nearest_neighbours`).

Tables only: a point between two pictures is no picture, and neighbors in raw pixels are not similar pictures.

*Helps when* `smote` helps, labels are noisy, and there are enough rows to lose some.
*Does not help when* classes overlap widely (many common rows then lie among the new rare rows and are removed, and
probabilities become worse), or every rare row matters: real ones are removed, too; ``agreement="mode"`` removes fewer.
*Cost:* that of `smote`, and the nearest neighbors of each row, new ones included.

NOTE[DIFF]: distances are of standardized numbers; a class that would lose all of its rows keeps them.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import missing_rows
from rarebird.methods.resampling._selection import Classes, class_codes
from rarebird.methods.resampling.edited_nearest_neighbours import Agreement, EditedNearestNeighbours
from rarebird.methods.resampling.smote import Smote
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Sampling
from rarebird.slots.ranges import Choice, Float, Int

KINDS = ("table",)


class SmoteEnn(Method):
    """Settings.

    Attributes:
        ratio: Rows that each class has at least after SMOTE, as a share of the largest class's.
        neighbors: Nearest rows of the class, one of which SMOTE draws.
        cleaning_neighbors: Number of nearest rows that a row is compared with.
        agreement: ``all`` of them must be of the row's class, or it must be their ``mode``.
        classes: Classes that rows are removed from: ``all``, ``not_minority`` (all but the smallest after SMOTE) or
            ``majority``.
    """

    sampling: ClassVar[Sampling] = "combined"
    makes_rows: ClassVar[bool] = True

    ratio: Annotated[float, Float(0.1, 1.0, log=True)] = Field(default=1.0, ge=0, le=1)
    neighbors: Annotated[int, Int(1, 10)] = Field(default=5, ge=1, le=100)
    cleaning_neighbors: Annotated[int, Int(1, 7)] = Field(default=3, ge=1, le=100)
    agreement: Annotated[Agreement, Choice("all", "mode")] = "all"
    classes: Annotated[Classes, Choice("all", "not_minority", "majority")] = "all"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half-way, by Wilson's rule, without removing rare rows."""
        return [cls(), cls(ratio=0.5, neighbors=3, agreement="mode", classes="majority")]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows that are left, original rows before new ones."""
        codes = class_codes(train, "smote_enn")
        return self.resampled(train, missing_rows(codes, train.weights, self.ratio), rng)

    def resampled(self, train: Dataset, wanted: np.ndarray, rng: np.random.Generator) -> Dataset:
        """The rows that are left of all rows and `wanted` ``(n_classes,)`` new ones of each class."""
        filled = Smote(neighbors=self.neighbors).resampled(train, wanted, rng)
        clean = EditedNearestNeighbours(
            neighbors=self.cleaning_neighbors, agreement=self.agreement, classes=self.classes
        )
        return clean(filled, rng)
