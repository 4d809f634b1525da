"""Do the labels of another source mean what own labels mean? A classifier that own rows teach is asked on both.

A class's informedness (Youden 1950) is its recall minus the share of other rows that are taken for it: 0 for labels
that have nothing to do with the rows, whatever the frequencies. The agreement of a source is its informedness divided
by that of own rows, which their own classifier predicts out of fold. For a target of numbers, correlations take the
place of informedness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rarebird.metrics.two_sample import Components

PARTS, COMPONENTS, RIDGE = 5, 40, 0.1
# Standard errors by which own labels must be predictable, and by which an agreement must be below 1 to be acted on.
SURE = 2.0
# How much the agreements of the classes of one source are expected to differ.
SPREAD = 0.2


@dataclass(frozen=True)
class Agreement:
    """How well the labels of a source agree with those that own rows teach.

    Attributes:
        value: Of all labels: 1 as well as own labels, 0 no better than chance.
        high: The upper end of its 95 % interval.
        factor: ``(n_classes,)`` of each class, 1 where it is not surely below 1; of length 1 for numbers.
    """

    value: float
    high: float
    factor: np.ndarray


def of_classes(
    own: np.ndarray, codes: np.ndarray, unit: np.ndarray, other: np.ndarray, other_codes: np.ndarray, n_classes: int
) -> Agreement | None:
    """The agreement of class labels; None where own rows do not teach enough to tell.

    Args:
        own: ``(n, d)`` features of own rows.
        codes: ``(n,)`` their classes.
        unit: ``(n,)`` codes of rows that stay together.
        other: ``(m, d)`` features of the other rows.
        other_codes: ``(m,)`` their classes.
        n_classes: All classes.
    """
    targets = np.eye(n_classes)[codes]
    counts = np.maximum(targets.sum(axis=0), 1)
    own_scores, other_scores = _crossed(own, targets, (1 / np.sqrt(counts))[codes], unit, other)
    mine = _informedness(own_scores.argmax(axis=1), codes, n_classes)
    theirs = _informedness(other_scores.argmax(axis=1), other_codes, n_classes)
    fewer = np.minimum(np.bincount(codes, minlength=n_classes), np.bincount(other_codes, minlength=n_classes))
    share = np.sqrt(fewer) / max(np.sqrt(fewer).sum(), 1e-9)
    known, error = (share * mine[0]).sum(), np.sqrt((share**2 * mine[1]).sum())
    if not known > SURE * error:
        return None
    value = float((share * theirs[0]).sum() / known)
    error = float(np.sqrt((share**2 * (theirs[1] + value**2 * mine[1])).sum()) / known)
    level = np.clip(value, 0.0, 1.0)
    reliable = (mine[0] > SURE * np.sqrt(mine[1])) & (fewer > 0)
    ratio = np.where(reliable, theirs[0] / np.where(reliable, mine[0], 1), level)
    variance = np.where(reliable, (theirs[1] + mine[1]) / np.where(reliable, mine[0], 1) ** 2, np.inf)
    trust = SPREAD**2 / (SPREAD**2 + variance)
    shrunk = np.clip(level + trust * (ratio - level), 0.0, 1.0)
    high = shrunk + SURE * np.sqrt((1 - trust) * SPREAD**2 + error**2)
    return Agreement(value, value + SURE * error, np.where(high < 1, shrunk, 1.0))


def of_numbers(
    own: np.ndarray, y: np.ndarray, unit: np.ndarray, other: np.ndarray, other_y: np.ndarray
) -> Agreement | None:
    """The agreement of a target of numbers; arguments and result as for `of_classes`."""
    own_scores, other_scores = _crossed(own, ((y - y.mean()) / (y.std() or 1.0))[:, None], np.ones(len(y)), unit, other)
    mine, theirs = _correlation(own_scores[:, 0], y), _correlation(other_scores[:, 0], other_y)
    errors = [(1 - value**2) / np.sqrt(max(n - 1, 1)) for value, n in ((mine, len(y)), (theirs, len(other_y)))]
    if not mine > SURE * errors[0]:
        return None
    value = theirs / mine
    high = value + SURE * float(np.hypot(errors[1], value * errors[0])) / mine
    return Agreement(value, high, np.array([1.0 if high >= 1 else max(value, 0.0)]))


def _crossed(
    own: np.ndarray, targets: np.ndarray, weight: np.ndarray, unit: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of own rows, out of fold, and of the other rows, by ridge regressions on own rows."""
    fitted = Components.fit(own, COMPONENTS)
    values, others = fitted.of(own), fitted.of(other)
    scores = np.zeros(targets.shape)
    for part in range(PARTS):
        held = unit % PARTS == part
        if held.any() and not held.all():
            scores[held] = _ridge(values[~held], targets[~held], weight[~held], values[held])
    return scores, _ridge(values, targets, weight, others)


def _ridge(values: np.ndarray, targets: np.ndarray, weight: np.ndarray, asked: np.ndarray) -> np.ndarray:
    weight = weight / weight.sum()
    center, level = weight @ values, weight @ targets
    centered = values - center
    covariance = (centered * weight[:, None]).T @ centered + RIDGE * np.eye(values.shape[1])
    solved = np.linalg.solve(covariance, (centered * weight[:, None]).T @ (targets - level))
    return np.asarray((asked - center) @ solved + level)


def _informedness(predicted: np.ndarray, codes: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """``(n_classes,)`` informedness of each class, and its variance."""
    table = np.zeros((n_classes, n_classes))
    np.add.at(table, (codes, predicted), 1)
    n, of_class = len(codes), table.sum(axis=1)
    # One row of each kind is added, so that a perfect score has a variance, too.
    recall = (np.diag(table) + 0.5) / (of_class + 1)
    others = n - of_class
    false = (table.sum(axis=0) - np.diag(table) + 0.5) / (others + 1)
    return recall - false, recall * (1 - recall) / (of_class + 1) + false * (1 - false) / (others + 1)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    spread = one.std() * other.std()
    return 0.0 if spread <= 0 else float(((one - one.mean()) * (other - other.mean())).mean() / spread)
