"""Class scale and bias: finds an unknown prior, and holds still on few rows."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.methods.calibration.class_scale_bias import ClassScaleBias, scale_and_bias


def softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, 3)) + np.array([2.0, 0.0, -2.0])
    return logits, (softmax(logits).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


def test_finds_the_prior_that_training_hid() -> None:
    logits, y = rows(20_000)
    hidden = 0.5 * (logits - np.array([2.0, 0.0, -2.0]))
    fitted = ClassScaleBias().fit(hidden, y, np.ones(len(y)), None)
    np.testing.assert_allclose(fitted.scale, 2, atol=0.15)
    np.testing.assert_allclose(np.array(fitted.bias) - fitted.bias[1], [2, 0, -2], atol=0.15)
    np.testing.assert_allclose(softmax(fitted(hidden)).mean(axis=0), np.bincount(y) / len(y), atol=0.005)


def test_strong_ridges_leave_one_common_scale() -> None:
    logits, y = rows(2000)
    scale, bias = scale_and_bias(3 * logits, y, np.ones(2000), (1e7, 1e7))
    np.testing.assert_allclose(scale, scale[0], atol=1e-3)
    np.testing.assert_allclose(bias, 0, atol=1e-3)
    assert scale[0] == pytest.approx(1 / 3, rel=0.1)


def test_is_a_minimum_of_its_objective() -> None:
    logits, y = rows(100)
    scale, bias = scale_and_bias(logits, y, np.ones(100), (20.0, 0.5))
    # At the minimum the biases' slope vanishes: what each class's probabilities have too much is what the ridge pulls.
    z = logits - logits.mean(axis=1, keepdims=True)
    surplus = softmax(z * scale + bias).sum(axis=0) - np.bincount(y, minlength=3)
    np.testing.assert_allclose(surplus + 0.5 * bias, 0, atol=1e-3)


def test_a_constant_per_row_changes_nothing() -> None:
    logits, y = rows(200)
    fitted = ClassScaleBias().fit(logits, y, np.ones(200), None)
    np.testing.assert_allclose(fitted(logits + np.arange(200)[:, None]), fitted(logits), atol=1e-9)


def test_other_class_counts_are_refused() -> None:
    fitted = ClassScaleBias().fit(*rows(20), np.ones(20), None)
    with pytest.raises(ValueError, match="one scale and bias per class"):
        fitted(np.zeros((2, 4)))
