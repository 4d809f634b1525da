"""Argmax: numpy's, ties to the first class."""

from __future__ import annotations

import numpy as np

from rarebird.methods.decision.argmax import FittedArgmax


def test_is_the_most_probable_class_and_ties_go_to_the_first() -> None:
    np.testing.assert_array_equal(FittedArgmax()(np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]])), [1, 0])
