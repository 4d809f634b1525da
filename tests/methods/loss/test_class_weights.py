"""Weights per class: scikit-learn's, their scale, and labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from rarebird.core.checks import DataError
from rarebird.methods.loss._class_weights import by_label, effective_number, inverse_power, normalized

COUNTS = np.array([90, 9, 1])


def test_power_one_is_scikit_learns_balanced() -> None:
    y = np.repeat([0, 1, 2], COUNTS)
    np.testing.assert_allclose(inverse_power(COUNTS, 1.0), compute_class_weight("balanced", classes=np.arange(3), y=y))


@pytest.mark.parametrize(
    "weights", [inverse_power(COUNTS, 0.5), effective_number(COUNTS), normalized(np.array([3.0, 1.0, 2.0]), COUNTS)]
)
def test_the_mean_over_the_training_rows_is_one(weights: np.ndarray) -> None:
    assert np.average(weights, weights=COUNTS) == pytest.approx(1)


def test_labels_give_the_order_and_the_message_names_the_setting() -> None:
    np.testing.assert_array_equal(by_label({"b": 2.0, "a": 1.0}, ("a", "b"), "alpha"), [1, 2])
    with pytest.raises(DataError, match="alpha has no weight for the class 'b'; give one for every class"):
        by_label({"a": 1.0}, ("a", "b"), "alpha")
