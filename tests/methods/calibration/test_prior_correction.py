"""Prior correction: Bayes' rule, exactly."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.methods.calibration.prior_correction import FittedPriorCorrection, PriorCorrection
from rarebird.methods.loss.logit_adjusted import LogitAdjusted
from rarebird.slots.protocols import TargetStatistics


def fit(factor: np.ndarray | None, n_classes: int = 3) -> FittedPriorCorrection:
    return PriorCorrection().fit(np.zeros((4, n_classes)), np.zeros(4, dtype=int), np.ones(4), factor)


def test_gives_bayes_posterior_under_the_natural_prior() -> None:
    rng = np.random.default_rng(0)
    likelihood, natural, taught = rng.random((10, 3)), np.array([0.9, 0.09, 0.01]), np.array([0.2, 0.3, 0.5])
    corrected = np.exp(fit(taught / natural)(np.log(likelihood * taught)))
    expected = likelihood * natural
    np.testing.assert_allclose(corrected / corrected.sum(1, keepdims=True), expected / expected.sum(1, keepdims=True))


def test_undoes_logit_adjustment() -> None:
    counts = np.array([90, 9, 1])
    shift = np.array(fit(LogitAdjusted().prior_factor(TargetStatistics(counts))).shift)
    np.testing.assert_allclose(shift - shift[0], np.log(counts / counts[0]))


@pytest.mark.parametrize("factor", [None, np.ones(3), np.full(3, 7.0)])
def test_is_the_identity_where_no_prior_was_bent(factor: np.ndarray | None) -> None:
    assert fit(factor).shift == (0.0, 0.0, 0.0)


def test_impossible_factors_and_other_class_counts_are_refused() -> None:
    for bad in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="0 < prior_factor < inf"):
            fit(np.array([1.0, bad, 1.0]))
    with pytest.raises(ValueError, match="one shift per class"):
        fit(np.ones(3))(np.zeros((2, 4)))


def test_factors_that_are_equal_up_to_rounding_are_no_shift_and_others_are() -> None:
    assert fit(np.array([1.0, 1.0 + 1e-14, 1.0])).shift == (0.0, 0.0, 0.0)
    np.testing.assert_allclose(fit(np.array([1.0, 1.0 + 1e-9, 1.0])).shift, [0, -1e-9, 0], atol=1e-15)
    np.testing.assert_allclose(fit(np.array([2, 4, 8])).shift, -np.log([2, 4, 8]))
    np.testing.assert_allclose(fit(np.array([2, 4, 8]))(np.ones((2, 3))), 1 - np.tile(np.log([2, 4, 8]), (2, 1)))
