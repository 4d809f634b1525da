"""How an error falls with the number of rows: a power law, and how many more rows a gain needs.

``error(n) = a n^-b`` (Cortes et al., "Learning curves: asymptotic values and rate of convergence", NeurIPS 1993;
Hestness et al., "Deep learning scaling is predictable, empirically", 2017) is fitted as a line in the logarithms. Its
interval is that of the fits to resampled held-out rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Percentiles of a 95 % interval.
INTERVAL = (2.5, 97.5)
# A law is not followed beyond this many times the present rows: it says that they are not enough.
FARTHEST = 100.0


@dataclass(frozen=True)
class PowerLaw:
    """``error(n) = exp(level) n^-slope``; a slope of 0 or less: more rows do not help."""

    level: float
    slope: float

    def rows_for(self, error: float, now: float) -> float:
        """The rows at which the error is reached, counted from `now`; infinite beyond `FARTHEST` times these."""
        if error <= 0 or self.slope <= 0:
            return np.inf
        with np.errstate(over="ignore"):
            rows = float(np.exp((self.level - np.log(error)) / self.slope) - now)
        return max(rows, 0.0) if rows <= FARTHEST * now else np.inf


@dataclass(frozen=True)
class RowsNeeded:
    """More rows for a gain.

    Attributes:
        rows: How many; infinite where the curve is flat.
        low, high: The 95 % interval.
    """

    rows: float
    low: float
    high: float

    def as_tuple(self) -> tuple[float, float, float]:
        """The rows with their interval."""
        return self.rows, self.low, self.high


def fit(n: np.ndarray, errors: np.ndarray) -> PowerLaw:
    """The law of errors above 0, at ``(m,)`` numbers of rows.

    The points are weighted by their number of rows, because larger parts tell more about what comes next.
    """
    weight = n / n.sum()
    x, y = np.log(n), np.log(errors)
    center, level = weight @ x, weight @ y
    spread = weight @ (x - center) ** 2
    slope = 0.0 if spread <= 0 else -float(weight @ ((x - center) * (y - level)) / spread)
    return PowerLaw(float(level + slope * center), slope)


def rows_needed(n: np.ndarray, errors: np.ndarray, resampled: np.ndarray, gain: float) -> RowsNeeded:
    """More rows until the error is less by `gain` than the law says of the present rows.

    Args:
        n: ``(m,)`` numbers of rows, rising; the last is the present one.
        errors: ``(m,)`` errors above 0.
        resampled: ``(draws, m)`` errors on resampled held-out rows.
        gain: By how much the error shall fall.
    """

    def needed(values: np.ndarray) -> float:
        law = fit(n, values)
        present = np.exp(law.level - law.slope * np.log(n[-1]))
        return law.rows_for(float(present) - gain, float(n[-1]))

    draws = np.array([needed(values) for values in resampled])
    low, high = (float(np.sort(draws)[_place(share, len(draws))]) for share in INTERVAL)
    return RowsNeeded(needed(errors), low, high)


def _place(percent: float, n: int) -> int:
    """The place of a percentile among n sorted values, some of which may be infinite."""
    return int(np.clip(round(percent / 100 * (n - 1)), 0, n - 1))
