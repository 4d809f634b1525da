"""A chain of calibrations: in order, then the softmax; and the same chain on the logarithm of a mean."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from rarebird.methods.calibration.prior_correction import FittedPriorCorrection
from rarebird.methods.calibration.temperature import FittedTemperature
from rarebird.model.chain import LEAST, apply_to_mean, probabilities

LOGITS = np.array([[3.0, 1.0, -2.0], [0.5, 2.5, 4.0]])
SHIFT, HALF = FittedPriorCorrection(shift=(-1.0, 0.0, 2.0)), FittedTemperature(temperature=2.0)


def test_calibrations_act_in_order_and_the_softmax_comes_last() -> None:
    shift = np.array([-1.0, 0.0, 2.0])
    np.testing.assert_allclose(probabilities(LOGITS, []), softmax(LOGITS, axis=1))
    np.testing.assert_allclose(
        probabilities(LOGITS, [("prior_correction", SHIFT), ("temperature", HALF)]),
        softmax((LOGITS + shift) / 2, axis=1),
    )
    np.testing.assert_allclose(
        probabilities(LOGITS, [("temperature", HALF), ("prior_correction", SHIFT)]), softmax(LOGITS / 2 + shift, axis=1)
    )


def test_logits_of_any_size_give_finite_probabilities() -> None:
    np.testing.assert_array_equal(probabilities(np.array([[1e4, -1e4], [-1e4, -1e4]]), []), [[1, 0], [0.5, 0.5]])


def test_a_mean_is_calibrated_by_its_logarithm_which_is_never_infinite() -> None:
    mean = np.array([[0.7, 0.3, 0.0], [0.2, 0.3, 0.5]])
    assert apply_to_mean(mean, []) is mean
    found = apply_to_mean(mean, [("temperature", HALF)])
    roots = np.sqrt(np.maximum(mean, LEAST))
    np.testing.assert_allclose(found, roots / roots.sum(axis=1, keepdims=True))
    assert 0 < found[0, 2] < 2e-6
