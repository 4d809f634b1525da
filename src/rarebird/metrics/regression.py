"""Figures of predicted numbers: mean squared and absolute error, and the share of variance explained.

A weight is ``(n,)``, or ``(n, replicates)`` for bootstrap replicates; a figure is then ``()``, or ``(replicates,)``.
"""

from __future__ import annotations

import numpy as np

from rarebird.metrics.confusion import ratio


def mean_squared_error(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean of squared errors, in squared units of the target.

    Args:
        y: ``(n,)`` true values.
        predicted: ``(n,)`` predicted values.
        weight: ``(n,)``, or ``(n, replicates)``.
    """
    return ratio((y - predicted) ** 2 @ weight, weight.sum(axis=0, dtype=float))


def root_mean_squared_error(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Square root of the mean squared error, in units of the target; arguments as for `mean_squared_error`."""
    return np.asarray(np.sqrt(mean_squared_error(y, predicted, weight)))


def mean_absolute_error(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean of absolute errors, in units of the target; arguments as for `mean_squared_error`."""
    return ratio(np.abs(y - predicted) @ weight, weight.sum(axis=0, dtype=float))


def r2(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """One minus squared error over the target's variance, at most 1; NaN for a constant target; arguments as for
    `mean_squared_error`."""
    total = weight.sum(axis=0, dtype=float)
    # Centered first: the variance is a small difference of large numbers where the target is far from 0.
    centered = y - y.mean()
    mean = ratio(centered @ weight, total)
    variance = ratio(centered**2 @ weight, total) - mean**2
    # A constant target has a tiny variance by rounding, which must count as none.
    rounding = max(1e-13 * float(np.max(centered**2)), (1e-14 * float(np.max(np.abs(y)))) ** 2)
    varies = variance > rounding
    return np.asarray(1.0 - ratio(mean_squared_error(y, predicted, weight), np.where(varies, variance, 0.0)))
