"""The 95 % intervals of figures on predicted numbers: Student's t on the logarithm of the mean error.

Errors of a mean are skewed on few rows, and a percentile bootstrap of them covers .74 at 5 rows and .42 at 2 groups of
5 (`benchmarks/coverage.py --values`). Their logarithm is nearly symmetric. Its variance comes from each row's
influence (Hampel 1974), summed by group, with a finite-sample factor (MacKinnon and White, "Some
heteroskedasticity-consistent covariance matrix estimators", J. Econometrics 1985). On few rows this variance is often
far too small, so that `ADDED_ROWS` rows of independent normal errors are added where they would make it larger.
Heavy-tailed errors are covered less often at few rows: the rows do not show their tail.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from rarebird.evaluation.estimate import Estimate
from rarebird.metrics import uncertainty
from rarebird.metrics.regression import mean_absolute_error, mean_squared_error, r2

# As for average precision: z^2 rows.
ADDED_ROWS = uncertainty.Z**2
# Variance of a squared and of an absolute normal error, over the square of its mean.
NORMAL_SQUARED, NORMAL_ABSOLUTE = 2.0, math.pi / 2 - 1


def value_estimates(
    y: np.ndarray, predicted: np.ndarray, weight: np.ndarray, group: np.ndarray | None
) -> dict[str, Estimate]:
    """Squared, root squared and absolute error and R2, with intervals.

    Args:
        y: ``(n,)`` true values.
        predicted: ``(n,)`` predicted values.
        weight: ``(n,)`` sample weights, at least 0.
        group: ``(n,)`` group labels; None where rows are independent.
    """
    squared, absolute = (y - predicted) ** 2, np.abs(y - predicted)
    from_mean = y - np.average(y, weights=weight)
    units = _Units(weight, group)
    mean = float(mean_squared_error(y, predicted, weight))
    ends = units.ends(squared, NORMAL_SQUARED, from_mean**2)
    relative = units.ends(squared, NORMAL_SQUARED, from_mean**2, as_ratio=True)
    figure = float(r2(y, predicted, weight))
    return {
        "mean_squared_error": _estimate(mean, ends),
        "root_mean_squared_error": _estimate(math.sqrt(mean), None if ends is None else tuple(np.sqrt(ends))),
        "mean_absolute_error": _estimate(
            float(mean_absolute_error(y, predicted, weight)),
            units.ends(absolute, NORMAL_ABSOLUTE, np.abs(from_mean)),
        ),
        "r2": _estimate(figure, None if relative is None else (1 - relative[1], 1 - relative[0])),
    }


class _Units:
    """What counts as independent: rows, or groups of rows, each with its weight."""

    def __init__(self, weight: np.ndarray, group: np.ndarray | None) -> None:
        self.share = weight / weight.sum()
        self.code = np.arange(len(weight)) if group is None else np.unique(group, return_inverse=True)[1]
        self.number = uncertainty.effective_size(self._summed(self.share))
        self.n_units = int(np.count_nonzero(self._summed(self.share)))
        # Of units with very different weights, fewer than two may be effective: two then have one degree of freedom.
        self.freedom = max(self.number - 1, 1.0)
        self.rows = uncertainty.effective_size(weight)

    def ends(
        self, error: np.ndarray, normal: float, spread: np.ndarray, as_ratio: bool = False
    ) -> tuple[float, float] | None:
        """The interval of the mean of `error`, or with `as_ratio` of its ratio to the mean of `spread`; None if there
        are no two units, or nothing to divide by.

        Where no row shows an error, the upper end is Wilson's of a share of 0, times the mean error of a constant
        prediction: that share of the rows may be predicted no better.
        """
        mean, around = float(self.share @ error), float(self.share @ spread)
        if self.n_units < 2 or (as_ratio and not around):
            return None
        scale = around if as_ratio else 1.0
        possible = float(uncertainty.wilson(0.0, self.number)[1]) * around / scale
        if not mean:
            return 0.0, possible
        influence = error / mean - (spread / around if as_ratio else 1.0)
        variance = float((self._summed(self.share * influence) ** 2).sum()) * self.number / self.freedom
        least = normal / self.rows
        variance += ADDED_ROWS * max(least - variance, 0.0) / (self.number + ADDED_ROWS)
        width = math.exp(stats.t.ppf(0.975, self.freedom) * math.sqrt(variance))
        return mean / scale / width, max(mean / scale * width, possible)

    def _summed(self, values: np.ndarray) -> np.ndarray:
        summed: np.ndarray = np.bincount(self.code, values)
        return summed


def _estimate(value: float, ends: tuple[float, ...] | None) -> Estimate:
    if math.isnan(value):
        return Estimate(value=None)
    low, high = (None, None) if ends is None else ends
    return Estimate(value=value, low=low, high=high)
