"""Permutation importance: how much worse a model predicts where a group of columns is shuffled among the rows.

Breiman, "Random Forests", Machine Learning 2001; Fisher, Rudin and Dominici, "All Models are Wrong, but Many are
Useful", JMLR 2019. Of classes, the loss is the log loss in which every class counts the same, however rare; of numbers
the squared error over the variance. The rows keep their classes, so that the figure is one of the rows' own mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Dataset
from rarebird.explanation.column_groups import column_groups
from rarebird.explanation.features import Features, taken
from rarebird.explanation.shipped import ShippedOutput
from rarebird.metrics.uncertainty import bootstrap_weights, percentile, replicates_for
from rarebird.model.chain import LEAST
from rarebird.slots.protocols import Inputs

# Shuffles of each group, and rows at most.
REPEATS, MOST_ROWS = 5, 1000


@dataclass(frozen=True)
class Importance:
    """The importance of a group of columns.

    Attributes:
        columns: The group.
        increase: By how much the loss rises where they are shuffled.
        low, high: 95 % interval over rows.
        recall_drop: By how much the mean recall of the classes falls; None for regression.
    """

    columns: tuple[str, ...]
    increase: float
    low: float
    high: float
    recall_drop: float | None


def permutation_importance(
    shipped: ShippedOutput,
    rows: Dataset,
    rng: np.random.Generator,
    repeats: int = REPEATS,
    progress: Progress = silent,
) -> list[Importance]:
    """The importance of all columns, in groups of correlated ones, the largest first.

    Args:
        shipped: The model's output.
        rows: Labelled rows of a table, at most about `MOST_ROWS`, in the model's classes.
        rng: Draws the shuffles and the interval.
        repeats: Shuffles of each group.
        progress: Told of the share done; True from it leaves out the remaining groups.
    """
    features, each = Features(shipped), shipped.inputs(rows)
    frame = rows.raw()
    groups = column_groups(frame[[name for name in frame.columns if str(name) in features.names]])
    loss, right = _losses(shipped, each, rows)
    found = []
    for place, group in enumerate(groups):
        keep = np.array([name not in group for name in features.names])
        worse, wrong = np.zeros(len(rows)), np.zeros(len(rows))
        for _ in range(repeats):
            other = rng.permutation(len(rows))
            shuffled = [_shuffled(features, member, x, other, keep) for member, x in enumerate(each)]
            new_loss, new_right = _losses(shipped, shuffled, rows)
            worse += (new_loss - loss) / repeats
            wrong += (right - new_right) / repeats
        found.append(_importance(group, worse, wrong, rows, rng))
        if progress((place + 1) / len(groups), "permutation importance"):
            break
    return sorted(found, key=lambda one: -one.increase)


def _shuffled(features: Features, member: int, x: Inputs, other: np.ndarray, keep: np.ndarray) -> Inputs:
    import torch

    n = len(other)
    mask = torch.from_numpy(np.broadcast_to(keep, (n, len(keep))).copy()).to(x["numbers"].device)
    return features.mixed(member, x, taken(x, other), mask)


def _losses(shipped: ShippedOutput, each: Sequence[Inputs], rows: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """``(n,)`` the loss of each row, and whether its label is right (0 for regression)."""
    model = shipped.model
    outputs = _outputs(shipped, each)
    assert rows.y is not None
    if not model.classes:
        return np.square(outputs[:, 0] - rows.y) / max(float(np.var(rows.y)), 1e-12), np.zeros(len(rows))
    own = outputs[np.arange(len(rows)), rows.codes]
    labels = model.labels(outputs, rows)
    return -np.log(np.clip(own, LEAST, None)), (labels == rows.codes).astype(np.float64)


def _outputs(shipped: ShippedOutput, each: Sequence[Inputs]) -> np.ndarray:
    """``(n, n_classes)`` probabilities, or ``(n, 1)`` values, of prepared rows."""
    n = len(next(iter(each[0].values())))
    if not shipped.model.classes:
        return shipped.of_inputs(each, shipped.codes(np.zeros(n)))[:, None]
    return shipped.probabilities(each)


def _importance(
    group: Sequence[str], worse: np.ndarray, wrong: np.ndarray, rows: Dataset, rng: np.random.Generator
) -> Importance:
    """The figures of a group from the change of each row; every class counts the same."""
    strata = np.zeros(len(rows), dtype=np.int64) if rows.task == "regression" else rows.codes
    share = _equal_classes(strata)
    increase = float(share @ worse)
    draws = [
        (counts * (share * worse)[:, None]).sum(axis=0)
        for counts in bootstrap_weights(strata, rows.group, min(replicates_for(len(rows)), 400), rng)
    ]
    low, high = percentile(np.concatenate(draws), increase) or (increase, increase)
    drop = None if rows.task == "regression" else float(share @ wrong)
    return Importance(tuple(group), increase, low, high, drop)


def _equal_classes(strata: np.ndarray) -> np.ndarray:
    """``(n,)`` weights with sum 1 under which each class counts the same."""
    counts = np.bincount(strata)
    share: np.ndarray = 1 / counts[strata] / (counts > 0).sum()
    return share
