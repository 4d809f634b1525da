"""SMOTE from those rows of rare classes that stand on the border: at least half of their neighbors, but not all, are of
other classes.

Han, Wang and Mao, "Borderline-SMOTE: A New Over-Sampling Method in Imbalanced Data Sets Learning" (ICIC 2005), its
first variant. Of the `border_neighbors` nearest rows of any class, m' are of another: a row is in *danger* where ``m /
2 <= m' < m``, *noise* where ``m' = m``. New rows start at those in danger, and go towards one of their `neighbors`
nearest of the same class.

*Helps when* classes overlap along a border that the rare rows alone are too few to hold.
*Does not help when* labels are noisy, or rare rows stand scattered among others: these are noise to it, and what it
fills is the others'. *Cost:* the distances of the rare rows to all rows.

NOTE[DIFF]: where no row of a class is in danger, all of its rows are starts, as in `smote`, so that each class gets
what was asked for; imbalanced-learn makes none. Otherwise as `smote`: standardized, mixed columns, a class of one row
repeated.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling._filling import filled
from rarebird.methods.resampling._mixed_rows import MixedRows
from rarebird.methods.resampling._neighbors import Points, nearest
from rarebird.methods.resampling.adasyn import others_share
from rarebird.methods.resampling.random_over import turns
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int

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

        def choose(
            rows: MixedRows, codes: np.ndarray, own: np.ndarray, lack: int
        ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            points = rows.points(np.arange(len(codes)), own)
            danger = in_danger(points, codes, own, self.border_neighbors)
            starts = own[danger] if danger.any() else own
            return starts, nearest(points, starts, own, self.neighbors), turns(len(starts), lack, rng)

        return filled(train, "borderline_smote", self.ratio, self.standardize, rng, choose)


def in_danger(points: Points, codes: np.ndarray, own: np.ndarray, neighbors: int) -> np.ndarray:
    """``(len(own),)`` bool, which rows have at least half, but not all, of their neighbors in other classes.

    Args:
        points: All rows.
        codes: ``(n,)`` class codes.
        own: Positions of the rows of one class.
        neighbors: How many neighbors are asked.
    """
    others = others_share(points, codes, own, neighbors)
    danger: np.ndarray = (others >= 0.5) & (others < 1)
    return danger
