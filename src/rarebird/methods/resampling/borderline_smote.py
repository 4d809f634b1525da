"""SMOTE that starts new rows only at rare rows on the border to other classes.

Han, Wang and Mao, "Borderline-SMOTE: A New Over-Sampling Method in Imbalanced Data Sets Learning" (ICIC 2005), its
first variant. If m' of a row's m `border_neighbors` nearest rows are of other classes, it is in *danger* where ``m / 2
<= m' < m``, and *noise* where ``m' = m``. New rows start at rows in danger, each towards one of its `neighbors` nearest
rows of the same class.

*Helps when* classes overlap along a border at which rare rows are too few.
*Does not help when* labels are noisy, or rare rows are scattered among others: they count as noise, and new rows are
made among the other classes.
*Cost:* the distances of the rare rows to all rows.

NOTE[DIFF]: if no row of a class is in danger, new rows start at all of its rows, as in `smote`, so that each class gets
the number that was asked for; imbalanced-learn makes none. All else is as in `smote`: standardized, mixed columns, a
class of one row repeated.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from rarebird.methods.resampling._filling import ClassToFill, Filling, Starts
from rarebird.methods.resampling._neighbors import Points, nearest
from rarebird.methods.resampling.adasyn import share_of_other_classes
from rarebird.methods.resampling.random_over import drawn_evenly
from rarebird.slots.ranges import Choice, Int

KINDS = ("table",)


class BorderlineSmote(Filling):
    """Settings.

    Attributes:
        ratio: Rows that each class has at least, as a share of the largest class's.
        neighbors: Nearest rows of the class, one of which is drawn.
        border_neighbors: Nearest rows of any class; their classes decide whether a row is in danger.
        standardize: Whether distances are of numbers divided by their standard deviation.
    """

    border_neighbors: Annotated[int, Int(3, 20)] = Field(default=10, ge=2, le=100)
    standardize: Annotated[bool, Choice(True, False)] = True

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half-way with the paper's distances."""
        return [cls(), cls(ratio=0.5, border_neighbors=5, standardize=False)]

    def starts(self, to_fill: ClassToFill, rng: np.random.Generator) -> Starts:
        """New rows start at the rows in danger in turn, or at all rows of the class where none is in danger."""
        own = to_fill.own
        points = to_fill.rows.points(np.arange(len(to_fill.codes)), own)
        danger = in_danger(points, to_fill.codes, own, self.border_neighbors)
        starts = own[danger] if danger.any() else own
        return starts, nearest(points, starts, own, self.neighbors), drawn_evenly(len(starts), to_fill.n_new, rng)


def in_danger(points: Points, codes: np.ndarray, own: np.ndarray, neighbors: int) -> np.ndarray:
    """``(len(own),)`` bool, which rows have at least half, but not all, of their neighbors in other classes.

    Args:
        points: All rows.
        codes: ``(n,)`` class codes.
        own: Positions of the rows of one class.
        neighbors: Number of neighbors.
    """
    others = share_of_other_classes(points, codes, own, neighbors)
    danger: np.ndarray = (others >= 0.5) & (others < 1)
    return danger
