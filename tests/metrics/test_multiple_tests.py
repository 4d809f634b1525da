"""Holm's correction: by hand, in any order, never below the uncorrected values; that of Westfall and Young costs less
where tests are alike, and holds its level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rarebird.metrics.multiple_tests import holm_adjusted, min_p_adjusted


def test_by_hand() -> None:
    np.testing.assert_allclose(holm_adjusted([0.04, 0.01, 0.03, 0.5]), [0.09, 0.04, 0.09, 0.5])
    assert len(holm_adjusted([])) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_between_the_uncorrected_values_and_bonferronis(values: list[float]) -> None:
    adjusted = holm_adjusted(values)
    assert (adjusted >= np.array(values) - 1e-12).all()
    order = np.argsort(values)
    assert (np.diff(adjusted[order]) >= 0).all()
    assert adjusted[order[0]] == min(len(values) * min(values), 1)


def test_alike_tests_cost_nothing_and_independent_ones_what_holm_takes() -> None:
    draw = np.random.default_rng(0)
    one, five = draw.random((1_999, 1)), draw.random((1_999, 5))
    alike = min_p_adjusted([0.02] * 5, np.repeat(one, 5, axis=1))
    np.testing.assert_allclose(alike, np.full(5, (1 + (one <= 0.02).sum()) / 2_000))
    values = [0.02, 0.9, 0.004, 0.5, 0.03]
    np.testing.assert_allclose(min_p_adjusted(values, five), holm_adjusted(values), atol=0.35)
    assert min_p_adjusted(values, five)[2] == pytest.approx(1 - 0.996**5, abs=0.007)
    # Tests that never have small p-values cost nothing either.
    five[:, 1:] = 1.0
    assert min_p_adjusted([0.01, 1, 1, 1, 1], five)[0] == pytest.approx((1 + (five[:, 0] <= 0.01).sum()) / 2_000)


def test_the_level_holds_where_all_is_equal() -> None:
    draw = np.random.default_rng(1)
    shared = draw.normal(size=(400, 100, 1))
    scores = shared + draw.normal(size=(400, 100, 4))
    p_values = (scores[:, :, None] <= scores[:, None]).mean(axis=2)
    below = sum(min_p_adjusted(one[0], one[1:]).min() < 0.1 for one in p_values)
    assert 20 <= below <= 60
