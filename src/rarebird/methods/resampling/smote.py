"""Make rows of rare classes between a row and one of its nearest neighbors of the same class.

Chawla, Bowyer, Hall and Kegelmeyer, "SMOTE: Synthetic Minority Over-sampling Technique" (JAIR 2002). A new row is ``a +
u (b - a)``: `a` a row of the class, `b` one of its `neighbors` nearest of the same class, u uniform in 0..1. Categories
and missing cells as in `mixed_rows`. All rows that there were stay.

*Helps when* the rare class fills a region, of which its rows are too few to show the shape; columns are measurements.
*Does not help when* the class consists of scattered rows among others (it fills what is not its own), the columns are
many for the rows, or probabilities matter more than ranking: half of the rare rows of a balanced set are made up.
*Cost:* the distances within each class that is filled, and the longer epochs.

NOTE[DIFF]: distances are of standardized numbers (``standardize = false`` gives the paper's), as otherwise the column
of the largest unit decides. A class of one row is repeated; one of n rows has n - 1 neighbors at most. Rows take turns
as starts, as in the paper.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling._filling import filled
from rarebird.methods.resampling._mixed_rows import MixedRows
from rarebird.methods.resampling._neighbors import nearest
from rarebird.methods.resampling.random_over import turns
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int

KINDS = ("table",)


class Smote(Method):
    """Settings.

    Attributes:
        ratio: Rows that each class gets, at least, as a share of the largest class's.
        neighbors: Nearest rows of the class, of which one is drawn.
        standardize: Whether distances are of numbers divided by their standard deviation.
    """

    ratio: Annotated[float, Float(0.1, 1.0, log=True)] = Field(default=1.0, ge=0, le=1)
    neighbors: Annotated[int, Int(1, 10)] = Field(default=5, ge=1, le=100)
    standardize: Annotated[bool, Choice(True, False)] = True

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half-way with the paper's distances."""
        return [cls(), cls(ratio=0.5, neighbors=3, standardize=False)]

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(ratio=0)

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """All rows in their order, and the new ones after them."""

        def choose(
            rows: MixedRows, codes: np.ndarray, own: np.ndarray, lack: int
        ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            every = np.arange(len(own))
            return own, own[nearest(rows.points(own, own), every, every, self.neighbors)], turns(len(own), lack, rng)

        return filled(train, "smote", self.ratio, self.standardize, rng, choose)
