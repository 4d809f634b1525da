"""SMOTE from those rows of rare classes that stand on the border: at least half of their neighbors, but not all, are of other classes.

Han, Wang and Mao, "Borderline-SMOTE: A New Over-Sampling Method in Imbalanced Data Sets Learning" (ICIC 2005), its first variant. Of the
`border_neighbors` nearest rows of any class, m' are of another: a row is in *danger* where ``m / 2 <= m' < m``, *noise* where ``m' = m``.
New rows start at those in danger, and go towards one of their `neighbors` nearest of the same class.

*Helps when* classes overlap along a border that the rare rows alone are too few to hold.
*Does not help when* labels are noisy, or rare rows stand scattered among others: these are noise to it, and what it fills is the others'.
*Cost:* the distances of the rare rows to all rows.

NOTE[DIFF]: where no row of a class is in danger, all of its rows are starts, as in `smote`, so that each class gets what was asked for;
imbalanced-learn makes none. Otherwise as `smote`: standardized, mixed columns, a class of one row repeated.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.methods import Method
from rarebird.ranges import Choice, Float, Int
from rarebird.remedies.resampling.mixed_rows import drawn_pairs, mixed_rows, with_rows_between
from rarebird.remedies.resampling.neighbors import Points, nearest
from rarebird.remedies.resampling.random_over import lacking, turns
from rarebird.remedies.resampling.selection import class_codes

KINDS = ("table",)


class BorderlineSmote(Method):
    """Settings.

    Attributes:
        ratio: Rows that each class gets, at least, as a share of the largest class's.
        neighbors: Nearest rows of the class, of which one is drawn.
        border_neighbors: Nearest rows of any class, which tell whether a row is in danger.
        standardize: Whether distances are of numbers divided by their standard deviation.
    """

    ratio: Annotated[float, Float(0.1, 1.0, log=True)] = Field(default=1.0, ge=0, le=1)
    neighbors: Annotated[int, Int(1, 10)] = Field(default=5, ge=1, le=100)
    border_neighbors: Annotated[int, Int(3, 20)] = Field(default=10, ge=2, le=100)
    standardize: Annotated[bool, Choice(True, False)] = True

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half-way with the paper's distances."""
        return [cls(), cls(ratio=0.5, border_neighbors=5, standardize=False)]

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(ratio=0)

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """All rows in their order, and the new ones after them."""
        codes = class_codes(train, "borderline_smote")
        wanted = lacking(codes, self.ratio)
        if not wanted.any():
            return train
        rows, drawn = mixed_rows(train, self.standardize), []
        for code in np.flatnonzero(wanted):
            own = np.flatnonzero(codes == code)
            points = rows.points(np.arange(len(train)), own)
            danger = in_danger(points, codes, own, self.border_neighbors)
            starts = own[danger] if danger.any() else own
            beside = nearest(points, starts, own, self.neighbors)
            drawn.append(drawn_pairs(rows, starts, beside, turns(len(starts), wanted[code], rng), rng))
        return with_rows_between(rows, drawn)


def in_danger(points: Points, codes: np.ndarray, own: np.ndarray, neighbors: int) -> np.ndarray:
    """``(len(own),)`` bool, which rows have at least half, but not all, of their neighbors in other classes.

    Args:
        points: All rows.
        codes: ``(n,)`` class codes.
        own: Positions of the rows of one class.
        neighbors: How many neighbors are asked.
    """
    others = (codes[nearest(points, own, np.arange(len(points)), neighbors)] != codes[own][:, None]).mean(axis=1)
    danger: np.ndarray = (others >= 0.5) & (others < 1)
    return danger
