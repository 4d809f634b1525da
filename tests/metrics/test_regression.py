"""Figures of predicted numbers: scikit-learn as referee, limits, and targets far from 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as referee

from rarebird.metrics import regression

PAIRS = [
    (regression.mean_squared_error, referee.mean_squared_error),
    (regression.root_mean_squared_error, referee.root_mean_squared_error),
    (regression.mean_absolute_error, referee.mean_absolute_error),
    (regression.r2, referee.r2_score),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 50), offset=st.sampled_from([0.0, 1e6]), weighted=st.booleans())
def test_equal_scikit_learns(ours, theirs, seed: int, n: int, offset: float, weighted: bool) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n) + offset
    predicted = y + rng.normal(size=n)
    weight = rng.uniform(0.1, 3, size=n) if weighted else np.ones(n)
    assert ours(y, predicted, weight) == pytest.approx(theirs(y, predicted, sample_weight=weight), rel=1e-6)


@pytest.mark.parametrize("ours", [pair[0] for pair in PAIRS])
def test_weight_two_is_the_row_twice(ours) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    y, predicted = rng.normal(size=20), rng.normal(size=20)
    times = rng.integers(0, 4, size=(20, 5))
    together = ours(y, predicted, times.astype(np.float32))
    for column in range(5):
        rows = np.repeat(np.arange(20), times[:, column])
        assert together[column] == pytest.approx(ours(y[rows], predicted[rows], np.ones(len(rows))), rel=1e-9)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9 + 0.1])
def test_a_constant_target_has_no_r2(constant: float) -> None:
    y = np.full(7, constant)
    assert np.isnan(regression.r2(y, y + 1, np.ones(7)))
    assert np.isnan(regression.r2(y, y, np.ones((7, 3)))).all()


def test_the_mean_explains_nothing_and_the_truth_all() -> None:
    y = np.arange(10.0)
    assert regression.r2(y, np.full(10, y.mean()), np.ones(10)) == pytest.approx(0.0)
    assert regression.r2(y, y, np.ones(10)) == 1.0
    # A replicate that draws one row only has no variance left.
    alone = np.zeros((10, 1))
    alone[3] = 10
    assert np.isnan(regression.r2(y, y + 1, alone)).all()
