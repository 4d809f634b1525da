"""Weights as numbers of rows: whole numbers count, others compare."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarebird.data.row_counts import counted, quantiles, rows_of, seen_classes
from tests.data.test_split import rows


def test_whole_weights_count_rows() -> None:
    np.testing.assert_array_equal(rows_of(np.array([1.0, 4.0, 2.0])), [1, 4, 2])
    np.testing.assert_array_equal(rows_of(np.full(3, 2)), [2, 2, 2])


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1.0, 123.45])
def test_other_weights_compare_rows_on_any_scale(scale: float) -> None:
    """By hand: weights 1 : 2 : 5 are worth 64 / 30 rows."""
    found = rows_of(scale * np.array([0.1, 0.2, 0.5]))
    np.testing.assert_allclose(found, np.array([1, 2, 5]) / 8 * 64 / 30)


def test_equal_weights_that_are_not_whole_are_one_row_each() -> None:
    np.testing.assert_allclose(rows_of(np.full(7, 1 / 7)), 1)


def test_weights_of_zero_count_nothing() -> None:
    np.testing.assert_array_equal(rows_of(np.zeros(3)), 0)
    np.testing.assert_array_equal(rows_of(np.zeros(0)), np.zeros(0))


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.floats(-5, 5), min_size=1, max_size=12),
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    seed=st.integers(0, 99),
)
def test_quantiles_of_weighted_rows_are_numpys_of_repeated_rows(
    values: list[float], shares: list[float], seed: int
) -> None:
    times = np.random.default_rng(seed).integers(1, 5, len(values))
    places = np.array([0.0, *shares, 1.0])
    np.testing.assert_allclose(
        quantiles(np.array(values), times.astype(float), places),
        np.quantile(np.repeat(values, times), places),
        atol=1e-9,
    )


def test_quantiles_by_hand() -> None:
    """Ten copies of 0, one 10: the step between them is where the tenth copy ends. Rows may be parts of rows."""
    values = np.array([10.0, 0.0])
    np.testing.assert_allclose(quantiles(values, np.array([1.0, 10.0]), np.array([0, 0.9, 0.95, 1.0])), [0, 0, 5, 10])
    # On a scale of 4 rows, of which 1.5 and 2.5 are each one row's: half of the way is 1.5 rows on.
    np.testing.assert_allclose(quantiles(values, np.array([2.5, 1.5]), np.array([0.0, 0.5, 1.0])), [0, 10, 10])
    np.testing.assert_allclose(quantiles(values, np.array([2.5, 1.5]), np.array([0.2, 0.4])), [1, 7])
    np.testing.assert_array_equal(quantiles(values, np.ones(2), np.array([0.25])), [2.5])
    np.testing.assert_array_equal(quantiles(np.array([4.0]), np.array([0.3]), np.array([0.0, 1.0])), [4, 4])


def test_a_class_is_seen_where_one_of_its_rows_has_weight() -> None:
    y, weight = np.array([0, 2, 2, 3]), np.array([1.0, 0.0, 0.1, 0.0])
    np.testing.assert_array_equal(seen_classes(y, weight, 5), [True, False, True, False, False])


def test_counted_rows_weigh_as_rows() -> None:
    data = rows(np.array([0, 1, 1]), weight=np.array([0.1, 0.2, 0.5]))
    np.testing.assert_allclose(counted(data).weights, np.array([1, 2, 5]) / 8 * 64 / 30)
    assert counted(data).y is data.y
    plain = rows(np.array([0, 1]))
    assert counted(plain) is plain
