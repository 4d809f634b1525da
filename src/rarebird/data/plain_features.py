"""Plain features of raw rows of any kind, for tests that compare two sets of rows: nothing is learned from labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rarebird.data.concatenation import concat
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared

# Sides of the shrunken pictures, points of the shrunken series, and categories of a column that get a feature.
SIDE, POINTS, MOST_CATEGORIES = 8, 24, 10
# Means and spreads of series are multiples of this share of the largest value.
ROUNDED = 1e-5


def plain_features(
    parts: tuple[Dataset, Dataset], prepared: Prepared, absent: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """``(n, d)`` features of two sets of rows, made for both together, so that no set is treated in another way.

    Args:
        parts: Two sets of rows.
        prepared: It names the columns of a table that the model uses.
        absent: Of these, columns that are left out.
    """
    first, second = (part.take(np.arange(len(part))) for part in parts)
    both = concat([_bare(first), _bare(second)]).raw()
    kind = first.kind
    values = (
        _pictures(both) if kind == "image" else _series(*both) if kind == "series" else _columns(both, prepared, absent)
    )
    return values[: len(first)], values[len(first) :]


def _bare(rows: Dataset) -> Dataset:
    return replace(rows, y=None, weight=None, group=None, copies=None, time=None, synthetic=None)


def _pictures(pixels: np.ndarray) -> np.ndarray:
    """A gray picture of 8 by 8 pixels, the means of the channels, the contrast and the sharpness in both directions."""
    scaled = pixels.astype(np.float32) / (255 if pixels.dtype == np.uint8 else 1)
    gray = scaled.mean(axis=1)
    for axis in (1, 2):
        gray = _shrunk(gray, axis, SIDE)
    sharpness = [
        np.abs(np.diff(scaled, axis=axis)).mean(axis=(1, 2, 3)) if scaled.shape[axis] > 1 else np.zeros(len(scaled))
        for axis in (2, 3)
    ]
    return np.column_stack(
        [gray.reshape(len(gray), -1), scaled.mean(axis=(2, 3)), scaled.std(axis=(1, 2, 3)), *sharpness]
    )


def _shrunk(values: np.ndarray, axis: int, most: int) -> np.ndarray:
    """Means of neighboring values along an axis, at most `most`."""
    n = values.shape[axis]
    starts = np.unique(np.linspace(0, n, min(n, most) + 1).astype(int))
    sums = np.add.reduceat(values, starts[:-1], axis=axis)
    shape = [1] * values.ndim
    shape[axis] = -1
    means: np.ndarray = sums / np.diff(starts).reshape(shape)
    return means


def _series(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Each channel at 24 points of a series' own length, with its mean and spread; the length and the missing share."""
    rows = np.arange(len(values))
    places = np.rint(np.linspace(0, 1, POINTS) * (lengths - 1)[:, None]).astype(int)
    points = values[rows[:, None], :, places].reshape(len(values), -1)
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    n_known = np.maximum(known.sum(axis=2), 1)
    means = filled.sum(axis=2) / n_known
    spread = np.sqrt((np.where(known, values - means[:, :, None], 0.0) ** 2).sum(axis=2) / n_known)
    # Of rows that are standardized one by one these are equal but for rounding errors, which are no difference.
    unit = ROUNDED * max(float(np.abs(filled).max(initial=0)), 1e-30)
    means, spread = (np.rint(one / unit) * unit for one in (means, spread))
    missing = 1 - known.sum(axis=(1, 2)) / (lengths * values.shape[1])
    return np.column_stack([_without_gaps(points), means, spread, lengths, missing])


def _columns(frame: Any, prepared: Prepared, absent: Sequence[str]) -> np.ndarray:
    """Numbers with a mark where they are missing, and a mark for each of the most frequent categories of a column."""
    import pandas as pd

    state = prepared.table
    assert state is not None
    features: list[np.ndarray] = []
    for column in state.columns:
        if column.name in absent:
            continue
        values = frame[column.name]
        if column.role == "category":
            text = values.astype("string").fillna("")
            features += [(text == name).to_numpy(float) for name in text.value_counts().index[:MOST_CATEGORIES]]
            continue
        if column.role == "date":
            values = pd.to_datetime(values, errors="coerce").astype("int64").where(values.notna())
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        features += [_without_gaps(numbers[:, None])[:, 0], np.isfinite(numbers).astype(float)]
    return np.column_stack(features) if features else np.zeros((len(frame), 0))


def _without_gaps(values: np.ndarray) -> np.ndarray:
    """Missing values replaced by the column's median."""
    known = np.isfinite(values)
    filled: np.ndarray = np.array(values, dtype=float)
    for place in range(values.shape[1]):
        column = known[:, place]
        filled[~column, place] = np.median(filled[column, place]) if column.any() else 0.0
    return filled
