"""Power laws of learning curves: known laws are found again, and rows for a gain follow from them."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.diagnostics.next_rows.learning_curve import ClassCurve
from rarebird.diagnostics.next_rows.power_law import RowsNeeded, fit, rows_needed

N = np.array([25.0, 50, 100])


@pytest.mark.parametrize(("level", "slope"), [(0.8, 0.5), (2.0, 0.2), (0.5, 1.0)])
def test_an_exact_law_is_found_and_its_rows_follow(level: float, slope: float) -> None:
    errors = level * N**-slope
    law = fit(N, errors)
    assert (np.exp(law.level), law.slope) == pytest.approx((level, slope))
    target = 0.8 * errors[-1]
    found = rows_needed(N, errors, np.array([errors] * 5), 0.2 * errors[-1])
    expected = (level / target) ** (1 / slope) - 100
    assert (found.rows, found.low, found.high) == pytest.approx((expected,) * 3)


def test_a_flat_or_rising_curve_never_reaches_a_gain() -> None:
    for errors in (np.full(3, 0.3), np.array([0.2, 0.25, 0.3])):
        assert rows_needed(N, errors, np.array([errors]), 0.05).rows == np.inf
    steep = 0.04 * N**-0.5
    assert rows_needed(N, steep, np.array([steep]), 0.05).rows == np.inf, "an error cannot fall below 0"


def test_a_law_is_not_followed_far_beyond_the_present_rows() -> None:
    shallow = 0.5 * N**-0.02
    assert rows_needed(N, shallow, np.array([shallow]), 0.1).rows == np.inf


def test_the_interval_is_that_of_the_draws() -> None:
    draws = np.array([2.0 * N**-slope for slope in np.linspace(0.3, 0.7, 101)])
    found = rows_needed(N, 2.0 * N**-0.5, draws, 0.05)
    assert found.low < found.rows < found.high


def test_sentences_say_how_many_rows_or_that_the_curve_is_flat() -> None:
    def sentence(label: str, needed: RowsNeeded | None) -> str:
        return ClassCurve(label, (1, 2), (0.1, 0.2), needed).sentence()

    assert sentence("Fray", RowsNeeded(123.4, 61.0, 404.0)) == (
        "About 120 more rows of class 'Fray' for +0.05 recall [61, 400]."
    )
    assert "[61, no limit]" in sentence("Fray", RowsNeeded(123.4, 61.0, np.inf))
    assert "is flat" in sentence("Fray", RowsNeeded(np.inf, np.inf, np.inf))
    assert "[61, no limit]" in sentence("Fray", RowsNeeded(np.inf, 61.0, np.inf))
    assert sentence("Fray", None) == "Too few rows of class 'Fray' to draw a learning curve."
    assert "the data for a squared error that is 10% smaller" in sentence("", RowsNeeded(12, 6, 40))
