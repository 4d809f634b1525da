"""Scores have the calibration of each class, and curves of the rarest ones."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.evaluation.scoring import score
from rarebird.metrics.calibration import class_calibration


def made(support: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(support)), support)
    probabilities = rng.dirichlet(np.ones(len(support)), len(y)) + 2 * np.eye(len(support))[y]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return y, probabilities, (probabilities * rng.uniform(0.2, 2, probabilities.shape)).argmax(axis=1)


def test_each_class_has_its_own_error_and_the_weights_and_groups_are_used() -> None:
    y, probabilities, labels = made([200, 40, 1])
    rng = np.random.default_rng(1)
    weight, group = rng.uniform(0.2, 3, len(y)), rng.integers(0, 30, len(y))
    scores = score(y, probabilities, labels, ["a", "b", "c"], weight=weight, group=group)
    for code in (0, 1):
        expected = class_calibration(y == code, probabilities[:, code], weight, group)
        error = scores.per_class[code].calibration_error
        assert expected is not None
        assert (error.value, error.low, error.high) == (expected.value, expected.low, expected.high)
        assert scores.curves["class_reliability"]["ab"[code]] == expected.bins
    assert scores.per_class[2].calibration_error.value is None
    right = labels == probabilities.argmax(axis=1)
    assert scores.most_probable == pytest.approx(np.average(right, weights=weight))
    assert 0.02 < 1 - scores.most_probable < 0.98


def test_of_two_classes_the_positive_one_is_drawn_and_of_many_the_rarest() -> None:
    two = score(*made([90, 10]), ["a", "b"])
    assert list(two.curves["class_reliability"]) == ["b"]
    # Of twelve classes with rows; a thirteenth has none.
    support = [*(60 - 4 * place for place in range(12)), 0]
    many = score(*made(support), [f"class {place}" for place in range(13)])
    rarest = {f"class {place}" for place in range(2, 12)}
    assert set(many.curves["class_reliability"]) == set(many.curves["precision_recall"]) == rarest
