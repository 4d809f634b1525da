"""Tests whether two recipes differ on the same splits.

The training sets of the splits overlap, so their scores are not independent, and the plain t-test finds differences
where there are none. The corrected resampled t-test (Nadeau and Bengio, "Inference for the generalization error",
Machine Learning 2003; Bouckaert and Frank, "Evaluating the replicability of significance tests for comparing learning
algorithms", PAKDD 2004) makes the variance larger by the ratio of test to training rows. Many comparisons share one
level by Holm's method ("A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from rarebird.core.checks import require
from rarebird.metrics.multiple_tests import holm_adjusted

LEVEL, POWER = 0.05, 0.8
# Scores of few rows take few values. On two or three splits they are often equal by chance, and a test that uses their
# spread would take this for certainty.
FEWEST_SPLITS = 4
# A spread below this share of the mean is a rounding error.
NO_SPREAD = 1e-9

Verdict = Literal["helps", "hurts", "too few rows to tell", "too few steps to tell"]


@dataclass(frozen=True)
class Difference:
    """A paired difference with its 95 % interval.

    Attributes:
        mean: The mean of the differences over splits; larger is better.
        low, high: Ends of the interval.
        p_value: Two-sided, for no difference; not corrected for the number of comparisons.
        detectable: The smallest true difference that these splits would show with a probability of 80 %, given the
            number of comparisons.
        splits: Number of splits that have both scores.
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
        test_to_train: Held-out rows of a split divided by its training rows; ``1 / (folds - 1)`` for folds.
        comparisons: Number of comparisons that share one level. It matters for `detectable`, which is computed for the
            strictest step of Holm's method, but not for interval and p-value.

    Returns:
        The difference. With fewer than `FEWEST_SPLITS` splits its p-value is 1; with fewer than two its interval is
        infinite.
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
    # Without any spread, t is infinite; that all splits agree is then tested by the sign test.
    return float(2 * stats.t.sf(abs(mean) / error, n - 1)) if error > NO_SPREAD * abs(mean) else 2.0 ** (1 - n)


def verdicts(differences: Sequence[Difference], level: float = LEVEL) -> list[Verdict]:
    """The verdict on each of many differences, all tested at one level."""
    adjusted = holm_adjusted([difference.p_value for difference in differences])
    return [_verdict(difference.mean, bool(p <= level)) for difference, p in zip(differences, adjusted, strict=True)]


def _verdict(mean: float, is_significant: bool) -> Verdict:
    if not is_significant or mean == 0:
        return "too few rows to tell"
    return "helps" if mean > 0 else "hurts"
