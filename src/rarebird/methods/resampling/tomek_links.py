"""Remove rows of common classes that are mutual nearest neighbors with a row of another class.

Tomek, "Two Modifications of CNN" (IEEE Transactions on Systems, Man, and Cybernetics 1976); as a cleaner of skewed
data: Batista, Prati and Monard, "A Study of the Behavior of Several Methods for Balancing Machine Learning Training
Data" (SIGKDD Explorations 2004). Rows i and j of two classes form a Tomek link if no row is nearer to i than j, and
none nearer to j than i: one of them is noise, or both are on the border. The one of a class that is cleaned is removed.

Tables only: neighbors in raw pixels or unaligned curves are not similar rows.

*Helps when* classes overlap a little and labels are noisy: the border around rare rows becomes clearer.
*Does not help when* skew is the only problem: only a few rows are removed, and the class frequencies hardly change.
With many classes, rows of the second rarest are removed, too; ``classes="majority"`` keeps them.
*Cost:* the nearest neighbor of each row: 40 s of one CPU core for 200,000 rows of 30 columns, 0.2 s for 10,000.

NOTE[DIFF]: a class that would lose all of its rows keeps them. No row is its own neighbor, even if it has an equal row
(in imbalanced-learn it may be).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling import _selection
from rarebird.methods.resampling._neighbors import Points, nearest
from rarebird.methods.resampling._selection import Classes
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Sampling
from rarebird.slots.ranges import Choice

KINDS = ("table",)


class TomekLinks(Method):
    """Settings.

    Attributes:
        classes: Classes that rows are removed from: ``not_minority`` (all but the smallest), ``majority`` (the
            largest) or ``all``.
    """

    sampling: ClassVar[Sampling] = "clean-sampling"
    makes_rows: ClassVar[bool] = False

    classes: Annotated[Classes, Choice("not_minority", "majority", "all")] = "not_minority"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; the largest class alone; both ends of each link."""
        return [cls(), cls(classes="majority"), cls(classes="all")]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows without those on a link; there is no randomness."""
        codes = _selection.class_codes(train, "tomek_links")
        return self.resampled(train, _selection.cleaned_classes(codes, train.weights, self.classes), rng)

    def resampled(self, train: Dataset, wanted: np.ndarray, rng: np.random.Generator) -> Dataset:
        """The rows without those on a link, of the classes where `wanted` ``(n_classes,)`` is True."""
        codes = _selection.class_codes(train, "tomek_links")
        if not wanted[codes].any():
            return train
        return _selection.kept(train, ~(linked(_selection.points(train), codes) & wanted[codes]))


def linked(points: Points, codes: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """``(n,)`` bool, for each row whether it is an end of a Tomek link.

    Args:
        points: The rows as points.
        codes: ``(n,)`` class codes.
        rows: Positions of the rows among which links are searched; None for all rows.
    """
    rows = np.arange(len(points)) if rows is None else rows
    found = np.zeros(len(points), dtype=bool)
    if len(rows) > 1:
        nearest_row = np.full(len(points), -1)
        nearest_row[rows] = nearest(points, rows, rows, 1)[:, 0]
        found[rows] = (nearest_row[nearest_row[rows]] == rows) & (codes[nearest_row[rows]] != codes[rows])
    return found
