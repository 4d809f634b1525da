"""Class scale and bias: finds an unknown prior, and holds still on few rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from rarebird.methods.calibration import class_scale_bias
from rarebird.methods.calibration.class_scale_bias import (
    ClassScaleBias,
    FittedClassScaleBias,
    centered,
    penalized_loss,
    scale_and_bias,
)


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
    with pytest.raises(ValueError, match=r"one scale and bias per class.*got classes=4, scales=3, biases=3"):
        fitted(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="got classes=3, scales=3, biases=2"):
        FittedClassScaleBias(scale=(1.0, 1.0, 1.0), bias=(0.0, 0.0))(np.zeros((2, 3)))


def objective(scale: np.ndarray, bias: np.ndarray, common: float, ridge: tuple[float, float], seed: int = 0) -> float:
    """The penalized loss, term by term as the card has it, of 60 rows whose weights are not one."""
    logits, y = rows(60, seed)
    total = 0.0
    for z, code, w in zip(logits, y, weights(60), strict=True):
        scaled = scale * (z - z.mean()) + bias
        total += w * (np.log(np.exp(scaled).sum()) - scaled[code])
    return float(
        total
        + 5 * (common - np.log(common))
        + ridge[0] * ((scale - common) ** 2).sum() / 2
        + ridge[1] * (bias**2).sum() / 2
    )


def weights(n: int) -> np.ndarray:
    return np.random.default_rng(7).integers(1, 6, n).astype(float)


def test_the_loss_is_that_of_the_card_and_the_gradient_that_of_the_loss() -> None:
    logits, y = rows(60)
    rng, ridge = np.random.default_rng(1), (3.0, 0.7)
    for _ in range(3):
        at = np.r_[rng.uniform(0.5, 2), 0.5 * rng.normal(size=6)]

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            return penalized_loss(parameters, centered(logits), y, weights(60), ridge)

        value, gradient = loss(at)
        assert value == pytest.approx(objective(at[0] + at[1:4], at[4:], at[0], ridge))
        steps = [1e-6 * np.eye(7)[k] for k in range(7)]
        slopes = [(loss(at + step)[0] - loss(at - step)[0]) / 2e-6 for step in steps]
        np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-5)


def test_large_logits_have_a_finite_loss() -> None:
    value, gradient = penalized_loss(
        np.array([1.0, 0, 0, 0, 0]), np.array([[800.0, -800.0]]), np.array([1]), np.ones(1), (1.0, 1.0)
    )
    assert value == pytest.approx(1600 + 5)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("ridge", [(20.0, 0.5), (1.0, 5.0)])
def test_no_other_scale_or_bias_has_a_smaller_loss(ridge: tuple[float, float]) -> None:
    """On weighted rows; the best common scale for given scales is found by a search."""
    logits, y = rows(60)
    scale, bias = scale_and_bias(logits, y, weights(60), ridge)

    def least(scale: np.ndarray, bias: np.ndarray) -> float:
        return min(objective(scale, bias, common, ridge) for common in np.linspace(0.3, 2.5, 221))

    best, rng = least(scale, bias), np.random.default_rng(2)
    assert all(least(scale + 0.05 * rng.normal(size=3), bias) > best - 1e-4 for _ in range(20))
    assert all(least(scale, bias + 0.05 * rng.normal(size=3)) > best - 1e-4 for _ in range(20))
    assert least(np.ones(3), np.zeros(3)) > best + 0.1


def test_an_unseen_class_has_the_common_scale_and_keeps_its_odds_on_average() -> None:
    """The mean, over weighted rows, of its log-odds against the seen classes is that of the common scale alone."""
    logits, y = rows(200)
    y = np.where(y == 2, 0, y)
    w = weights(200)
    scale, bias = scale_and_bias(3 * logits, y, w, (20.0, 0.5))
    z = 3 * (logits - logits.mean(axis=1, keepdims=True))
    seen = [0, 1]
    before = scale[2] * z[:, 2] - logsumexp(scale[2] * z[:, seen], axis=1)
    after = scale[2] * z[:, 2] + bias[2] - logsumexp(scale[seen] * z[:, seen] + bias[seen], axis=1)
    assert np.average(after, weights=w) == pytest.approx(np.average(before, weights=w))
    assert abs(bias[2]) > 0.01
    # At the minimum, what the prior pulls at the common scale is what the ridge pulls at the deviations.
    common = scale[2]
    assert 5 * (1 - 1 / common) == pytest.approx(20 * (scale[seen] - common).sum(), abs=1e-3)


def test_settings_are_the_ridges() -> None:
    logits, y = rows(80)
    fitted = ClassScaleBias(scale_rows=2.0, bias_rows=9.0).fit(logits, y, weights(80), None)
    scale, bias = scale_and_bias(logits, y, weights(80), (2.0, 9.0))
    np.testing.assert_array_equal([fitted.scale, fitted.bias], [scale, bias])
    other = ClassScaleBias(scale_rows=9.0, bias_rows=2.0).fit(logits, y, weights(80), None)
    assert np.abs(np.subtract(other.scale, fitted.scale)).max() > 0.01


def test_centering_is_exact_and_leaves_the_logits() -> None:
    given = np.array([[1e8 + 1, 1e8 + 3]], dtype=np.float64)
    np.testing.assert_array_equal(centered(given), [[-1, 1]])
    assert given[0, 0] == 1e8 + 1
    assert centered(np.ones((1, 2), dtype=np.float32)).dtype == np.float64


@pytest.mark.parametrize(("n", "n_classes", "spread"), [(7, 3, 1.0), (60, 2, 8.0), (400, 5, 30.0), (300, 40, 3.0)])
def test_newtons_minimum_is_that_of_scipy(n: int, n_classes: int, spread: float) -> None:
    """Also where the common scale ends at its bound (logits 30 times too large)."""
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n)])[:n]
    logits = rng.normal(size=(n, n_classes)) * spread
    logits[np.arange(n), y] += 1
    z, weight = class_scale_bias.centered(logits), rng.uniform(0.5, 2, n)
    found = class_scale_bias._minimum(z, y, weight, (20.0, 0.5))
    value, gradient = class_scale_bias.penalized_loss(found, z, y, weight, (20.0, 0.5))
    low, high = 1 / class_scale_bias.HIGHEST, 1 / class_scale_bias.LOWEST
    referee = minimize(
        class_scale_bias.penalized_loss,
        np.concatenate([[1.0], np.zeros(2 * n_classes)]),
        args=(z, y, weight, (20.0, 0.5)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(low, high)] + [(None, None)] * (2 * n_classes),
        options={"maxiter": 5000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-9},
    )
    assert value <= referee.fun + 1e-9 * abs(referee.fun)
    np.testing.assert_allclose(found, referee.x, atol=2e-4)
    assert np.abs(gradient[1:]).max() < 1e-5 * n
