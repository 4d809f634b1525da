"""Columns of a table that alone predict the target almost perfectly: mostly the target under another name, or something
that is known only afterwards.

Each column is cut into bins, and the bins alone predict held-out rows in threefold cross-validation, on at most 5000
rows. For classes the score is balanced accuracy (a bin predicts the class that is most over-represented in it), for
numbers it is r2 on the ranks of the target.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from rarebird.core.rng import stream
from rarebird.data.dataset import Dataset, Frame

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_ROWS = 5000
_FOLDS = 3
_BINS = 64
_SUSPICIOUS = 0.98
_LEAST_ROWS = 30


class Leak(BaseModel):
    """A column that alone predicts the target.

    Attributes:
        score: Cross-validated balanced accuracy, or r2 on ranks for regression.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    score: float
    metric: str


def suspicious_columns(
    dataset: Dataset, *, least: float = _SUSPICIOUS, seed: int = 0, deadline: float | None = None
) -> tuple[list[Leak], int]:
    """Columns that alone reach a score of `least`, the best first; none for pictures, series, and under 30 rows.

    Classes with fewer than three rows in the sample do not count.

    Args:
        dataset: The rows.
        least: Smallest score.
        seed: Decides the sample and the folds.
        deadline: When the search ends, on the scale of `time.monotonic`; None: no limit.

    Returns:
        The columns, and how many columns there was no time for.
    """
    if dataset.kind != "table" or len(dataset) < _LEAST_ROWS:
        return [], 0
    rng = stream(seed, "leaks")
    part = dataset.take(_sample(dataset, rng))
    fold = _folds(part, rng)
    frame = part.raw()
    metric = "balanced_accuracy" if part.task == "classification" else "r2"
    scores: dict[str, float] = {}
    for name in frame.columns:
        if deadline is not None and time.monotonic() > deadline:
            break
        scores[str(name)] = column_score(frame[name], part, fold)
    leaks = [
        Leak(column=name, score=round(score, 4), metric=metric) for name, score in scores.items() if score >= least
    ]
    return sorted(leaks, key=lambda leak: -leak.score), len(frame.columns) - len(scores)


def column_score(column: pd.Series, dataset: Dataset, fold: np.ndarray) -> float:
    """How well the bins of one column predict the target of held-out rows; each fold is predicted from the others.

    Args:
        column: ``(n,)`` values of any type.
        dataset: The rows' targets.
        fold: ``(n,)`` number of each row's fold.
    """
    bins = _bins(column)
    if dataset.task == "regression":
        assert dataset.y is not None
        rank = np.unique(dataset.y, return_inverse=True)[1].astype(np.float64)
        return _r2(rank, _out_of_fold_mean(bins, rank, fold))
    y = dataset.codes
    predicted = np.empty_like(y)
    for part in np.unique(fold):
        held = fold == part
        shape = bins.max() + 1, dataset.n_classes
        cells = bins[~held] * dataset.n_classes + y[~held]
        table = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
        share = table / np.maximum(table.sum(axis=0), 1)
        # A bin without rows in the other folds predicts no class, which is wrong for every row.
        predicted[held] = np.where(share.any(axis=1), share.argmax(axis=1), -1)[bins[held]]
    scored = [code for code in range(dataset.n_classes) if (y == code).sum() >= _FOLDS]
    return float(np.mean([(predicted[y == code] == code).mean() for code in scored])) if len(scored) > 1 else 0.0


def _out_of_fold_mean(bins: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    predicted = np.empty_like(y)
    for part in np.unique(fold):
        held = fold == part
        size = bins.max() + 1
        count = np.bincount(bins[~held], minlength=size)
        total = np.bincount(bins[~held], weights=y[~held], minlength=size)
        predicted[held] = np.where(count > 0, total / np.maximum(count, 1), y[~held].mean())[bins[held]]
    return predicted


def _r2(y: np.ndarray, predicted: np.ndarray) -> float:
    spread = ((y - y.mean()) ** 2).sum()
    return float(1 - ((y - predicted) ** 2).sum() / spread) if spread > 0 else 0.0


def _bins(column: pd.Series) -> np.ndarray:
    """``(n,)`` int64 bins: categories as they are, numbers by quantiles; missing values have a bin of their own."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        values = (
            column
            if isinstance(column.dtype, pd.CategoricalDtype)
            else column.astype(object).where(column.notna(), None)
        )
        return (pd.factorize(values, use_na_sentinel=True)[0] + 1).astype(np.int64)
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = numbers[np.isfinite(numbers)]
    if len(known) == 0:
        return np.zeros(len(numbers), np.int64)
    distinct = np.unique(known)
    edges = distinct if len(distinct) <= _BINS else np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.where(np.isfinite(numbers), np.searchsorted(edges, numbers) + 1, 0)


def _sample(dataset: Dataset, rng: np.random.Generator) -> np.ndarray:
    """At most 5000 rows: all rows of the rarer classes, and the same number of each more frequent class."""
    if len(dataset) <= SAMPLE_ROWS:
        return np.arange(len(dataset))
    order = rng.permutation(len(dataset))
    if isinstance(dataset.source, Frame):
        order = dataset.source.nearby(order, dataset.index, rng)
    if dataset.task == "regression":
        return np.sort(order[:SAMPLE_ROWS])
    codes = dataset.codes[order]
    sorted_rows = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=dataset.n_classes)
    place = np.empty(len(codes), np.int64)
    place[sorted_rows] = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[np.argsort(place, kind="stable")[:SAMPLE_ROWS]])


def _folds(dataset: Dataset, rng: np.random.Generator) -> np.ndarray:
    """``(n,)`` folds 0..2, stratified by class."""
    order = rng.permutation(len(dataset))
    if dataset.task == "classification":
        order = order[np.argsort(dataset.codes[order], kind="stable")]
    fold = np.empty(len(dataset), np.int64)
    fold[order] = np.arange(len(dataset)) % _FOLDS
    return fold
