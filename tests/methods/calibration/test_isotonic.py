"""Isotonic: steps and knots by hand, the best rising function of scikit-learn, and the same curve on tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.isotonic import IsotonicRegression

from rarebird.methods.calibration.isotonic import FARTHEST, FittedIsotonic, Isotonic, _curve, _steps


def logit(p: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(p / (1 - p)))


def two(z: np.ndarray) -> np.ndarray:
    """Logits of two classes with log-odds `z` of the second."""
    return np.stack([np.zeros(len(z)), z], axis=1)


CURVE = FittedIsotonic(
    stated=((-1.0, 0.0, 3.0), (), (-2.0, 1.0)),
    observed=((-3.0, 0.5, 1.5), (), (0.0, 0.0)),
)


def test_a_curve_is_linear_between_its_knots_and_shifted_beyond_them() -> None:
    """Of the classes with curves, each has its own log-odds; the third keeps its odds against them."""
    z = np.array([-5.0, -1.0, -0.5, 0.0, 1.5, 3.0, 4.0])
    logits = np.stack([z, np.full(7, 7.0), np.zeros(7)], axis=1).astype(np.float32)
    mapped = CURVE(logits)
    assert mapped.dtype == np.float64
    first, last = [-7, -3, -1.25, 0.5, 1, 1.5, 2.5], np.array([0, 0, 0, 0, 0, -1, -2])
    # Below -2 and above 1 the last is shifted: its log-odds are -z.
    last = np.where(-z > 1, -z - 1, np.where(-z < -2, -z + 2, 0))
    np.testing.assert_allclose(mapped[:, 0], np.log(1 / (1 + np.exp(-np.array(first)))), atol=1e-6)
    np.testing.assert_allclose(mapped[:, 2], np.log(1 / (1 + np.exp(-last))), atol=1e-6)
    np.testing.assert_allclose(mapped[:, 1], 7 - np.log(1 + np.exp(z)), atol=1e-6)
    tensors = CURVE.on_tensors(torch.from_numpy(logits.astype(np.float64))).numpy()
    np.testing.assert_allclose(tensors, CURVE(logits.astype(np.float64)), atol=1e-12)


def test_two_knots_at_one_place_are_a_jump_on_tensors_too() -> None:
    """Two steps of rows that are as good as certain are both at the end of the scale."""
    curve = FittedIsotonic(
        stated=((-1.0, 0.0, 0.0, 2.0), (-2.0, 0.0, 0.0, 1.0)), observed=((-1.0, 0.0, 1.0, 2.0), (-2.0, -1.0, 0.0, 1.0))
    )
    logits = two(np.array([-3.0, -1.0, -0.25, 0.0, 0.25, 1.0, 5.0]))
    np.testing.assert_allclose(curve.on_tensors(torch.from_numpy(logits)).numpy(), curve(logits), atol=1e-12)
    odds = np.array([3.0, 1.5, 1.125, 1.0, -0.25])
    np.testing.assert_allclose(curve(logits)[[0, 1, 2, 3, 4], 0], -np.log1p(np.exp(-odds)), atol=1e-12)


def test_steps_of_certain_rows_are_the_same_on_tensors() -> None:
    far = np.repeat([-29.5, -28.0, -3.0, 3.0, 28.0, 29.5], 50)
    y = (np.arange(300) % 50 < np.repeat([0, 10, 15, 30, 35, 45], 50)).astype(int)
    fitted = Isotonic().fit(two(far), y, np.ones(300), None)
    logits = two(np.linspace(-40, 40, 321))
    mapped, tensors = fitted(logits), fitted.on_tensors(torch.from_numpy(logits)).numpy()
    np.testing.assert_allclose(tensors, mapped, atol=1e-11)
    assert np.isfinite(mapped).all()


def test_fewer_than_two_curves_change_nothing_and_others_counts_are_refused() -> None:
    logits = np.arange(6, dtype=np.float32).reshape(2, 3)
    one = FittedIsotonic(stated=((), (0.0, 1.0), ()), observed=((), (2.0, 3.0), ()))
    np.testing.assert_array_equal(one(logits), logits)
    assert one(logits).dtype == np.float64
    np.testing.assert_array_equal(one.on_tensors(torch.from_numpy(logits)).numpy(), logits)
    with pytest.raises(ValueError, match=r"one curve per class.*got classes=2, curves=3, values=3"):
        one(logits[:, :2])
    with pytest.raises(ValueError, match="got classes=3, curves=3, values=2"):
        FittedIsotonic(stated=((), (), ()), observed=((), ()))(logits)


def test_knots_are_the_steps_means_and_their_shares_by_hand() -> None:
    """Three steps of 30 rows; 2, 15 and 30 of them are hits, beside 6 rows that are as stated."""
    p, hits = np.array([0.2, 0.4, 0.9]), np.array([2, 15, 30])
    odds = np.repeat(logit(p), 30)
    hit = np.arange(90) % 30 < np.repeat(hits, 30)
    stated, observed = _curve(odds, hit, np.ones(90), 6.0)
    np.testing.assert_allclose(stated, logit(p))
    np.testing.assert_allclose(observed, logit((hits + 6 * p) / 36))
    # A row of weight k is k rows.
    times = np.random.default_rng(0).integers(1, 4, 90)
    copies = np.repeat(np.arange(90), times)
    weighted = _curve(odds, hit, times.astype(float), 6.0)
    np.testing.assert_allclose(weighted, _curve(odds[copies], hit[copies], np.ones(len(copies)), 6.0))


def test_a_share_never_falls_where_the_stated_frequencies_pull() -> None:
    """Three steps whose shares rise less than what is stated."""
    p = np.repeat([0.3, 0.31, 0.32], 25)
    hit = np.arange(75) % 25 < np.repeat([0, 3, 4], 25)
    stated, observed = _curve(logit(p), hit, np.ones(75), 50.0)
    assert len(stated) == 3
    assert (np.diff(stated) > 0).all()
    assert (np.diff(observed) >= 0).all()
    np.testing.assert_allclose(observed, logit((np.array([0, 3, 4]) + 50 * np.array([0.3, 0.31, 0.32])) / 75))


@pytest.mark.parametrize(("n", "fewest"), [(300, 20), (2400, 40)])
def test_steps_are_those_of_the_best_rising_function_joined_to_hold_enough_rows(n: int, fewest: int) -> None:
    rng = np.random.default_rng(1)
    p = rng.random(n).round(2)
    weight, hit = rng.integers(1, 3, n).astype(float), rng.random(n) < p**2
    steps = _steps(p, hit, weight)
    order = np.argsort(p, kind="stable")
    assert (np.diff(steps[order]) >= 0).all()
    assert sorted(set(steps)) == list(range(steps.max() + 1))
    rows = np.bincount(steps, weight)
    # A sixtieth of the rows, or 20.
    least = max(20, weight.sum() / 60)
    assert least >= fewest
    assert rows.min() >= least
    # By hand: a step ends at a rise of scikit-learn's function once it and the rest hold enough rows.
    rising = IsotonicRegression().fit(p, hit, sample_weight=weight).predict(np.unique(p))
    each = np.array([weight[p == value].sum() for value in np.unique(p)])
    number, held, expected = 0, 0.0, []
    for at in range(len(each)):
        if at and rising[at] > rising[at - 1] + 1e-12 and held >= least and each[at:].sum() >= least:
            number, held = number + 1, 0.0
        held += each[at]
        expected.append(number)
    assert expected[-1] > 3
    np.testing.assert_array_equal(steps, np.array(expected)[np.searchsorted(np.unique(p), p)])


def test_one_row_less_than_twenty_is_no_step() -> None:
    for first, last, count in ((20, 20, 2), (19, 20, 1), (20, 19, 1)):
        p, hit = np.repeat([0.2, 0.8], [first, last]), np.repeat([False, True], [first, last])
        assert len(set(_steps(p, hit, np.ones(first + last)))) == count
        # The same rows with hits that fall are one step.
        assert len(set(_steps(p, ~hit, np.ones(first + last)))) == 1


def test_a_fit_has_a_curve_per_shown_class_of_its_log_odds_among_these() -> None:
    rng = np.random.default_rng(2)
    logits, y = rng.normal(size=(400, 3)).astype(np.float32), rng.choice([0, 2], 400)
    weight = rng.integers(0, 3, 400).astype(float)
    fitted = Isotonic(prior_rows=8).fit(logits, y, weight, None)
    odds = logits[:, 2].astype(float) - logits[:, 0]
    assert (fitted.stated[1], fitted.observed[1]) == ((), ())
    for code, own in ((0, -odds), (2, odds)):
        used = weight > 0
        expected = _curve(own[used], (y == code)[used], weight[used], 8.0)
        np.testing.assert_allclose((fitted.stated[code], fitted.observed[code]), expected, atol=1e-9)
    certain = Isotonic().fit(
        two(np.repeat([-100.0, -FARTHEST, 100.0], 30)), np.repeat([0, 1, 1], 30), np.ones(90), None
    )
    # Log-odds beyond 30 are 30: 60 rows with 30 hits, and 5 rows as stated.
    np.testing.assert_allclose([certain.observed[1][0], certain.observed[0][-1]], logit(np.array([30, 35]) / 65))
    only = Isotonic().fit(logits, np.full(400, 1), np.ones(400), None)
    assert only.stated == only.observed == ((), (), ())
