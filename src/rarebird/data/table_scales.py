"""Scales and bins of a table's numbers, from their quantiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.data.row_counts import BLOCK_CELLS, column_quantiles

if TYPE_CHECKING:
    import pandas as pd

MOST_BINS = 48
ROWS_PER_BIN = 10
QUARTILES = np.array([0.25, 0.5, 0.75])


def quartiles(frame: pd.DataFrame, names: list[Any], rows: np.ndarray) -> dict[Any, np.ndarray]:
    """Name -> ``(3,)`` quartiles of each numerical column's finite values."""
    found: dict[Any, np.ndarray] = {}
    for block in blocks(names, len(frame)):
        values = frame[block].to_numpy(dtype=np.float64, na_value=np.nan)
        found |= dict(zip(block, column_quantiles(values, np.isfinite(values), rows, QUARTILES).T, strict=True))
    return found


def scale(values: np.ndarray, quartiles: np.ndarray) -> tuple[float, float]:
    """Median, and 1 / (interquartile range), or 2 / (whole range) where the quartiles are equal."""
    low, middle, high = quartiles
    if np.isnan(middle):  # no known value
        return 0.0, 0.0
    if high > low:
        return float(middle), float(1 / (high - low))
    known = values[np.isfinite(values)]
    spread = known.max() - known.min()
    return float(middle), float(2 / spread) if spread > 0 else 0.0


def bins(numbers: np.ndarray, missing: np.ndarray, rows: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Per column, distinct quantiles as bin edges, at least two. With few rows there are fewer, so that each bin has
    about ten rows or more."""
    counts = rows.sum() - rows @ missing
    wanted = np.clip(counts // ROWS_PER_BIN, 2, MOST_BINS).astype(np.int64)
    found_bins: list[tuple[float, ...]] = [()] * numbers.shape[1]
    for number in np.unique(wanted):
        alike = np.flatnonzero(wanted == number)
        for block in blocks(alike.tolist(), len(numbers)):
            shares = np.linspace(0, 1, number + 1)
            found = column_quantiles(numbers[:, block], ~missing[:, block], rows, shares)
            for column, edges in zip(block, found.T, strict=True):
                found_bins[column] = _edges(edges)
    return tuple(found_bins)


def _edges(found: np.ndarray) -> tuple[float, ...]:
    edges = np.zeros(1) if np.isnan(found[0]) else np.unique(found)
    if len(edges) < 2:
        edges = np.array([edges[0] - 0.5, edges[0] + 0.5])
    return tuple(edges.tolist())


def blocks(columns: list[Any], n: int) -> Iterator[list[Any]]:
    """The columns in parts that together have a bounded number of cells."""
    step = max(1, BLOCK_CELLS // max(n, 1))
    yield from (columns[start : start + step] for start in range(0, len(columns), step))
