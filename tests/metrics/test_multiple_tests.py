"""Holm's correction: by hand, in any order, never below the uncorrected values."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rarebird.metrics.multiple_tests import holm_adjusted


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
