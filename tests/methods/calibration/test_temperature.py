"""Temperature: scipy's optimum, the true T on many rows, and 1 on few."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from rarebird.methods.calibration.temperature import Temperature, _derivatives, best_temperature


def rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, 4))
    p = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
    return logits, (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


@pytest.mark.parametrize("prior_rows", [0.0, 5.0, 500.0])
@pytest.mark.parametrize("scale", [0.3, 1.0, 6.0])
def test_equals_scipys_minimum_of_the_penalized_loss(prior_rows: float, scale: float) -> None:
    logits, y = rows(200)
    weight = np.random.default_rng(1).uniform(0.2, 3, 200)
    w = weight * weight.sum() / (weight**2).sum()

    def objective(b: float) -> float:
        z = b * scale * logits
        return float(w @ (logsumexp(z, axis=1) - z[np.arange(200), y]) + prior_rows * (b - np.log(b)))

    expected = 1 / minimize_scalar(objective, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-10}).x
    assert best_temperature(scale * logits, y, weight, prior_rows) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_finds_the_true_temperature_on_many_rows(true: float) -> None:
    logits, y = rows(20_000)
    assert best_temperature(true * logits, y, np.ones(20_000), 5.0) == pytest.approx(true, rel=0.05)


def test_more_prior_rows_hold_it_nearer_to_one() -> None:
    logits, y = rows(50)
    away = [abs(np.log(best_temperature(3 * logits, y, np.ones(50), k))) for k in (0.0, 5.0, 50.0, 5000.0)]
    assert away == sorted(away, reverse=True)
    assert away[-1] < 0.05


def test_rows_that_are_all_right_or_all_wrong_stay_within_bounds() -> None:
    y = np.arange(40) % 4
    assert best_temperature(5 * np.eye(4)[y], y, np.ones(40), 0.0) == pytest.approx(0.05)
    assert best_temperature(5 * np.eye(4)[(y + 1) % 4], y, np.ones(40), 0.0) == pytest.approx(20)
    assert 0.3 < best_temperature(5 * np.eye(4)[y], y, np.ones(40), 5.0) < 1


def test_ranking_stays() -> None:
    logits, y = rows(100)
    fitted = Temperature().fit(logits, y, np.ones(100), None)
    np.testing.assert_array_equal(fitted(logits).argsort(axis=1), logits.argsort(axis=1))


def test_slope_and_curvature_are_those_of_the_penalized_loss() -> None:
    logits, y = rows(30)
    weight = np.random.default_rng(1).uniform(0.2, 3, 30)
    margins = logits - logits[np.arange(30), y][:, None]

    def objective(b: float) -> float:
        return float(weight @ logsumexp(b * margins, axis=1) + 4 * (b - np.log(b)))

    for b in (0.2, 1.0, 3.0):
        slope, curvature = _derivatives(b, margins, weight, 4.0)
        assert slope == pytest.approx((objective(b + 1e-5) - objective(b - 1e-5)) / 2e-5, rel=1e-5)
        assert curvature == pytest.approx(
            (objective(b + 1e-3) - 2 * objective(b) + objective(b - 1e-3)) / 1e-6, rel=1e-4
        )
    large, _ = _derivatives(1.0, np.array([[0.0, 2000.0]]), np.ones(1), 0.0)
    assert large == pytest.approx(2000)


def test_rows_of_no_weight_or_of_one_class_leave_it_at_one() -> None:
    logits, y = rows(20)
    assert best_temperature(3 * logits, y, np.zeros(20), 5.0) == 1
    assert best_temperature(3 * logits[y == 1], y[y == 1], np.ones((y == 1).sum()), 5.0) == pytest.approx(1)
    assert best_temperature(3 * logits, y, np.ones(20), 0.0) != 1


def test_the_setting_is_the_weight_of_the_prior() -> None:
    logits, y = rows(40)
    weight = np.random.default_rng(1).integers(1, 5, 40).astype(float)
    for prior_rows in (0.5, 50.0):
        fitted = Temperature(prior_rows=prior_rows).fit(3 * logits, y, weight, None)
        assert fitted.temperature == best_temperature(3 * logits, y, weight, prior_rows)
        np.testing.assert_allclose(fitted(logits), logits / fitted.temperature)


@pytest.mark.parametrize("scale", [0.02, 0.1, 10.0, 60.0])
def test_the_minimum_is_found_to_ten_digits_from_far_away(scale: float) -> None:
    """Where it is within the bounds, the slope there is 0."""
    logits, y = rows(300)
    for prior_rows in (0.0, 1.0):
        found = best_temperature(scale * logits, y, np.ones(300), prior_rows)
        margins = scale * (logits - logits[np.arange(300), y][:, None])
        slope, curvature = _derivatives(1 / found, margins, np.ones(300), prior_rows)
        if 0.0501 < found < 19.99:
            assert abs(slope / curvature) < 1e-8 / found
        else:
            assert (slope > 0) == (found > 1)
