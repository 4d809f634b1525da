"""Which rows of a table stay: what the methods that choose among rows share."""

from __future__ import annotations

from typing import Literal

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.methods.resampling._mixed_rows import MixedRows, mixed_rows
from rarebird.methods.resampling._neighbors import Points

Classes = Literal["not_minority", "majority", "all"]
# Categories of a column that get an axis each; the rarer ones share the last, so that a column of 2000 does not fill
# the memory.
MOST_AXES = 32


def points(train: Dataset) -> Points:
    """The rows as points: standardized numbers; two categories of a column, and a known and a missing number, one
    deviation apart."""
    return points_of(mixed_rows(train, standardize=True))


def points_of(rows: MixedRows) -> Points:
    """The same, of rows with standardized numbers; the marks of missing numbers stand behind the categories."""
    every, frame = np.arange(len(rows.data)), rows.data.raw()
    gaps = [frame[name].isna().to_numpy() for name in rows.scales]
    marks = [gap.astype(np.int64) for gap in gaps if gap.any()]
    return Points(rows.points(every, every).numbers, np.column_stack([rows.codes, *marks]))


def dense(rows: Points) -> np.ndarray:
    """``(n, width)`` float64 with the points' distances: their numbers, and each category by an axis of its own."""
    axes = [np.eye(MOST_AXES)[np.minimum(code, MOST_AXES - 1)] for code in rows.codes.T]
    used = [part[:, part.any(axis=0)] * (0.5**0.5 * rows.penalty) for part in axes]
    return np.concatenate([rows.numbers, *used], axis=1)


def class_codes(train: Dataset, method: str) -> np.ndarray:
    """``(n,)`` class codes.

    Raises:
        DataError: The task is no classification.
    """
    if train.task != "classification":
        raise DataError(
            f"{train.name} has a numerical target, but the resampling {method!r} is for classes; leave it out."
        )
    return train.codes


def cleaned_classes(codes: np.ndarray, classes: Classes) -> np.ndarray:
    """``(n_classes,)`` bool, which classes a cleaner may take rows from.

    Args:
        codes: ``(n,)`` class codes.
        classes: ``not_minority``: all but the smallest class, and those as small; ``majority``: the largest class
            alone; ``all``.

    Where there is one class only, there is nothing to clean it from.
    """
    counts = np.bincount(codes)
    present: np.ndarray = counts > 0
    if classes == "all":
        return present if present.sum() > 1 else np.zeros_like(present)
    above: np.ndarray = counts > smallest(codes)
    return above & (counts == counts.max()) if classes == "majority" else above


def smallest(codes: np.ndarray) -> int:
    """Rows of the smallest class that has any."""
    counts = np.bincount(codes)
    return int(counts[counts > 0].min())


def kept(train: Dataset, keep: np.ndarray) -> Dataset:
    """The rows under the mask `keep` ``(n,)``, in their order; a class that would lose its last row keeps all of
    them."""
    codes = train.codes
    left = np.bincount(codes[keep], minlength=train.n_classes)
    return train.take(np.flatnonzero(keep | (left[codes] == 0)))


def quotas(codes: np.ndarray, ratio: float) -> np.ndarray:
    """``(n_classes,)`` rows that an under-sampler leaves of each class: at most `ratio` for one row of the smallest
    class."""
    return np.minimum(np.bincount(codes), int(np.ceil(ratio * smallest(codes))))
