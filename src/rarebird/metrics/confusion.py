"""Figures of predicted labels: accuracy, recall, precision, F1, specificity, Matthews correlation, geometric mean.

Every figure here is a function of three sums per class (`Counts`), so the same code computes it for the rows themselves
and for a thousand bootstrap replicates at once: classes are the first axis, replicates (if any) the second. An
undefined figure is NaN.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rarebird.core.checks import require


class Counts(NamedTuple):
    """Weighted sums per class, each ``(n_classes,)`` or ``(n_classes, replicates)``: the input of every figure below.

    Attributes:
        hits: Rows of the class that are predicted as it.
        support: Rows of the class.
        predicted: Rows predicted as the class.
    """

    hits: np.ndarray
    support: np.ndarray
    predicted: np.ndarray


def sums_by_code(codes: np.ndarray, n_codes: int, weight: np.ndarray) -> np.ndarray:
    """Sum of the weights of the rows of each code.

    Args:
        codes: ``(n,)`` ints in ``0..n_codes - 1``.
        n_codes: Number of codes.
        weight: ``(n,)``, or ``(n, replicates)``.

    Returns:
        ``(n_codes,)``, or ``(n_codes, replicates)``.
    """
    if weight.ndim == 1:
        return np.bincount(codes, weights=weight, minlength=n_codes)
    sums = np.zeros((n_codes, weight.shape[1]))
    if len(codes):
        order = np.argsort(codes, kind="stable")
        ordered = codes[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        sums[ordered[starts]] = np.add.reduceat(weight[order], starts, axis=0)
    return sums


def confusion_matrix(
    y: np.ndarray, predicted: np.ndarray, n_classes: int, weight: np.ndarray | None = None
) -> np.ndarray:
    """``(n_classes, n_classes)`` sums of weights, true classes in rows, predicted classes in columns.

    Args:
        y: ``(n,)`` true codes.
        predicted: ``(n,)`` predicted codes.
        n_classes: Number of classes.
        weight: ``(n,)``; None counts rows, and gives whole numbers.
    """
    cells = np.bincount(y * n_classes + predicted, weights=weight, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes)


def tally(y: np.ndarray, predicted: np.ndarray, n_classes: int, weight: np.ndarray) -> Counts:
    """The sums per class from which every figure is computed.

    Args:
        y: ``(n,)`` true codes.
        predicted: ``(n,)`` predicted codes.
        n_classes: Number of classes.
        weight: ``(n,)``, or ``(n, replicates)``.
    """
    require(
        len(y) == len(predicted) == len(weight),
        "y, predicted and weight have one length",
        y=len(y),
        predicted=len(predicted),
        weight=len(weight),
    )
    hit = y == predicted
    return Counts(
        hits=sums_by_code(y[hit], n_classes, weight[hit]),
        support=sums_by_code(y, n_classes, weight),
        predicted=sums_by_code(predicted, n_classes, weight),
    )


def with_recalls(matrix: np.ndarray, codes: np.ndarray, recalls: np.ndarray) -> Counts:
    """The sums per class if one class had another recall: one column for each of the given recalls.

    Args:
        matrix: ``(n_classes, n_classes)``, as `confusion_matrix` gives it.
        codes: ``(columns,)`` the class whose recall is another one; it has rows.
        recalls: ``(columns,)``. The mistakes of the class go where its mistakes went, evenly where it had none.

    Returns:
        Sums of shape ``(n_classes, columns)``.
    """
    columns = np.arange(len(codes))
    hits, support, predicted = (
        np.repeat(sums[:, None].astype(float), len(codes), axis=1)
        for sums in (matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0))
    )
    mistakes = (matrix * (1 - np.eye(len(matrix))))[codes].T.astype(float)
    before = mistakes.sum(axis=0)
    elsewhere = np.where(before > 0, mistakes, (np.arange(len(matrix))[:, None] != codes).astype(float))
    spread = elsewhere / elsewhere.sum(axis=0).clip(1e-300)
    after = recalls * support[codes, columns]
    predicted += spread * (support[codes, columns] - after) - mistakes
    predicted[codes, columns] += after - hits[codes, columns]
    hits[codes, columns] = after
    return Counts(hits, support, predicted.clip(0))


def recall(counts: Counts) -> np.ndarray:
    """Per class, the share of its rows that are found; NaN for a class without rows."""
    return ratio(counts.hits, counts.support)


def precision(counts: Counts) -> np.ndarray:
    """Per class, the share of right ones among the rows predicted as it; NaN for a class that is never predicted."""
    return ratio(counts.hits, counts.predicted)


def f1(counts: Counts) -> np.ndarray:
    """Per class, the harmonic mean of precision and recall, ``2 hits / (support + predicted)``; NaN for a class that
    does not occur."""
    return ratio(2 * counts.hits, counts.support + counts.predicted)


def specificity(counts: Counts) -> np.ndarray:
    """Per class, the share of the other classes' rows that are not predicted as it; NaN where there are no others."""
    others = counts.support.sum(axis=0) - counts.support
    return ratio(others - (counts.predicted - counts.hits), others)


