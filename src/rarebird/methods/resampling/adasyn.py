"""SMOTE with more new rows where a rare row has more neighbors of other classes.

He, Bai, Garcia and Li, "ADASYN: Adaptive Synthetic Sampling Approach for Imbalanced Learning" (IJCNN 2008). A share
``r_i`` of a row's `neighbors` nearest rows is of other classes; ``g_i = G r_i / sum r`` of the G new rows start at row
i, each towards one of its `neighbors` nearest rows of the same class.

*Helps when* the rare class consists of several groups, some of them surrounded by other classes.
*Does not help when* labels are noisy: a row with a wrong label has only neighbors of other classes, and most new rows
start there.
*Cost:* the distances of the rare rows to all rows.

NOTE[DIFF]: numbers are rounded so that their sum is exactly G. If no row has a neighbor of another class, new rows
start at all rows, as in `smote` (the paper does not treat this case, and imbalanced-learn refuses it). All else is as
in `smote`: standardized, mixed columns, a class of one row repeated.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np

from rarebird.methods.resampling._filling import ClassToFill, Filling, Starts
from rarebird.methods.resampling._neighbors import Points, nearest
from rarebird.slots.ranges import Choice

KINDS = ("table",)


class Adasyn(Filling):
    """Settings.

    Attributes:
        ratio: Rows that each class has at least, as a share of the largest class's.
        neighbors: Nearest rows: those of any class show how hard a row is, those of its own class are drawn from.
        standardize: Whether distances are of numbers divided by their standard deviation.
    """

    standardize: Annotated[bool, Choice(True, False)] = True

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half-way with the paper's distances."""
        return [cls(), cls(ratio=0.5, neighbors=3, standardize=False)]

    def starts(self, to_fill: ClassToFill, rng: np.random.Generator) -> Starts:
        """Each row of the class starts a number of new rows in proportion to its hardness."""
        own = to_fill.own
        points = to_fill.rows.points(np.arange(len(to_fill.codes)), own)
        hardness = share_of_other_classes(points, to_fill.codes, own, self.neighbors)
        chosen = np.repeat(np.arange(len(own)), in_proportion(hardness, to_fill.n_new))
        return own, nearest(points, own, own, self.neighbors), chosen


def share_of_other_classes(points: Points, codes: np.ndarray, own: np.ndarray, neighbors: int) -> np.ndarray:
    """``(len(own),)`` the share of each row's nearest neighbors that belong to other classes.

    Args:
        points: All rows.
        codes: ``(n,)`` class codes.
        own: Positions of the rows of one class.
        neighbors: Number of neighbors.
    """
    share: np.ndarray = (codes[nearest(points, own, np.arange(len(points)), neighbors)] != codes[own][:, None]).mean(
        axis=1
    )
    return share


def in_proportion(hardness: np.ndarray, total: int) -> np.ndarray:
    """``(n,)`` whole numbers in proportion to `hardness` ``(n,)``, off by less than 1 each, with the sum `total`."""
    even = hardness if hardness.any() else np.ones(len(hardness))
    # The running sum is rounded, not each number: ten rows of .3 get three new rows, not zero.
    until = np.rint(total * (even.cumsum() / even.sum())).astype(np.int64)
    numbers: np.ndarray = np.diff(until, prepend=0)
    return numbers
