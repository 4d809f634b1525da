"""Confident learning: how many given labels are wrong, class by class, and how well each row's label agrees with what was predicted of it.

Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021. A row *speaks for* a class where its
predicted probability reaches the mean one of the rows that bear that class's label; rows that speak for another class than their own
are counted by (given, other), and the counts are scaled to the classes' own numbers of rows.

NOTE[DIFF] Made for skewed classes, where the paper's rule lists a rare class's rows by their rarity alone (by a network that knows nothing,
all of them): a label that reaches its own threshold is never counted as wrong, whatever else the row speaks for; one that misses it is
counted as wrong only below `DOUBT` of it, and where the other class is the more probable one. Rows between count for nothing.
NOTE[DIFF] Rows are ranked by `agreement`, not by self-confidence or margin: see there.

All functions are plain: probabilities ``(n, n_classes)`` that no row's own label has reached, under the natural prior and without NaN; given
codes `y` ``(n,)``; sample weights ``(n,)``, where a weight of 2 counts as the row twice.
"""

from __future__ import annotations

import numpy as np

# A given label is doubted where it is less probable than this share of what is usual for its class.
DOUBT = 0.5
# Rounding: a mean of equal probabilities is reached by each of them.
SLACK = 1e-9
# Rows (of mean weight) by which a class's own share of wrong labels is drawn to that of all classes.
DRAWN = 10.0


def thresholds(probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` mean probability of a label among the rows that bear it; infinity for a class without rows, which none speaks for."""
    n_classes = probabilities.shape[1]
    total = np.bincount(y, weights=weight, minlength=n_classes)
    summed = np.bincount(y, weights=weight * _own(probabilities, y), minlength=n_classes)
    return np.where(total > 0, summed / np.where(total > 0, total, 1), np.inf)


def spoken_for(probabilities: np.ndarray, y: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """``(n,)`` code of the class that each row speaks for: its given one, or another that contradicts it; -1 where it speaks for none."""
    own = _own(probabilities, y)
    others = np.where(probabilities >= threshold - SLACK, probabilities, -1.0)
    others[np.arange(len(y)), y] = -1.0
    best = others.argmax(axis=1)
    contradicted = (own < DOUBT * threshold[y]) & (others.max(axis=1) > own)
    return np.where(own >= threshold[y] - SLACK, y, np.where(contradicted, best, -1))


def confident_joint(spoken: np.ndarray, y: np.ndarray, weight: np.ndarray, n_classes: int) -> np.ndarray:
    """``(n_classes, n_classes)`` weight of the rows that bear the label of the row and speak for the class of the column."""
    joint, clear = np.zeros((n_classes, n_classes)), spoken >= 0
    np.add.at(joint, (y[clear], spoken[clear]), weight[clear])
    return joint


def estimated_counts(joint: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n_classes, n_classes)`` estimated weight of the rows of each given (row) and true (column) class: `joint`, scaled to all rows.

    A class none of whose rows speaks for anything is taken to be right.
    """
    total = np.bincount(y, weights=weight, minlength=len(joint))
    clear = joint.sum(axis=1)
    scaled = joint * (total / np.where(clear > 0, clear, 1))[:, None]
    return scaled + np.diag(np.where(clear > 0, 0.0, total))


def agreement(probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """``(n,)`` in 0..1: how well each given label agrees with the prediction; the lowest are the likeliest wrong.

    With p the given label's probability and v the share of all other classes' rows that bear this label wrongly, ``p / (p + v (1 - p))``.
    By Bayes' rule, among rows of this label and these features a share of at most ``v (1 - p) / p`` is wrong: the score falls as that
    grows. Where labels are turned over at random, v is the same for all classes and the order is that of p. Where the rows of a rare
    class are right, v is tiny, so that they do not come first only because p is low, as it is for all rows of a rare class.

    v comes from the confident joint; for a class of few rows, its share of wrong labels is drawn to that of all classes.
    """
    total = np.bincount(y, weights=weight, minlength=len(joint))
    clear, right = joint.sum(axis=1), np.diag(joint)
    row = weight.mean()
    overall = (clear.sum() - right.sum() + row) / (clear.sum() + 2 * row)
    wrong = (clear - right + DRAWN * row * overall) / (clear + DRAWN * row)
    stray = wrong * total / np.maximum(total.sum() - total, row)
    own = _own(probabilities, y).clip(min=np.finfo(float).tiny)
    score: np.ndarray = own / (own + stray[y] * (1 - own))
    return score


def _own(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(n,)`` probability of each row's given label."""
    own: np.ndarray = probabilities[np.arange(len(y)), y]
    return own
