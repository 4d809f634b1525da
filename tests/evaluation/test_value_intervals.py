"""Intervals of errors of predicted numbers: made by hand, weights, groups, and the edge where no row is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.value_intervals import value_estimates
from rarebird.metrics.uncertainty import wilson


def ends(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


def made(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    return y, y + 0.5 * rng.normal(size=n)


@pytest.mark.parametrize("size", [1, 4])
def test_the_intervals_are_students_on_the_logarithm_by_groups(size: int) -> None:
    y, predicted = made(200)
    group = np.repeat(np.arange(200 // size), size)
    predicted = predicted + np.random.default_rng(1).normal(size=200 // size)[group]
    found = value_estimates(y, predicted, np.ones(200), group)
    k = 200 // size
    squared, around = (y - predicted) ** 2, (y - y.mean()) ** 2
    for name, errors, spread in (
        ("mean_squared_error", squared, None),
        ("mean_absolute_error", np.abs(y - predicted), None),
        ("r2", squared, around),
    ):
        influence = errors / errors.mean() - (1 if spread is None else spread / spread.mean())
        sums = influence.reshape(k, size).sum(axis=1) / 200
        width = stats.t.ppf(0.975, k - 1) * np.sqrt((sums**2).sum() * k / (k - 1))
        ratio = errors.mean() / (1 if spread is None else spread.mean())
        low, high = ratio * np.exp(-width), ratio * np.exp(width)
        expected = (low, high) if spread is None else (1 - high, 1 - low)
        assert ends(found[name]) == pytest.approx(expected), name
    assert ends(found["root_mean_squared_error"]) == pytest.approx(np.sqrt(ends(found["mean_squared_error"])))


def test_a_groups_rows_count_as_one_and_widen_every_interval() -> None:
    y, predicted = made(60)
    y, predicted, group = np.repeat(y, 5), np.repeat(predicted, 5), np.repeat(np.arange(60), 5)
    grouped = value_estimates(y, predicted, np.ones(300), group)
    single = value_estimates(y[::5], predicted[::5], np.ones(60), None)
    blind = value_estimates(y, predicted, np.ones(300), None)
    for name in grouped:
        assert grouped[name].value == pytest.approx(single[name].value)
        assert ends(grouped[name]) == pytest.approx(ends(single[name]), rel=0.01), name
        assert np.diff(ends(grouped[name])) > 1.8 * np.diff(ends(blind[name])), name


def test_equal_weights_of_any_size_are_no_weights_and_rows_without_weight_are_no_rows() -> None:
    y, predicted = made(40)
    plain = value_estimates(y, predicted, np.ones(40), None)
    heavy = value_estimates(np.append(y, 9.0), np.append(predicted, -9.0), np.append(np.full(40, 7.0), 0.0), None)
    for name in plain:
        assert ends(heavy[name]) == pytest.approx(ends(plain[name])), name


def test_few_rows_with_equal_errors_have_at_least_the_noise_of_a_few_normal_ones() -> None:
    y = np.arange(5.0)
    low, high = ends(value_estimates(y, y + 1, np.ones(5), None)["mean_squared_error"])
    assert low < 0.5
    assert high > 2


@pytest.mark.parametrize(("n", "groups"), [(5, None), (200, None), (20, 4)])
def test_a_perfect_prediction_has_an_interval_with_width(n: int, groups: int | None) -> None:
    y = np.arange(n, dtype=float)
    group = None if groups is None else np.arange(n) % groups
    found = value_estimates(y, y, np.ones(n), group)
    share = float(wilson(0.0, groups or n)[1])
    assert ends(found["mean_squared_error"]) == pytest.approx((0, share * y.var()))
    assert ends(found["mean_absolute_error"]) == pytest.approx((0, share * np.abs(y - y.mean()).mean()))
    assert ends(found["r2"]) == pytest.approx((1 - share, 1))


def test_one_unit_has_a_value_and_no_interval() -> None:
    y, predicted = made(6)
    found = value_estimates(y, predicted, np.ones(6), np.zeros(6))
    assert found["mean_absolute_error"].value == pytest.approx(np.abs(y - predicted).mean())
    assert found["mean_absolute_error"].low is None
    assert value_estimates(np.ones(4), np.arange(4.0), np.ones(4), None)["r2"] == Estimate(value=None)


@pytest.mark.parametrize(("n", "size"), [(5, 1), (20, 1), (40, 5)])
def test_the_intervals_contain_the_truth_about_as_often_as_they_say(n: int, size: int) -> None:
    rng = np.random.default_rng(n)
    truth = {"mean_squared_error": 0.25, "mean_absolute_error": 0.5 * np.sqrt(2 / np.pi), "r2": 0.8}
    inside = dict.fromkeys(truth, 0)
    for _ in range(300):
        group = np.arange(n) // size
        shared = rng.normal(size=n)[group] if size > 1 else rng.normal(size=n)
        predicted = rng.normal(size=n)
        y = predicted + 0.5 * (np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.normal(size=n))
        found = value_estimates(y, predicted, np.ones(n), group)
        for name, value in truth.items():
            low, high = ends(found[name])
            inside[name] += low <= value <= high
    # A percentile bootstrap is at .74 and .83 (5 rows) and at .82 (groups of 5).
    assert all(count / 300 > 0.88 for count in inside.values()), inside
