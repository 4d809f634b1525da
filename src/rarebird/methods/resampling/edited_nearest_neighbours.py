"""Take out rows of common classes whose nearest neighbors are of other classes.

Wilson, "Asymptotic Properties of Nearest Neighbor Rules Using Edited Data" (IEEE Transactions on Systems, Man, and
Cybernetics 1972). A row of a class that is being cleaned stays where its `neighbors` nearest rows agree with it:
``all`` of them, or its class is the most frequent among them (``mode``, Wilson's own rule).

Tables only: neighbors in raw pixels or unaligned curves say little of what rows show.

*Helps when* labels are noisy, or common rows stand among the rare ones: it clears a wider border than `tomek_links`.
*Does not help when* classes overlap widely: where a third of the neighbors are of another class, ``all`` takes most
rows out; look at the rows left in the run's notes. With many classes, rows of the second rarest go too;
``classes="majority"`` spares them. *Cost:* the nearest neighbors of each row: 40 s of one CPU core for 200,000 rows of
30 columns, 0.2 s for 10,000.

NOTE[DIFF]: a class that would lose all of its rows keeps them. Among equally frequent classes a row's own counts as the
mode, where imbalanced-learn takes the one of the lowest code.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling import _selection
from rarebird.methods.resampling._neighbors import Points, nearest
from rarebird.methods.resampling._selection import Classes
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Int

KINDS = ("table",)
Agreement = Literal["all", "mode"]


class EditedNearestNeighbours(Method):
    """Settings.

    Attributes:
        neighbors: Nearest rows that judge a row.
        agreement: ``all`` of them are of the row's class, or it is their ``mode``.
        classes: Which classes give rows: ``not_minority`` (all but the smallest), ``majority`` (the largest), ``all``.
    """

    neighbors: Annotated[int, Int(1, 7)] = Field(default=3, ge=1, le=100)
    agreement: Annotated[Agreement, Choice("all", "mode")] = "all"
    classes: Annotated[Classes, Choice("not_minority", "majority", "all")] = "not_minority"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; Wilson's rule; the largest class alone; every class."""
        return [cls(), cls(agreement="mode"), cls(classes="majority"), cls(neighbors=5, classes="all")]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows without those whose neighbors disagree; nothing is drawn."""
        codes = _selection.class_codes(train, "edited_nearest_neighbours")
        cleaned = _selection.cleaned_classes(codes, self.classes)
        if not cleaned[codes].any():
            return train
        judged = np.flatnonzero(cleaned[codes])
        keep = np.ones(len(codes), dtype=bool)
        keep[judged] = agreeing(_selection.points(train), codes, judged, self.neighbors, self.agreement)
        return _selection.kept(train, keep)


def agreeing(points: Points, codes: np.ndarray, judged: np.ndarray, neighbors: int, agreement: Agreement) -> np.ndarray:
    """``(m,)`` bool, with which of the rows `judged` ``(m,)`` their neighbors agree.

    Args:
        points: The rows as points.
        codes: ``(n,)`` class codes.
        judged: Positions of rows.
        neighbors: Nearest rows that judge a row; all there are, where these are fewer.
        agreement: ``all`` or ``mode``.
    """
    beside = codes[nearest(points, judged, np.arange(len(points)), neighbors)]
    own = (beside == codes[judged, None]).sum(axis=1)
    # How often each of the neighbors' classes stands among them; the largest is the mode's.
    votes = (beside[:, :, None] == beside[:, None, :]).sum(axis=2).max(axis=1, initial=0)
    agreed: np.ndarray = own == (beside.shape[1] if agreement == "all" else votes)
    return agreed