def accuracy(counts: Counts) -> np.ndarray:
    """Share of rows whose label is predicted correctly."""
    return ratio(counts.hits.sum(axis=0), counts.support.sum(axis=0))


def balanced_accuracy(counts: Counts) -> np.ndarray:
    """Mean recall over the classes that have rows (Brodersen et al. 2010), as scikit-learn's
    `balanced_accuracy_score`."""
    return mean_over(recall(counts), counts.support > 0)


def macro_precision(counts: Counts) -> np.ndarray:
    """Mean precision over the classes that have rows or predictions, 0 for one never predicted, as scikit-learn's macro
    average."""
    return mean_over(precision(counts), _occurs(counts))


def macro_f1(counts: Counts) -> np.ndarray:
    """Mean F1 over the classes that have rows or predictions, as scikit-learn's macro average."""
    return mean_over(f1(counts), _occurs(counts))


def macro_specificity(counts: Counts) -> np.ndarray:
    """Mean specificity, one class against the rest, over the classes that have rows."""
    values = specificity(counts)
    return mean_over(values, (counts.support > 0) & ~np.isnan(values))


def geometric_mean(counts: Counts) -> np.ndarray:
    """Geometric mean of the recalls of the classes that have rows (Kubat & Matwin 1997); 0 as soon as one class is
    never found."""
    present = counts.support > 0
    recalls = np.where(present, recall(counts), 1.0)
    power = ratio(np.ones_like(recalls[0]), present.sum(axis=0))
    return np.asarray(np.prod(recalls, axis=0) ** power)


def matthews_corrcoef(counts: Counts) -> np.ndarray:
    """Correlation of true and predicted labels for any number of classes (Gorodkin 2004), -1..1; 0, its limit, where
    the true or the predicted labels are constant."""
    total = counts.support.sum(axis=0)
    shared = counts.hits.sum(axis=0) * total - (counts.support * counts.predicted).sum(axis=0)
    spread_true = total**2 - (counts.support**2).sum(axis=0)
    spread_predicted = total**2 - (counts.predicted**2).sum(axis=0)
    product = np.maximum(spread_true, 0) * np.maximum(spread_predicted, 0)
    # Rounding of weighted sums leaves a constant label with a tiny spread, which must not be divided by.
    varies = product > 1e-18 * np.maximum(total, 1e-300) ** 4
    return np.where(varies, np.clip(shared / np.sqrt(np.where(varies, product, 1.0)), -1.0, 1.0), 0.0)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, NaN where `whole` is not above 0."""
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    undefined = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    return np.asarray(np.divide(part, whole, out=undefined, where=whole > 0))


def mean_over(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Mean over the first axis of the `chosen` values, NaN among them counting as 0; NaN where none is chosen."""
    return ratio(np.where(chosen, np.nan_to_num(values), 0.0).sum(axis=0), chosen.sum(axis=0))


def _occurs(counts: Counts) -> np.ndarray:
    return np.asarray((counts.support > 0) | (counts.predicted > 0))
