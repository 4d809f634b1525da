"""What methods that remove rows share: rows as points, which classes rows are removed from, and how many stay."""

from __future__ import annotations

from typing import Literal

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.methods.resampling._mixed_rows import MixedRows, mixed_rows
from rarebird.methods.resampling._neighbors import Points

Classes = Literal["not_minority", "majority", "all"]
# Largest number of axes for the categories of a column; rarer categories share the last one, so that a column of 2000
# categories does not fill the memory.
MOST_AXES = 32


def points(train: Dataset) -> Points:
    """The rows as points: standardized numbers; two different categories, and a known and a missing number, have the
    distance of one standard deviation."""
    return points_of(mixed_rows(train, standardize=True))


def points_of(rows: MixedRows) -> Points:
    """The points of rows with standardized numbers; marks of missing numbers are columns after the categories."""
    every, frame = np.arange(len(rows.data)), rows.data.raw()
    gaps = [frame[name].isna().to_numpy() for name in rows.scales]
    marks = [gap.astype(np.int64) for gap in gaps if gap.any()]
    return Points(rows.points(every, every).numbers, np.column_stack([rows.codes, *marks]))


def dense(rows: Points) -> np.ndarray:
    """``(n, width)`` float64 with the same distances: the numbers, and an axis for each category."""
    axes = [np.eye(MOST_AXES)[np.minimum(code, MOST_AXES - 1)] for code in rows.codes.T]
    used = [part[:, part.any(axis=0)] * (0.5**0.5 * rows.penalty) for part in axes]
    return np.concatenate([rows.numbers, *used], axis=1)


def class_codes(train: Dataset, method: str) -> np.ndarray:
    """``(n,)`` class codes.

    Raises:
        DataError: The task is not classification.
    """
    if train.task != "classification":
        raise DataError(
            f"{train.name} has a numerical target, but the resampling {method!r} is for classes; leave it out."
        )
    return train.codes


def cleaned_classes(codes: np.ndarray, weight: np.ndarray, classes: Classes) -> np.ndarray:
    """``(n_classes,)`` bool, the classes that rows are removed from; none where there is only one class.

    Args:
        codes: ``(n,)`` class codes.
        weight: ``(n,)`` how many rows each row counts for, on any scale.
        classes: ``not_minority``: all but the smallest class and classes of its size; ``majority``: only the largest
            class; ``all``.
    """
    counts = np.bincount(codes, weight)
    present: np.ndarray = np.bincount(codes) > 0
    if classes == "all":
        return present if present.sum() > 1 else np.zeros_like(present)
    above: np.ndarray = counts > counts[present].min()
    return above & (counts == counts.max()) if classes == "majority" else above


def smallest(codes: np.ndarray) -> int:
    """Rows of the smallest class that has any."""
    counts = np.bincount(codes)
    return int(counts[counts > 0].min())


def kept(train: Dataset, keep: np.ndarray) -> Dataset:
    """The rows where `keep` ``(n,)`` is True, in their order; a class that would lose all of its rows keeps them."""
    codes = train.codes
    left = np.bincount(codes[keep], minlength=train.n_classes)
    return train.take(np.flatnonzero(keep | (left[codes] == 0)))


def of_smallest(codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Positions of the rows of the smallest class, or classes, by the sum of their rows' weights."""
    counts = np.bincount(codes, weight)
    return np.flatnonzero(counts[codes] == counts[np.bincount(codes) > 0].min())


def quotas(codes: np.ndarray, weight: np.ndarray, ratio: float) -> np.ndarray:
    """``(n_classes,)`` rows that an under-sampler keeps of each class, so that they count for at most `ratio` times the
    rows of the smallest class.

    Args:
        codes: ``(n,)`` class codes.
        weight: ``(n,)`` how many rows each row counts for, on any scale.
        ratio: At least 1.
    """
    rows, counts = np.bincount(codes), np.bincount(codes, weight)
    each = counts / np.maximum(rows, 1)
    most = ratio * counts[rows > 0].min() / np.where(each > 0, each, 1)
    # Rounded first, so that a rounding error does not add a row.
    kept_rows: np.ndarray = np.minimum(rows, np.ceil(most.round(9)).astype(np.int64))
    return kept_rows
