"""Weights as numbers of rows: whole numbers count, others compare."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.data.row_counts import rows_of


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
