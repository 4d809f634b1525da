"""How many rows a weighted row counts for, wherever numbers of rows matter: priors, bins, class counts; and the
classes of which rows show anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rarebird.data.dataset import Dataset

# Cells of the columns that are worked on at a time.
BLOCK_CELLS = 2**22
# Rows above which columns are worked on one by one.
LONG = 20_000


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


def seen_classes(y: np.ndarray, weight: np.ndarray, n_classes: int) -> np.ndarray:
    """``(n_classes,)`` bool, the classes of which the rows have some weight.

    Args:
        y: ``(n,)`` int class codes.
        weight: ``(n,)`` sample weights.
        n_classes: All classes.
    """
    seen: np.ndarray = np.bincount(y, weight, n_classes) > 0
    return seen


def quantiles(values: np.ndarray, rows: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """``(k,)`` quantiles of values ``(n,)``, each counting for `rows` ``(n,)`` rows, at `shares` ``(k,)`` in 0..1:
    those of `numpy.quantile` for rows that are repeated."""
    if (rows == 1).all():
        return np.asarray(np.quantile(values, shares))
    order = np.argsort(values, kind="stable")
    ordered, ends = values[order], np.cumsum(rows[order])
    # The place of a quantile on a scale on which each row is as long as it counts; whole, up to rounding errors, at the
    # border of two rows.
    place = shares * max(ends[-1] - 1, 0)
    place = np.where(np.abs(place - np.rint(place)) < 1e-9, np.rint(place), place)
    last = len(values) - 1
    low = np.minimum(np.searchsorted(ends, place, side="right"), last)
    high = np.minimum(np.searchsorted(ends, place + 1, side="left"), last)
    beyond = np.maximum(place + 1 - ends[low], 0)
    result: np.ndarray = ordered[low] + beyond * (ordered[high] - ordered[low])
    return result


def column_quantiles(values: np.ndarray, known: np.ndarray, rows: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """``(k, columns)`` the quantiles of each column's known values, NaN where it has none: those of `quantiles`, but
    many columns at once, because a call for each of twenty thousand takes seconds.

    Args:
        values: ``(n, columns)``.
        known: ``(n, columns)`` bool.
        rows: ``(n,)`` how many rows each row counts for.
        shares: ``(k,)`` in 0..1.
    """
    found = np.full((len(shares), values.shape[1]), np.nan)
    whole = known.all(axis=0) & bool((rows == 1).all()) & (len(values) > 0)
    # Long columns are faster one by one: a selection within a column reads its cells next to each other.
    together = np.flatnonzero(whole) if len(values) <= LONG else np.zeros(0, np.int64)
    step = max(1, BLOCK_CELLS // max(len(values), 1))
    for start in range(0, len(together), step):
        block = together[start : start + step]
        found[:, block] = np.quantile(values[:, block], shares, axis=0)
    for column in np.setdiff1d(np.flatnonzero(known.any(axis=0)), together):
        own = known[:, column]
        found[:, column] = quantiles(values[own, column], rows[own], shares)
    return found


def counted(data: Dataset) -> Dataset:
    """The same rows with weights that are numbers of rows."""
    return data if data.weight is None else replace(data, weight=rows_of(data.weight))


def missing_rows(codes: np.ndarray, weight: np.ndarray, ratio: float) -> np.ndarray:
    """``(n_classes,)`` rows of its mean weight that each class needs to count for `ratio` of the largest class's rows;
    0 for a class without rows.

    Args:
        codes: ``(n,)`` class codes.
        weight: ``(n,)`` how many rows each row counts for, on any scale.
        ratio: 0..1.
    """
    rows, counts = np.bincount(codes), np.bincount(codes, weight)
    each = counts / np.maximum(rows, 1)
    wanted = np.rint(ratio * counts.max(initial=0) / np.where(each > 0, each, 1)).astype(np.int64)
    lack: np.ndarray = np.where(rows > 0, np.maximum(wanted - rows, 0), 0)
    return lack


def class_factors(y: np.ndarray, weight: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` by which weights are multiplied for the classes to have the frequencies `prior` among these
    rows; 1 for a class without rows.

    Args:
        y: ``(n,)`` int class codes.
        weight: ``(n,)`` sample weights.
        prior: ``(n_classes,)`` frequencies.
    """
    total = np.bincount(y, weight, len(prior))
    present = total > 0
    share = np.where(present, prior, 0.0) / max(float(prior[present].sum()), np.finfo(float).tiny)
    factors: np.ndarray = np.where(present, share * total.sum() / np.where(present, total, 1.0), 1.0)
    return factors


def weighted_to(data: Dataset, prior: np.ndarray) -> Dataset:
    """The same rows with weights that give their classes the frequencies `prior`."""
    return replace(data, weight=data.weights * class_factors(data.codes, data.weights, prior)[data.codes])
