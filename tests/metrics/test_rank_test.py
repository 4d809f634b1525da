"""The rank-sum test: SciPy as referee, exact and approximate, with and without ties."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from rarebird.metrics.rank_test import larger


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 4), (2, 30), (20, 6), (27, 28), (40, 90)])
@pytest.mark.parametrize("shift", [-0.7, 0.0, 0.7])
def test_it_equals_scipys(m: int, n: int, shift: float) -> None:
    rng = np.random.default_rng(m * n)
    sample, other = rng.normal(shift, 1, m), rng.normal(0, 1, n)
    method = "exact" if m + n <= 55 else "asymptotic"
    p_value, area = larger(sample, other)
    assert p_value == pytest.approx(mannwhitneyu(sample, other, alternative="greater", method=method).pvalue, rel=1e-9)
    assert area == pytest.approx(roc_auc_score(np.r_[np.ones(m), np.zeros(n)], np.r_[sample, other]))


def test_ties_count_half_and_widen_the_variance() -> None:
    rng = np.random.default_rng(0)
    sample, other = rng.integers(0, 4, 25).astype(float), rng.integers(0, 4, 40).astype(float)
    p_value, area = larger(sample, other)
    referee = mannwhitneyu(sample, other, alternative="greater", method="asymptotic")
    assert p_value == pytest.approx(referee.pvalue, rel=1e-9)
    assert area == pytest.approx(referee.statistic / 1000)
    assert larger(np.ones(9), np.ones(5)) == (1.0, 0.5)
