"""Remove common rows that add no information, and then those on the border.

Kubat and Matwin, "Addressing the Curse of Imbalanced Training Sets: One-Sided Selection" (ICML 1997). For each common
class: start with all rows of the smallest class and one random common row; keep the common rows whose nearest row in
this set is of another class; then remove common rows on a Tomek link (see `tomek_links`). Removed rows are redundant,
or noise.

Tables only: neighbors in raw pixels or unaligned curves are not similar rows.

*Helps when* common rows far from the border are alike, and there are too many of them to train fast.
*Does not help when* probabilities matter: the rows that stay are not a random sample of their class, and the correction
to the natural prior corrects only class frequencies. The result depends on one random row: try several seeds.
*Cost:* the nearest neighbor of each row, twice.

NOTE[DIFF]: a class that would lose all of its rows keeps them.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling import _selection
from rarebird.methods.resampling._neighbors import Points, nearest
from rarebird.methods.resampling.tomek_links import linked
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Sampling
from rarebird.slots.ranges import Choice

KINDS = ("table",)


class OneSidedSelection(Method):
    """Settings.

    Attributes:
        classes: Classes that rows are removed from: ``not_minority`` (all but the smallest) or ``majority`` (the
            largest).
    """

    sampling: ClassVar[Sampling] = "clean-sampling"
    makes_rows: ClassVar[bool] = False

    classes: Annotated[Literal["not_minority", "majority"], Choice("not_minority", "majority")] = "not_minority"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; the largest class alone."""
        return [cls(), cls(classes="majority")]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows that are kept, in their order; one random row of each common class starts its selection."""
        codes = _selection.class_codes(train, "one_sided_selection")
        return self.resampled(train, _selection.cleaned_classes(codes, train.weights, self.classes), rng)

    def resampled(self, train: Dataset, wanted: np.ndarray, rng: np.random.Generator) -> Dataset:
        """The rows that are kept; rows are removed from the classes where `wanted` ``(n_classes,)`` is True."""
        codes = _selection.class_codes(train, "one_sided_selection")
        if not wanted[codes].any():
            return train
        present = np.bincount(codes, minlength=len(wanted)) > 0
        seeds = np.array([rng.choice(np.flatnonzero(codes == code)) for code in np.flatnonzero(wanted & present)])
        return _selection.kept(
            train, informative(_selection.points(train), codes, _selection.of_smallest(codes, train.weights), seeds)
        )


def informative(points: Points, codes: np.ndarray, rare: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """``(n,)`` bool, the rows to keep.

    Args:
        points: The rows as points.
        codes: ``(n,)`` class codes.
        rare: Positions of the rows of the smallest class.
        seeds: For each class that rows are removed from, the row that its other rows are compared with.
    """
    keep: np.ndarray = ~np.isin(codes, codes[seeds])
    keep[seeds] = True
    for seed in seeds:
        rows = np.flatnonzero(codes == codes[seed])
        compared = np.append(rare, seed)
        nearest_row = nearest(points, rows, compared, 1)[:, 0]
        keep[rows[codes[nearest_row] != codes[seed]]] = True
    keep &= ~(linked(points, codes, np.flatnonzero(keep)) & np.isin(codes, codes[seeds]))
    return keep
