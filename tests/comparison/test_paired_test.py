"""Paired differences: textbook formulas, referees, and how often they claim something where there is nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rarebird.comparison.paired_test import corrected, verdicts
from rarebird.metrics.multiple_tests import holm_adjusted

RNG = np.random.default_rng(0)


def test_without_overlap_it_is_the_paired_t_test() -> None:
    differences = RNG.normal(0.02, 0.05, 15)
    found = corrected(differences, 1e-12)
    expected = stats.ttest_1samp(differences, 0)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-6)


def test_overlap_widens_the_interval_by_nadeau_and_bengios_factor() -> None:
    differences = RNG.normal(0, 0.05, 15)
    narrow, wide = corrected(differences, 1e-12), corrected(differences, 1 / 4)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(math.sqrt((1 / 15 + 1 / 4) / (1 / 15)))


def test_undefined_splits_are_left_out_and_one_split_says_nothing() -> None:
    differences = np.array([0.1, math.nan, 0.2, 0.15])
    assert corrected(differences, 0.25) == corrected(differences[[0, 2, 3]], 0.25)
    alone = corrected(np.array([0.3, math.nan]), 0.25)
    assert (alone.low, alone.high, alone.p_value) == (-math.inf, math.inf, 1.0)


def test_the_detectable_difference_is_found_four_times_in_five() -> None:
    size = corrected(RNG.normal(0, 0.1, 12), 1e-12).detectable
    sure = 0.1 * (stats.t.ppf(0.975, 11) + stats.t.ppf(0.8, 11)) / math.sqrt(12)
    assert size == pytest.approx(sure, rel=0.5)
    found = [corrected(RNG.normal(sure, 0.1, 12), 1e-12).low > 0 for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


def test_holm_is_that_of_the_paper() -> None:
    # Sorted .01 .02 .03 .04: times 4, 3, 2, 1, made monotone.
    np.testing.assert_allclose(holm_adjusted([0.03, 0.01, 0.04, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm_adjusted([0.5, 0.9]), [1.0, 1.0])


def test_among_many_nulls_something_is_claimed_in_one_family_of_twenty() -> None:
    claims = 0
    for _ in range(1000):
        family = [corrected(RNG.normal(0, 1, 10), 1e-12) for _ in range(8)]
        claims += any(verdict != "too few rows to tell" for verdict in verdicts(family))
    assert claims / 1000 < 0.07


def test_verdicts_name_the_direction() -> None:
    better, worse = (corrected(RNG.normal(mean, 0.01, 15), 0.25) for mean in (0.3, -0.3))
    unsure = corrected(RNG.normal(0, 1, 15), 0.25)
    assert verdicts([better, worse, unsure]) == ["helps", "hurts", "too few rows to tell"]
    assert verdicts([corrected(np.zeros(10), 0.25)]) == ["too few rows to tell"]


def test_equal_differences_on_every_split_are_as_sure_as_the_sign_test() -> None:
    assert corrected(np.full(6, 0.05), 0.25).p_value == 2.0**-5
    # Rounding is no spread.
    assert corrected(0.1 + 0.05 * (1 + 1e-15 * np.arange(6)) - 0.1, 0.25).p_value == 2.0**-5
    assert corrected(np.zeros(6), 0.25).p_value == 1.0


def test_two_or_three_splits_claim_nothing_however_alike() -> None:
    for n in (2, 3):
        few = corrected(np.full(n, 0.3) + 1e-4 * np.arange(n), 0.25)
        assert few.p_value == 1.0
        assert few.low > 0
    assert corrected(np.full(4, 0.3) + 1e-4 * np.arange(4), 0.25).p_value < 0.01


def test_many_comparisons_ask_for_a_larger_effect_and_leave_the_interval() -> None:
    differences = RNG.normal(0, 0.05, 15)
    one, ten = corrected(differences, 0.25), corrected(differences, 0.25, comparisons=10)
    assert (one.low, one.high, one.p_value) == (ten.low, ten.high, ten.p_value)
    error = (one.high - one.mean) / stats.t.ppf(0.975, 14)
    assert ten.detectable == pytest.approx((stats.t.ppf(0.9975, 14) + stats.t.ppf(0.8, 14)) * error)


def test_a_difference_says_how_many_splits_it_has_and_one_comparison_is_usual() -> None:
    alone = corrected(np.array([0.3, math.nan]), 0.25)
    assert (alone.mean, alone.splits, alone.detectable) == (0.3, 1, math.inf)
    none = corrected(np.full(3, math.nan), 0.25)
    assert math.isnan(none.mean)
    assert (none.splits, none.p_value) == (0, 1.0)
    differences = RNG.normal(0, 0.05, 7)
    assert corrected(differences, 0.25) == corrected(differences, 0.25, comparisons=1)
    assert corrected(differences, 0.25).splits == 7
