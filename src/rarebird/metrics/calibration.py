"""Figures of probabilities: log loss, Brier score, expected calibration error, and the reliability curve.

A weight is ``(n,)``, or ``(n, replicates)`` for bootstrap replicates; a figure is then ``()``, or ``(replicates,)``.
"""

from __future__ import annotations

import numpy as np

from rarebird.metrics.confusion import ratio, sums_by_code

BINS = 15


def log_loss(y: np.ndarray, probabilities: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean of ``-log p(true class)``, in nats; probabilities are clipped at the machine's epsilon, so that one
    confident mistake costs 36 and not infinity.

    Args:
        y: ``(n,)`` codes.
        probabilities: ``(n, n_classes)``, rows summing to 1.
        weight: ``(n,)``, or ``(n, replicates)``.
    """
    true = probabilities[np.arange(len(y)), y].astype(float)
    return _mean(-np.log(np.clip(true, np.finfo(float).eps, 1.0)), weight)


def brier_score(y: np.ndarray, probabilities: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean squared distance of the probabilities from the truth (Brier 1950); arguments as for `log_loss`.

    For more than two classes the sum over the classes, 0..2; for two classes half of it, 0..1, which is the squared
    error of the positive class's probability. These are the two scales that scikit-learn's `brier_score_loss` uses.
    """
    n_classes = probabilities.shape[1]
    true = probabilities[np.arange(len(y)), y].astype(float)
    squares = (probabilities.astype(float) ** 2).sum(axis=1) - 2 * true + 1
    return _mean(np.maximum(squares, 0.0) / (2 if n_classes == 2 else 1), weight)


def expected_calibration_error(y: np.ndarray, probabilities: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean distance between top probability and accuracy over 15 equal-width bins (Naeini et al. 2015; Guo et al.
    2017).

    Accuracy is that of the most probable class (of the first, where two tie), whatever the decision; a bin holds
    ``(low, high]``. The figure is biased upwards on few rows, where a perfectly calibrated model scores above 0;
    `uncertainty.reflected` takes that into account. Arguments as for `log_loss`.
    """
    top, right, place = _top_predictions(y, probabilities)
    gaps = np.zeros((BINS, len(y)))
    gaps[place, np.arange(len(y))] = right - top
    return ratio(np.abs(gaps @ weight).sum(axis=0), weight.sum(axis=0, dtype=float))


def reliability_curve(y: np.ndarray, probabilities: np.ndarray, weight: np.ndarray) -> list[dict[str, float]]:
    """The bins of the calibration error that hold rows, each with its ``confidence`` (mean top probability),
    ``accuracy`` and ``count``."""
    top, right, place = _top_predictions(y, probabilities)
    count = np.bincount(place, minlength=BINS)
    total = sums_by_code(place, BINS, weight)
    confidence = ratio(sums_by_code(place, BINS, weight * top), total)
    accuracy = ratio(sums_by_code(place, BINS, weight * right), total)
    kept = np.flatnonzero(total > 0)
    return [{"confidence": float(confidence[b]), "accuracy": float(accuracy[b]), "count": int(count[b])} for b in kept]


def _top_predictions(y: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Top probability, whether its class is the true one (0 or 1), and the bin it falls into; each ``(n,)``."""
    top = probabilities.max(axis=1).astype(float)
    right = (probabilities.argmax(axis=1) == y).astype(float)
    place = np.searchsorted(np.linspace(0.0, 1.0, BINS + 1), top, side="left") - 1
    return top, right, place.clip(0, BINS - 1)


def _mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return ratio(values @ weight, weight.sum(axis=0, dtype=float))
