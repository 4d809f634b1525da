"""SMOTE, and then take out every row, made ones among them, whose neighbors are of other classes.

Batista, Prati and Monard, "A Study of the Behavior of Several Methods for Balancing Machine Learning Training Data"
(SIGKDD Explorations 2004). SMOTE also fills what is not the rare class's own; rows of any class that
`cleaning_neighbors` nearest rows disagree with go, more of them than with `smote_tomek` (see `smote` and
`edited_nearest_neighbours`).

Tables only: a line between two pictures is no picture, and neighbors in raw pixels say little.

*Helps when* `smote` helps, labels are noisy, and rows are enough to lose some.
*Does not help when* classes overlap widely (with the rare one filled up, many common rows stand among its rows and go,
and probabilities suffer), or each rare row counts: real ones go too; ``agreement="mode"`` takes fewer.
*Cost:* that of `smote`, and the nearest neighbors of each row, made ones included.

NOTE[DIFF]: distances are of standardized numbers; a class that would lose all of its rows keeps them.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling._selection import Classes
from rarebird.methods.resampling.edited_nearest_neighbours import Agreement, EditedNearestNeighbours
from rarebird.methods.resampling.smote import Smote
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int

KINDS = ("table",)


class SmoteEnn(Method):
    """Settings.

    Attributes:
        ratio: Rows that SMOTE brings each class to, at least, as a share of the largest class's.
        neighbors: Nearest rows of the class, of which SMOTE draws one.
        cleaning_neighbors: Nearest rows that judge a row.
        agreement: ``all`` of them are of the row's class, or it is their ``mode``.
        classes: Which classes give rows: ``all``, ``not_minority`` (all but the smallest after SMOTE) or ``majority``.
    """

    ratio: Annotated[float, Float(0.1, 1.0, log=True)] = Field(default=1.0, ge=0, le=1)
    neighbors: Annotated[int, Int(1, 10)] = Field(default=5, ge=1, le=100)
    cleaning_neighbors: Annotated[int, Int(1, 7)] = Field(default=3, ge=1, le=100)
    agreement: Annotated[Agreement, Choice("all", "mode")] = "all"
    classes: Annotated[Classes, Choice("all", "not_minority", "majority")] = "all"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half-way, by Wilson's rule, and real rare rows spared."""
        return [cls(), cls(ratio=0.5, neighbors=3, agreement="mode", classes="majority")]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows that are left, those that were there first."""
        filled = Smote(ratio=self.ratio, neighbors=self.neighbors)(train, rng)
        clean = EditedNearestNeighbours(
            neighbors=self.cleaning_neighbors, agreement=self.agreement, classes=self.classes
        )
        return clean(filled, rng)
