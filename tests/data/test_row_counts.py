"""Weights as numbers of rows: whole numbers count, others compare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarebird.data import row_counts
from rarebird.data.row_counts import counted, quantiles, rows_of, seen_classes
from tests.data.test_split import rows


def test_whole_weights_count_rows() -> None:
    np.testing.assert_array_equal(rows_of(np.array([1.0, 4.0, 2.0])), [1, 4, 2])
    np.testing.assert_array_equal(rows_of(np.full(3, 2)), [2, 2, 2])
    assert rows_of(np.full(3, 2)).dtype == np.float64


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


@pytest.mark.parametrize(("long", "cells"), [(20_000, 2**22), (20_000, 20), (8, 2**22)])
def test_quantiles_of_many_columns_are_those_of_each_alone(
    long: int, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_counts, "LONG", long)
    monkeypatch.setattr(row_counts, "BLOCK_CELLS", cells)
    rng = np.random.default_rng(0)
    values, known, shares = rng.normal(size=(9, 7)), np.ones((9, 7), dtype=bool), np.array([0.0, 0.25, 0.6, 1.0])
    known[2:5, 1], known[:, 3], known[1:, 5] = False, False, False
    values[~known] = np.nan
    for counts in (np.ones(9), rng.integers(1, 4, 9).astype(float)):
        found = row_counts.column_quantiles(values, known, counts, shares)
        assert found.shape == (4, 7)
        for column in range(7):
            own = known[:, column]
            alone = quantiles(values[own, column], counts[own], shares) if own.any() else np.full(4, np.nan)
            np.testing.assert_allclose(found[:, column], alone)
    assert np.isnan(row_counts.column_quantiles(np.empty((0, 2)), np.empty((0, 2), bool), np.ones(0), shares)).all()


def test_rows_that_a_class_lacks_by_hand() -> None:
    """Six, two and one row; the third class has none."""
    codes = np.repeat([0, 1, 3], [6, 2, 1])
    for ratio, lack in ((0.5, [0, 1, 0, 2]), (1.0, [0, 4, 0, 5]), (0.0, [0, 0, 0, 0])):
        assert row_counts.missing_rows(codes, np.ones(9), ratio).tolist() == lack
    # The first class weighs 3 and the second, of rows of weight 2, weighs 4; the last, without weight, counts as one.
    weight = np.repeat([0.5, 2.0, 0.0], [6, 2, 1])
    assert row_counts.missing_rows(codes, weight, 1.0).tolist() == [2, 0, 0, 3]
    assert row_counts.missing_rows(codes[:0], weight[:0], 1.0).tolist() == []


def test_weights_give_classes_the_prior_that_is_asked_for() -> None:
    """Weights 4 and 4 of the classes with rows, which the prior gives .5 and .3: .625 and .375 of 8."""
    y, weight, prior = np.array([0, 0, 0, 1]), np.array([1.0, 1.0, 2.0, 4.0]), np.array([0.5, 0.3, 0.2])
    np.testing.assert_allclose(row_counts.class_factors(y, weight, prior), [1.25, 0.75, 1])
    np.testing.assert_allclose(row_counts.class_factors(y, weight, np.array([0, 0, 1.0])), [0, 0, 1])
    data = replace(rows(y, weight=weight), classes=("a", "b", "c"))
    np.testing.assert_allclose(row_counts.weighted_to(data, prior).weights, [1.25, 1.25, 2.5, 3])
    plain = row_counts.weighted_to(replace(data, weight=None), prior)
    np.testing.assert_allclose(plain.weights, [*np.full(3, 0.625 * 4 / 3), 0.375 * 4])
