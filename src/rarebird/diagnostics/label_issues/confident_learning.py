"""Confident learning: how many given labels are wrong, class by class, and how well each row's label agrees with what
was predicted of it.

Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021. A row *speaks for*
a class where its predicted probability reaches the mean one of the rows that bear that class's label; rows that speak
for another class than their own are counted by (given, other), and the counts are scaled to the classes' own numbers of
rows.

NOTE[DIFF] Made for skewed classes, where the paper's rule lists a rare class's rows by their rarity alone (by a network
that knows nothing, all of them): a label that reaches its own threshold is never counted as wrong, whatever else the
row speaks for; one that misses it is counted as wrong only below `DOUBT` of it, and where the other class is the more
probable one. Rows between count for nothing. NOTE[DIFF] Rows are ranked by `agreement`, not by self-confidence or
margin: see there.

All functions are plain: probabilities ``(n, n_classes)`` that no row's own label has reached, under the natural prior
and without NaN; given codes `y` ``(n,)``; sample weights ``(n,)``, where a weight of 2 counts as the row twice.
"""

from __future__ import annotations

import numpy as np

# A given label is doubted where it is less probable than this share of what is usual for its class.
DOUBT = 0.5
# Rounding: a mean of equal probabilities is reached by each of them.
SLACK = 1e-9


def thresholds(probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` mean probability of a label among its own rows; infinity for a class without rows, which none
    speaks for."""
    n_classes = probabilities.shape[1]
    total = np.bincount(y, weights=weight, minlength=n_classes)
    summed = np.bincount(y, weights=weight * _own(probabilities, y), minlength=n_classes)
    return np.where(total > 0, summed / np.where(total > 0, total, 1), np.inf)


def contradicted(probabilities: np.ndarray, y: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """``(n,)`` bool: the given label is far less probable than usual for its class, and another class is more
    probable."""
    own = _own(probabilities, y)
    clear: np.ndarray = (own < DOUBT * threshold[y]) & (own < probabilities.max(axis=1))
    return clear


def spoken_for(probabilities: np.ndarray, y: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """``(n,)`` code of the class that each row speaks for: its given one, or another that contradicts it; -1 where it
    speaks for none."""
    own = _own(probabilities, y)
    others = np.where(probabilities >= threshold - SLACK, probabilities, -1.0)
    others[np.arange(len(y)), y] = -1.0
    other = contradicted(probabilities, y, threshold) & (others.max(axis=1) > own)
    spoken: np.ndarray = np.where(own >= threshold[y] - SLACK, y, np.where(other, others.argmax(axis=1), -1))
    return spoken


def confident_joint(spoken: np.ndarray, y: np.ndarray, weight: np.ndarray, n_classes: int) -> np.ndarray:
    """``(n_classes, n_classes)`` weight of the rows that bear the label of the row and speak for the class of the
    column."""
    joint, clear = np.zeros((n_classes, n_classes)), spoken >= 0
    np.add.at(joint, (y[clear], spoken[clear]), weight[clear])
    return joint


def estimated_counts(joint: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n_classes, n_classes)`` estimated weight of the rows of each given (row) and true (column) class: `joint`,
    scaled to all rows.

    A class none of whose rows speaks for anything is taken to be right.
    """
    total = np.bincount(y, weights=weight, minlength=len(joint))
    clear = joint.sum(axis=1)
    scaled = joint * (total / np.where(clear > 0, clear, 1))[:, None]
    counts: np.ndarray = scaled + np.diag(np.where(clear > 0, 0.0, total))
    return counts


def issues(
    probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray, threshold: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """``(n,)`` bool: of each class as many contradicted rows as labels are estimated wrong, those of the least probable
    label (the paper's pruning by class). Rows that speak for another class would be about half of them: the others lie
    below the mean.

    Args:
        probabilities, y, weight: The rows.
        threshold: Of `thresholds`.
        counts: Of `estimated_counts`.
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

    With p the given label's probability and v the share of all other classes' rows that bear this label wrongly, at
    most ``v (1 - p) / p`` of the rows like this one are wrong (Bayes), so that ``p / (p + v (1 - p))`` ranks them. If
    wrong labels fall on all classes alike, v is the same for all, and the order is that of p, self-confidence: rows of
    a rare class come first, because most of its labels are wrong then. If the same share of each class's labels is
    wrong, v goes with the class's odds: p is weighed against how frequent the class is. Probabilities cannot tell which
    of both holds; v is their geometric mean, the root of the odds.
    """
    total = np.bincount(y, weights=weight, minlength=probabilities.shape[1])
    # Where one class alone is judged, there is at least one row beside it.
    odds = total / np.maximum(total.sum() - total, weight.min())
    own = _own(probabilities, y).clip(min=np.finfo(float).tiny)
    score: np.ndarray = own / (own + np.sqrt(odds[y]) * (1 - own))
    return score


def _own(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(n,)`` probability of each row's given label."""
    own: np.ndarray = probabilities[np.arange(len(y)), y]
    return own
