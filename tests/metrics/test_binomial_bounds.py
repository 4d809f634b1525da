"""Bounds of a share: scipy's exact binomial tails are the referee, and the bounds keep their confidence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rarebird.metrics.binomial_bounds import lower_bound, p_value_above, upper_bound


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (1, 7), (4, 9), (9, 9), (50, 70)])
def test_bounds_are_those_of_the_exact_test(hits: int, n: int) -> None:
    referee = stats.binomtest(hits, n, alternative="greater").proportion_ci(0.9, "exact").low
    assert float(lower_bound(hits, n, 0.9)) == pytest.approx(referee, abs=1e-9)
    referee = stats.binomtest(hits, n, alternative="less").proportion_ci(0.9, "exact").high
    assert float(upper_bound(hits, n, 0.9)) == pytest.approx(referee, abs=1e-9)


def test_p_values_are_binomial_tails() -> None:
    hits = np.array([0, 3, 8, 10])
    np.testing.assert_allclose(p_value_above(hits, 10, 0.6), stats.binom.sf(hits - 1, 10, 0.6), atol=1e-12)
    assert float(p_value_above(0, 0, 0.5)) == 1


def test_a_bound_refutes_exactly_the_shares_below_it() -> None:
    bound = float(lower_bound(7, 12, 0.95))
    assert float(p_value_above(7, 12, bound - 1e-6)) < 0.05 < float(p_value_above(7, 12, bound + 1e-6))
