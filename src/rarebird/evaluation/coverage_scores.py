"""Scores of prediction sets and intervals: how often they contain the truth, class by class, and how large they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.evaluation.coverage_result import ClassSetScore, IntervalScore, SetScore
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import Scores
from rarebird.metrics.uncertainty import Z, effective_rows, wilson
from rarebird.model import coverage as coverage_of
from rarebird.model.model import Model

# The coverage that reports show.
COVERAGE = 0.9


def with_coverage(
    scores: Scores, model: Model, rows: Dataset, each: Sequence[np.ndarray], coverage: float = COVERAGE
) -> Scores:
    """The scores with those of prediction sets, or of intervals; as they are where the model promises none.

    Args:
        scores: Scores of the rows.
        model: It keeps held-out rows.
        rows: Labelled rows that it never saw.
        each: The outputs of each member for the rows.
        coverage: The promise, 0..1.
    """
    if model.held_out is None:
        return scores
    if model.classes:
        return scores.model_copy(update={"sets": _set_score(model, rows, each, coverage)})
    try:
        return scores.model_copy(update={"intervals": _interval_score(model, rows, each, coverage)})
    except DataError:  # too few held-out rows (groups) for the coverage
        return scores


def _set_score(model: Model, rows: Dataset, each: Sequence[np.ndarray], coverage: float) -> SetScore:
    found = coverage_of.sets(model, each, coverage)
    y, every = rows.codes, np.ones(len(rows), dtype=bool)
    contains, size = found.members[np.arange(len(y)), y], found.members.sum(axis=1).astype(float)
    classes = tuple(
        ClassSetScore(
            label=label,
            held_out=found.rows[code],
            basis=found.basis[code],
            covered=_share(rows, y == code, contains),
            size=_mean(rows, y == code, size),
        )
        for code, label in enumerate(model.classes)
    )
    return SetScore(
        coverage=coverage,
        covered=_share(rows, every, contains),
        size=_mean(rows, every, size),
        single=_share(rows, every, size == 1),
        classes=classes,
    )


def _interval_score(model: Model, rows: Dataset, each: Sequence[np.ndarray], coverage: float) -> IntervalScore:
    low, high = coverage_of.intervals(model, each, coverage).T
    assert rows.y is not None
    every, width = np.ones(len(rows), dtype=bool), high - low
    narrowest, widest = np.quantile(width, [0.1, 0.9])
    return IntervalScore(
        coverage=coverage,
        covered=_share(rows, every, (low <= rows.y) & (rows.y <= high)),
        width=_mean(rows, every, width),
        narrowest=float(narrowest),
        widest=float(widest),
    )


def _share(rows: Dataset, among: np.ndarray, hit: np.ndarray) -> Estimate:
    """A share of the chosen rows with Wilson's interval; None without rows."""
    weight = rows.weights[among]
    if not weight.sum() > 0:
        return Estimate(value=None)
    value = float(np.average(hit[among], weights=weight))
    low, high = wilson(value, _effective(rows, among, hit - value))
    return Estimate(value=value, low=float(low), high=float(high))


def _mean(rows: Dataset, among: np.ndarray, values: np.ndarray) -> Estimate:
    """A mean over the chosen rows with a normal interval, whose variance counts one row that is off by one."""
    weight = rows.weights[among]
    if not weight.sum() > 0:
        return Estimate(value=None)
    value = float(np.average(values[among], weights=weight))
    n = _effective(rows, among, values - value)
    variance = float(np.average((values[among] - value) ** 2, weights=weight)) + 1 / n
    half = Z * math.sqrt(variance / n)
    return Estimate(value=value, low=value - half, high=value + half)


def _effective(rows: Dataset, among: np.ndarray, residual: np.ndarray) -> float:
    group = None if rows.group is None else rows.group[among]
    return effective_rows(rows.weights[among], residual[among], group)
