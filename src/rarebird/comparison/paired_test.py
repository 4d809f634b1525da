"""Differences of two recipes on the same splits: what they say, and what they cannot say.

Scores of overlapping training sets are not independent, and the plain t-test finds differences everywhere. The
corrected resampled t-test (Nadeau and Bengio, "Inference for the generalization error", Machine Learning 2003;
Bouckaert and Frank, "Evaluating the replicability of significance tests for comparing learning algorithms", PAKDD 2004)
widens the variance by the share of test to training rows; many comparisons share one level by Holm's method ("A simple
sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from rarebird.core.checks import require

LEVEL, POWER = 0.05, 0.8
# Scores of few rows take few values: on two or three splits they agree by chance too often for a test that reads their
# spread.
FEWEST_SPLITS = 4
# Below this share of the mean a spread is rounding.
NO_SPREAD = 1e-9

Verdict = Literal["helps", "hurts", "too few rows to tell"]


@dataclass(frozen=True)
class Difference:
    """A paired difference with its 95 % interval.

    Attributes:
        mean: Of the differences over splits, larger is better.
        low, high: Ends of the interval.
        p_value: Two-sided, of no difference; before any correction for many comparisons.
        detectable: The smallest true difference that these splits would have shown four times in five among so many
            comparisons.
        splits: How many splits had both scores.
    """

    mean: float
    low: float
    high: float
    p_value: float
    detectable: float
    splits: int


def corrected(differences: np.ndarray, test_to_train: float, comparisons: int = 1) -> Difference:
    """The corrected resampled t-test.

    Args:
        differences: ``(splits,)`` paired differences; undefined ones (NaN) are left out.
        test_to_train: Judging rows over training rows of a split; ``1 / (folds - 1)`` for folds.
        comparisons: How many share one level; `detectable` answers to the strictest step of Holm's method. Interval and
            p-value do not.

    Returns:
        The difference; a p-value of 1 where fewer than `FEWEST_SPLITS` are left, an interval without end where fewer
        than two.
    """
    require(test_to_train > 0, "test_to_train > 0", test_to_train=test_to_train)
    require(comparisons >= 1, "comparisons >= 1", comparisons=comparisons)
    known = differences[np.isfinite(differences)]
    n = len(known)
    mean = float(known.mean()) if n else math.nan
    if n < 2:
        return Difference(mean, -math.inf, math.inf, 1.0, math.inf, n)
    error = math.sqrt((1 / n + test_to_train) * float(known.var(ddof=1)))
    quantile = float(stats.t.ppf(1 - LEVEL / 2, n - 1))
    strictest = float(stats.t.ppf(1 - LEVEL / comparisons / 2, n - 1))
    detectable = (strictest + float(stats.t.ppf(POWER, n - 1))) * error
    return Difference(
        mean, mean - quantile * error, mean + quantile * error, _p_value(known, mean, error), detectable, n
    )


def _p_value(known: np.ndarray, mean: float, error: float) -> float:
    n = len(known)
    if n < FEWEST_SPLITS or mean == 0:
        return 1.0
    # Without any spread, t has no end; that all splits agree is then all there is to say: the sign test.
    return float(2 * stats.t.sf(abs(mean) / error, n - 1)) if error > NO_SPREAD * abs(mean) else 2.0 ** (1 - n)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """``(n,)`` adjusted p-values: a comparison holds at a level where its own is below it, whatever the others are."""
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values))))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def verdicts(differences: Sequence[Difference], level: float = LEVEL) -> list[Verdict]:
    """What each of many differences says when all are asked at once."""
    adjusted = holm([difference.p_value for difference in differences])
    return [_verdict(difference.mean, bool(p <= level)) for difference, p in zip(differences, adjusted, strict=True)]


def _verdict(mean: float, sure: bool) -> Verdict:
    if not sure or mean == 0:
        return "too few rows to tell"
    return "helps" if mean > 0 else "hurts"
