"""The checks of rows and weights that scikit-learn's users expect, before they become a data set."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_array

from rarebird.core.checks import DataError, some
from rarebird.data.dataset import Dataset
from rarebird.readers.arrow_frames import in_pandas
from rarebird.readers.site import row_number


def on_host(values: Any) -> Any:
    """A tensor as an array; anything else as it is."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def plain_labels(y: Any) -> Any:
    """Labels of a nullable or Arrow column in NumPy's type, so that 3 does not become 3.0; anything else as it is.

    Raises:
        DataError: One is missing, where scikit-learn's own check would fail without a sentence.
    """
    y = in_pandas(on_host(y))
    dtype = getattr(y, "dtype", None)
    if dtype is None or getattr(y, "ndim", 1) != 1 or (isinstance(dtype, np.dtype) and dtype.kind != "O"):
        return y
    missing = np.asarray(pd.isna(y))
    if missing.any():
        raise DataError(f"y is missing in {row_number(int(missing.argmax()))}; remove the rows without a label.")
    return np.array(y.tolist()) if dtype.kind in "biu" else y


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
