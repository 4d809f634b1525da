"""Differences of two models on the same rows, with paired 95 % intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rarebird.core import rng
from rarebird.evaluation.estimate import Estimate
from rarebird.metrics import confusion, names, ranking
from rarebird.metrics.paired_share import weighted_difference
from rarebird.metrics.uncertainty import bootstrap_weights, percentile

REPLICATES = 1000


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """Test rows with one model's predictions.

    Attributes:
        y: ``(n,)`` true codes.
        outputs: ``(n, n_classes)`` probabilities.
        labels: ``(n,)`` decided codes.
        weight: ``(n,)`` sample weights.
        group: ``(n,)`` labels, equal for rows that are not independent; None where all rows are.
        classes: The class labels.
        positive: The positive class of two; None for more.
    """

    y: np.ndarray
    outputs: np.ndarray
    labels: np.ndarray
    weight: np.ndarray
    group: np.ndarray | None
    classes: tuple[str, ...]
    positive: str | None


def metric_difference(name: str, first: ScoredRun, second: ScoredRun) -> Estimate:
    """How much a metric of the second is above that of the first, with the percentile interval of a paired bootstrap:
    both are scored on the same draws, stratified by class and of whole groups.

    Args:
        name: A key of `names.METRICS`, of classes.
        first, second: Predictions for the same rows in the same order.
    """
    alone = first.weight[:, None].astype(float)
    value = float((_figures(name, second, alone) - _figures(name, first, alone)).item())
    draw = rng.stream(0, "paired runs", name)
    parts = [
        _figures(name, second, drawn * alone) - _figures(name, first, drawn * alone)
        for drawn in bootstrap_weights(first.y, first.group, REPLICATES, draw)
    ]
    if np.isnan(value):
        return Estimate(value=None)
    ends = percentile(np.concatenate(parts), value)
    return Estimate(value=value) if ends is None else Estimate(value=value, low=ends[0], high=ends[1])


def recall_difference(label: str, first: ScoredRun, second: ScoredRun) -> Estimate:
    """How much the recall of a class differs, from the rows that only one of the two labels right, by their weights.

    Args:
        label: The class.
        first, second: Predictions for the same rows in the same order.
    """
    code = first.classes.index(label)
    own = first.y == code
    was, now = first.labels[own] == code, second.labels[own] == code
    group = None if first.group is None else first.group[own]
    found = weighted_difference(was, now, first.weight[own], group)
    return Estimate(value=None) if found is None else Estimate(value=found[0], low=found[1], high=found[2])


def _figures(name: str, run: ScoredRun, weight: np.ndarray) -> np.ndarray:
    """``(replicates,)`` the metric under each column of weights ``(n, replicates)``."""
    code = None
    if len(run.classes) == 2:
        rarer = int(np.bincount(run.y, minlength=2).argmin())
        code = rarer if run.positive is None else run.classes.index(run.positive)
    if name in names.OF_LABELS:
        counts = confusion.tally(run.y, run.labels, len(run.classes), weight)
        return np.atleast_1d(names.OF_LABELS[name](counts, code))
    if name in names.OF_RANKING:
        return np.atleast_1d(ranking.areas(run.y, run.outputs, weight, code)[names.OF_RANKING.index(name)])
    return np.atleast_1d(names.OF_PROBABILITIES[name](run.y, run.outputs, weight))
