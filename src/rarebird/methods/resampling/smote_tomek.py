"""SMOTE, and then remove both ends of every Tomek link, new rows included.

Batista, Bazzan and Monard, "Balancing Training Data for Automated Annotation of Keywords: a Case Study" (Brazilian
Workshop on Bioinformatics 2003); compared in Batista, Prati and Monard, "A Study of the Behavior of Several Methods for
Balancing Machine Learning Training Data" (SIGKDD Explorations 2004). SMOTE also makes rows among other classes; if a
new row and a common one are each other's nearest neighbor, both are removed (see `smote` and `tomek_links`).

Tables only: a point between two pictures is no picture, and neighbors in raw pixels are not similar pictures.

*Helps when* `smote` helps, and classes overlap: it removes rows on both sides of the border.
*Does not help when* there are many columns for the number of rows, or rare rows are scattered: most new rows are
removed again, and real rare rows with them.
*Cost:* that of `smote`, and the nearest neighbor of each row, new ones included.

NOTE[DIFF]: distances are of standardized numbers; a class that would lose all of its rows keeps them.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import missing_rows
from rarebird.methods.resampling._selection import Classes, class_codes
from rarebird.methods.resampling.smote import Smote
from rarebird.methods.resampling.tomek_links import TomekLinks
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Sampling
from rarebird.slots.ranges import Choice, Float, Int

KINDS = ("table",)


class SmoteTomek(Method):
    """Settings.

    Attributes:
        ratio: Rows that each class has at least after SMOTE, as a share of the largest class's.
        neighbors: Nearest rows of the class, one of which SMOTE draws.
        classes: Classes that rows are removed from: ``all``, ``not_minority`` (all but the smallest after SMOTE) or
            ``majority``.
    """

    sampling: ClassVar[Sampling] = "combined"
    makes_rows: ClassVar[bool] = True

    ratio: Annotated[float, Float(0.1, 1.0, log=True)] = Field(default=1.0, ge=0, le=1)
    neighbors: Annotated[int, Int(1, 10)] = Field(default=5, ge=1, le=100)
    classes: Annotated[Classes, Choice("all", "not_minority", "majority")] = "all"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half-way, without removing rare rows."""
        return [cls(), cls(ratio=0.5, neighbors=3, classes="majority")]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows that are left, original rows before new ones."""
        codes = class_codes(train, "smote_tomek")
        return self.resampled(train, missing_rows(codes, train.weights, self.ratio), rng)

    def resampled(self, train: Dataset, wanted: np.ndarray, rng: np.random.Generator) -> Dataset:
        """The rows that are left of all rows and `wanted` ``(n_classes,)`` new ones of each class."""
        filled = Smote(neighbors=self.neighbors).resampled(train, wanted, rng)
        return TomekLinks(classes=self.classes)(filled, rng)
