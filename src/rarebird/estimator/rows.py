"""The checks of rows and weights that scikit-learn's users expect, before they become a data set."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
from sklearn.utils import check_array

from rarebird.core.checks import DataError, some
from rarebird.data.dataset import Dataset


def on_host(values: Any) -> Any:
    """A tensor as an array; anything else as it is."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def is_table(X: Any) -> bool:
    """Whether the rows have the shape of a table, or of none; the latter is left to scikit-learn's check to refuse."""
    return (X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim) <= 2


def has_text_or_dates(cells: np.ndarray) -> bool:
    return any(isinstance(cell, str | datetime.date | np.datetime64) for cell in cells.ravel())


def checked_weight(sample_weight: Any) -> np.ndarray:
    """``(n,)`` finite weights, some of them not zero."""
    weight: np.ndarray = check_array(
        on_host(sample_weight), ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if not weight.any():
        raise DataError("sample_weight is zero in every row; give at least one row a weight above zero.")
    return weight


def without_weightless(data: Dataset) -> Dataset:
    """The rows of some weight: a row of weight zero must count as if it were not there, for scales and folds too.

    Raises:
        DataError: A class would lose all its rows.
    """
    kept = data.take(data.weights > 0)
    counts = kept.class_counts
    gone = (
        [] if counts is None else [repr(label) for label, count in zip(kept.classes, counts, strict=True) if count == 0]
    )
    if gone:
        raise DataError(
            f"sample_weight is zero in every row of class {some(gone)}; give it some weight, or remove its rows from X "
            "and y."
        )
    return kept
