"""Remove rows of common classes whose nearest neighbors are of other classes.

Wilson, "Asymptotic Properties of Nearest Neighbor Rules Using Edited Data" (IEEE Transactions on Systems, Man, and
Cybernetics 1972). A row of a class that is cleaned stays if its `neighbors` nearest rows agree with it: if ``all`` are
of its class, or if its class is the most frequent of theirs (``mode``, Wilson's own rule).

Tables only: neighbors in raw pixels or unaligned curves are not similar rows.

*Helps when* labels are noisy, or common rows lie among rare ones: it removes more rows at the border than
`tomek_links`.
*Does not help when* classes overlap widely: where a third of the neighbors are of another class, ``all`` removes most
rows; see the run's notes for how many are left. With many classes, rows of the second rarest are removed, too;
``classes="majority"`` keeps them.
*Cost:* the nearest neighbors of each row: 40 s of one CPU core for 200,000 rows of 30 columns, 0.2 s for 10,000.

NOTE[DIFF]: a class that would lose all of its rows keeps them. If several classes are most frequent and the row's own
is one of them, it is the mode; imbalanced-learn takes the class with the lowest code.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling import _selection
from rarebird.methods.resampling._neighbors import Points, nearest
from rarebird.methods.resampling._selection import Classes
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Sampling
from rarebird.slots.ranges import Choice, Int

KINDS = ("table",)
Agreement = Literal["all", "mode"]


class EditedNearestNeighbours(Method):
    """Settings.

    Attributes:
        neighbors: Number of nearest rows that a row is compared with.
        agreement: ``all`` of them must be of the row's class, or it must be their ``mode``.
        classes: Classes that rows are removed from: ``not_minority`` (all but the smallest), ``majority`` (the
            largest) or ``all``.
    """

    sampling: ClassVar[Sampling] = "clean-sampling"
    makes_rows: ClassVar[bool] = False

    neighbors: Annotated[int, Int(1, 7)] = Field(default=3, ge=1, le=100)
    agreement: Annotated[Agreement, Choice("all", "mode")] = "all"
    classes: Annotated[Classes, Choice("not_minority", "majority", "all")] = "not_minority"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; Wilson's rule; the largest class alone; every class."""
        return [cls(), cls(agreement="mode"), cls(classes="majority"), cls(neighbors=5, classes="all")]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows without those whose neighbors disagree; there is no randomness."""
        codes = _selection.class_codes(train, "edited_nearest_neighbours")
        return self.resampled(train, _selection.cleaned_classes(codes, train.weights, self.classes), rng)

    def resampled(self, train: Dataset, wanted: np.ndarray, rng: np.random.Generator) -> Dataset:
        """The rows without those whose neighbors disagree, of the classes where `wanted` ``(n_classes,)`` is True."""
        codes = _selection.class_codes(train, "edited_nearest_neighbours")
        if not wanted[codes].any():
            return train
        checked = np.flatnonzero(wanted[codes])
        keep = np.ones(len(codes), dtype=bool)
        keep[checked] = agreeing(_selection.points(train), codes, checked, self.neighbors, self.agreement)
        return _selection.kept(train, keep)


def agreeing(
    points: Points, codes: np.ndarray, checked: np.ndarray, neighbors: int, agreement: Agreement
) -> np.ndarray:
    """``(m,)`` bool, for each of the rows `checked` ``(m,)`` whether its neighbors agree with its class.

    Args:
        points: The rows as points.
        codes: ``(n,)`` class codes.
        checked: Positions of rows.
        neighbors: Number of nearest rows; all others if these are fewer.
        agreement: ``all`` or ``mode``.
    """
    near_classes = codes[nearest(points, checked, np.arange(len(points)), neighbors)]
    own = (near_classes == codes[checked, None]).sum(axis=1)
    # How many neighbors are of each neighbor's class; the largest number is that of the mode.
    votes = (near_classes[:, :, None] == near_classes[:, None, :]).sum(axis=2).max(axis=1, initial=0)
    agreed: np.ndarray = own == (near_classes.shape[1] if agreement == "all" else votes)
    return agreed
