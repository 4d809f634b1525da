"""Make new rows of rare classes between a row and one of its nearest neighbors of the same class.

Chawla, Bowyer, Hall and Kegelmeyer, "SMOTE: Synthetic Minority Over-sampling Technique" (JAIR 2002). A new row is ``a +
u (b - a)``: `a` a row of the class, `b` one of its `neighbors` nearest of the same class, u uniform in 0..1. For
categories and missing cells see `_mixed_rows`. All original rows stay.

*Helps when* the rare class fills a region with too few rows to show its shape; columns are measurements.
*Does not help when* rows of the class are scattered among others (new rows then lie among other classes), there are
many columns for the number of rows, or probabilities matter more than ranking: many rare rows of a balanced set are
artificial.
*Cost:* the distances within each class that is filled, and the longer epochs.

NOTE[DIFF]: distances are of standardized numbers (``standardize = false`` gives the paper's), as otherwise the column
with the largest values dominates. A class of one row is repeated; in one of n rows a row has at most n - 1 neighbors.
New rows start at the rows in turn, as in the paper.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np

from rarebird.methods.resampling._filling import ClassToFill, Filling, Starts
from rarebird.methods.resampling._neighbors import nearest
from rarebird.methods.resampling.random_over import drawn_evenly
from rarebird.slots.ranges import Choice

KINDS = ("table",)


class Smote(Filling):
    """Settings.

    Attributes:
        ratio: Rows that each class has at least, as a share of the largest class's.
        neighbors: Nearest rows of the class, one of which is drawn.
        standardize: Whether distances are of numbers divided by their standard deviation.
    """

    standardize: Annotated[bool, Choice(True, False)] = True

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half-way with the paper's distances."""
        return [cls(), cls(ratio=0.5, neighbors=3, standardize=False)]

    def starts(self, to_fill: ClassToFill, rng: np.random.Generator) -> Starts:
        """New rows start at the rows of the class in turn."""
        own = to_fill.own
        everywhere = np.arange(len(own))
        neighbors = own[nearest(to_fill.rows.points(own, own), everywhere, everywhere, self.neighbors)]
        return own, neighbors, drawn_evenly(len(own), to_fill.n_new, rng)
