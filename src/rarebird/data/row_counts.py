"""How many rows a weighted row counts for, wherever numbers of rows matter: priors, bins, class counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rarebird.data.dataset import Dataset


def rows_of(weight: np.ndarray) -> np.ndarray:
    """``(n,)`` float64, how many rows each row counts for; zeros where all weights are 0.

    Weights that are all whole numbers count rows: weight k is the row k times. Other weights only compare rows, on any
    scale, and are scaled to sum to Kish's effective number of rows, ``(sum w)^2 / sum w^2``.
    """
    exact: np.ndarray = np.asarray(weight, dtype=np.float64)
    if np.array_equal(exact, np.rint(exact)):
        return exact
    # Divided by the largest first, as the square of a very small weight is 0.
    relative = exact / exact.max()
    scaled: np.ndarray = relative * (relative.sum() / np.square(relative).sum())
    return scaled


def counted(data: Dataset) -> Dataset:
    """The same rows with weights that are numbers of rows."""
    return data if data.weight is None else replace(data, weight=rows_of(data.weight))
