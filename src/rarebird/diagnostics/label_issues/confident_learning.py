"""Confident learning: how many given labels are wrong in each class, and how well each row's label agrees with its
out-of-fold prediction.

Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021. A row *indicates* a
class if its probability of that class is at least the mean over the rows with that label (the class's threshold). Rows
that indicate another class than the given one are counted by (given, other), and the counts are scaled to the number of
rows of each given class.

NOTE[DIFF] This is changed for skewed classes, where the paper's rule lists the rows of a rare class only because it is
rare (with a network that has learned nothing: all of them). A label that reaches its own threshold is never counted as
wrong, even if the row reaches the threshold of another class. A label below its threshold is counted as wrong only if
it is below `DOUBT` times the threshold and the other class is more probable. All other rows are not counted.

NOTE[DIFF] Rows are ranked by `agreement`, not by self-confidence or margin; its docstring tells why.

All functions are plain. They take probabilities ``(n, n_classes)`` that were predicted without the row's own label,
under the natural prior and without NaN; given codes `y` ``(n,)``; and sample weights ``(n,)``, where a weight of 2
counts as two rows.
"""

from __future__ import annotations

import numpy as np

# A given label is doubted if its probability is below this share of its class's threshold.
DOUBT = 0.5
# Tolerance for rounding: if all probabilities are equal, each one reaches their mean.
SLACK = 1e-9


def thresholds(probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` mean probability of each label among the rows that have it; infinity for a class without rows,
    which therefore no row indicates."""
    n_classes = probabilities.shape[1]
    total = np.bincount(y, weights=weight, minlength=n_classes)
    summed = np.bincount(y, weights=weight * _own(probabilities, y), minlength=n_classes)
    return np.where(total > 0, summed / np.where(total > 0, total, 1), np.inf)


def contradicted(probabilities: np.ndarray, y: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """``(n,)`` bool: the given label is far below its class's threshold, and another class is more probable."""
    own = _own(probabilities, y)
    clear: np.ndarray = (own < DOUBT * threshold[y]) & (own < probabilities.max(axis=1))
    return clear


def indicated_classes(probabilities: np.ndarray, y: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """``(n,)`` code of the class that each row indicates: the given one, or another one that contradicts it; -1 for
    none."""
    own = _own(probabilities, y)
    others = np.where(probabilities >= threshold - SLACK, probabilities, -1.0)
    others[np.arange(len(y)), y] = -1.0
    is_other = contradicted(probabilities, y, threshold) & (others.max(axis=1) > own)
    indicated: np.ndarray = np.where(own >= threshold[y] - SLACK, y, np.where(is_other, others.argmax(axis=1), -1))
    return indicated


def confident_joint(indicated: np.ndarray, y: np.ndarray, weight: np.ndarray, n_classes: int) -> np.ndarray:
    """``(n_classes, n_classes)`` weight of the rows with the given label (row) that indicate a class (column)."""
    joint, counted = np.zeros((n_classes, n_classes)), indicated >= 0
    np.add.at(joint, (y[counted], indicated[counted]), weight[counted])
    return joint


def estimated_counts(joint: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n_classes, n_classes)`` estimated weight of the rows of each given (row) and true (column) class: `joint`,
    scaled to all rows.

    If no row of a class indicates any class, all its labels are taken to be right.
    """
    total = np.bincount(y, weights=weight, minlength=len(joint))
    counted = joint.sum(axis=1)
    scaled = joint * (total / np.where(counted > 0, counted, 1))[:, None]
    counts: np.ndarray = scaled + np.diag(np.where(counted > 0, 0.0, total))
    return counts


def issues(
    probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray, threshold: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """``(n,)`` bool: the rows to look at (the paper's pruning by class).

    In each class they are the contradicted rows with the least probable labels, as many as labels are estimated to be
    wrong. The rows that indicate another class would be only about half of them, because the others are below that
    class's mean.

    Args:
        probabilities, y, weight: The rows.
        threshold: From `thresholds`.
        counts: From `estimated_counts`.
    """
    own, wrong = _own(probabilities, y), counts.sum(axis=1) - np.diag(counts)
    listed = np.zeros(len(y), dtype=bool)
    doubted = np.flatnonzero(contradicted(probabilities, y, threshold))
    for code in np.unique(y[doubted]):
        mine = doubted[y[doubted] == code]
        mine = mine[np.argsort(own[mine], kind="stable")]
        # A row is listed if at least half of it fits.
        listed[mine] = weight[mine].cumsum() - weight[mine] / 2 <= wrong[code] + SLACK
    return listed


def agreement(probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n,)`` in 0..1: how well each given label agrees with the prediction; the lowest are the likeliest wrong.

    Let p be the probability of the given label, and v the share of the rows of all other classes that wrongly have this
    label. By Bayes, at most ``v (1 - p) / p`` of the rows like this one have a wrong label, so rows are ranked by
    ``p / (p + v (1 - p))``. There are two cases:

    - Wrong labels are spread evenly over the classes. Then v is the same for all, and the order is that of p
      (self-confidence): rows of a rare class come first, because most of its labels are wrong.
    - The same share of each class's labels is wrong. Then v is proportional to the odds of the class: p is compared
      with the frequency of the class.

    Probabilities cannot tell which case holds, so v is the geometric mean of both: the square root of the odds.
    """
    total = np.bincount(y, weights=weight, minlength=probabilities.shape[1])
    # If all rows are of one class, the odds are computed as if there were one other row.
    odds = total / np.maximum(total.sum() - total, weight.min())
    own = _own(probabilities, y).clip(min=np.finfo(float).tiny)
    score: np.ndarray = own / (own + np.sqrt(odds[y]) * (1 - own))
    return score


def _own(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(n,)`` probability of each row's given label."""
    own: np.ndarray = probabilities[np.arange(len(y)), y]
    return own
