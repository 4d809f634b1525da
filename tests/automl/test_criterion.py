"""What selection minimizes, in the cases that are known, and when one recipe is surely worse than another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import log_loss

from rarebird.automl.criterion import Criterion, is_worse, loss, standard_error
from rarebird.data.dataset import Dataset, Frame
from tests.automl.made_probabilities import CLASSES, GUESS, PRIOR, RNG, N, Y, criterion


def test_without_balance_it_is_the_log_loss() -> None:
    assert loss(criterion(0.0).rows(GUESS)) == pytest.approx(log_loss(Y, GUESS))
    weight = RNG.random(N) + 0.1
    assert loss(criterion(0.0, weight=weight).rows(GUESS)) == pytest.approx(log_loss(Y, GUESS, sample_weight=weight))


def test_the_balanced_criterion_is_the_mean_over_classes_of_the_log_loss_under_equal_priors() -> None:
    even = GUESS / PRIOR
    even /= even.sum(axis=1, keepdims=True)
    surprise = -np.log(even[np.arange(N), Y])
    expected = np.mean([surprise[code == Y].mean() for code in range(CLASSES)])
    assert loss(criterion(1.0).rows(GUESS)) == pytest.approx(expected)
    half = (log_loss(Y, GUESS) + expected) / 2
    assert loss(criterion(0.5).rows(GUESS)) == pytest.approx(half)


def test_the_prior_itself_is_worth_nothing_and_the_truth_costs_nothing() -> None:
    prior = np.tile(PRIOR, (N, 1))
    assert loss(criterion(1.0).rows(prior)) == pytest.approx(np.log(CLASSES))
    assert loss(criterion(0.0).rows(prior)) == pytest.approx(-(PRIOR * np.log(PRIOR)).sum())
    assert loss(criterion(0.5).rows(np.eye(CLASSES)[Y])) == pytest.approx(0)


@pytest.mark.parametrize("balanced", [0.0, 0.5, 1.0])
def test_a_weight_of_two_is_the_row_twice(balanced: float) -> None:
    repeats = RNG.integers(1, 4, N)
    prior = np.bincount(Y, weights=repeats) / repeats.sum()
    heavy = criterion(balanced, weight=repeats.astype(float), prior=prior)
    many = criterion(balanced, y=Y.repeat(repeats), weight=np.ones(repeats.sum()), prior=prior)
    assert loss(heavy.rows(GUESS)) == pytest.approx(loss(many.rows(GUESS.repeat(repeats, axis=0))))


@pytest.mark.parametrize("balanced", [0.0, 0.5, 1.0])
def test_the_scale_of_the_weights_does_not_matter(balanced: float) -> None:
    weight = RNG.random(N) + 0.1
    np.testing.assert_allclose(
        criterion(balanced, weight=9 * weight).rows(GUESS), criterion(balanced, weight=weight).rows(GUESS)
    )


def test_each_class_weighs_the_same_in_the_balanced_part() -> None:
    """Rows of one class repeated thrice leave the balanced loss under even priors as it is, and change the log loss."""
    repeats = np.where(Y == 0, 3, 1)
    prior = np.array([0.2, 0.3, 0.5])
    many = {"y": Y.repeat(repeats), "weight": np.ones(repeats.sum()), "prior": prior}
    others = GUESS.repeat(repeats, axis=0)
    assert loss(criterion(1.0, **many).rows(others)) == pytest.approx(loss(criterion(1.0, prior=prior).rows(GUESS)))
    assert loss(criterion(0.0, **many).rows(others)) != pytest.approx(
        loss(criterion(0.0, prior=prior).rows(GUESS)), rel=1e-3
    )


def test_permuted_classes_lose_the_same() -> None:
    order = np.array([2, 0, 1])
    permuted = criterion(y=np.argsort(order)[Y], prior=PRIOR[order])
    np.testing.assert_allclose(permuted.rows(GUESS[:, order]), criterion().rows(GUESS))


def test_rows_without_a_prediction_are_left_out() -> None:
    known = np.arange(N) % 3 > 0
    holes = np.where(known[:, None], GUESS, np.nan)
    rows = criterion().rows(holes)
    np.testing.assert_array_equal(np.isnan(rows), ~known)
    np.testing.assert_allclose(rows[known], criterion().rows(GUESS)[known])
    assert loss(rows) == pytest.approx(rows[known].mean())
    assert loss(np.full(3, np.nan)) == np.inf


def test_a_class_without_rows_and_certain_errors_stay_finite() -> None:
    wrong = np.eye(CLASSES)[(Y + 1) % CLASSES]
    assert np.isfinite(criterion().rows(wrong)).all()
    few = np.flatnonzero(Y != 2)
    prior = np.bincount(Y[few], minlength=CLASSES) / len(few)
    here = criterion(1.0, y=Y[few], weight=np.ones(len(few)), prior=prior)
    assert np.isfinite(here.rows(GUESS[few])).all()
    assert loss(here.rows(np.eye(CLASSES)[Y[few]])) == pytest.approx(0)
    # The two classes that are there weigh half each.
    assert loss(here.rows(np.tile(prior, (len(few), 1)))) == pytest.approx(np.log(2))


def test_values_lose_their_share_of_the_variance() -> None:
    y, weight = RNG.normal(10, 3, N), RNG.random(N) + 0.1
    values = Criterion(y, weight, np.zeros(0), 0.0)
    mean = np.average(y, weights=weight)
    assert loss(values.rows(np.full((N, 1), mean))) == pytest.approx(1)
    assert loss(values.rows(y[:, None])) == 0
    scaled = Criterion(1000 * y - 7, weight, np.zeros(0), 0.0)
    guess = y + RNG.normal(size=N)
    np.testing.assert_allclose(scaled.rows((1000 * guess - 7)[:, None]), values.rows(guess[:, None]))
    constant = Criterion(np.ones(N), np.ones(N), np.zeros(0), 0.0)
    assert loss(constant.rows(np.ones((N, 1)))) == 0


@pytest.mark.parametrize(
    ("metric", "balanced"),
    [("accuracy", 0.0), ("log_loss", 0.0), ("roc_auc", 0.0), ("balanced_accuracy", 0.5), ("macro_f1", 0.5)],
)
def test_the_metric_decides_how_much_balance(metric: str, balanced: float) -> None:
    data = Dataset(
        "table",
        "classification",
        Frame(pd.DataFrame({"a": Y})),
        np.arange(N),
        Y,
        ("a", "b", "c"),
        np.arange(N).astype(str),
    )
    assert Criterion.of(data, PRIOR, metric).balanced == balanced
    values = replace(data, task="regression", y=Y.astype(float), classes=())
    found = Criterion.of(values, np.zeros(0), "mean_squared_error")
    assert (found.balanced, len(found.prior)) == (0.0, 0)


def test_worse_is_decided_by_paired_differences() -> None:
    base = RNG.random(N)
    noise = RNG.normal(size=N)
    noise -= noise.mean()
    step = noise.std(ddof=1) / np.sqrt(N)
    assert not is_worse(base, base, None)
    # The paired difference counts, not the spread of the losses themselves.
    assert is_worse(base + 1e-6, base, None)
    assert not is_worse(base, base + 1e-6, None)
    assert is_worse(base + noise + 2.1 * step, base, None)
    assert not is_worse(base + noise + 1.9 * step, base, None)
    assert is_worse(base + noise + 1.1 * step, base, None, errors=1.0)
    holes = np.where(np.arange(N) < N - 1, np.nan, base + 9)
    assert not is_worse(holes, base, None)
    assert is_worse(np.where(np.arange(N) % 2, np.nan, base + 1e-6), base, None)


@pytest.mark.parametrize(("groups", "rows"), [(8, 20), (40, 5), (40, 20)])
def test_rows_of_a_group_are_no_independent_evidence(groups: int, rows: int) -> None:
    # Two recipes are equally good on average, but each patient's rows agree on which one is better for this patient.
    rng, group = np.random.default_rng(0), np.repeat(np.arange(groups), rows)
    found = []
    for _ in range(1000):
        difference = rng.normal(size=groups)[group] + 2 * rng.normal(size=groups * rows)
        found.append([is_worse(difference, np.zeros(len(group)), of) for of in (None, group)])
    over_rows, by_group = np.mean(found, axis=0)
    assert over_rows > (0.08 if rows == 5 else 0.15)
    assert by_group <= 0.04


def test_a_sure_difference_is_found_in_groups_and_an_error_over_groups_of_one_row_is_that_over_rows() -> None:
    rng = np.random.default_rng(1)
    difference = rng.normal(size=N)
    assert standard_error(difference, np.arange(N)) == pytest.approx(difference.std(ddof=1) / np.sqrt(N))
    assert standard_error(difference, None) == pytest.approx(difference.std(ddof=1) / np.sqrt(N))
    # Each row ten times, as copies: the error is that of the rows before.
    copied, group = np.repeat(difference, 10), np.repeat(np.arange(N), 10)
    assert standard_error(copied, group) == pytest.approx(difference.std(ddof=1) / np.sqrt(N))
    assert is_worse(copied - copied.mean() + 2.2 * difference.std(ddof=1) / np.sqrt(N), np.zeros(10 * N), group)
    assert not is_worse(np.ones(N), np.zeros(N), np.zeros(N))  # one group


def test_a_criterion_takes_groups_and_copies_from_the_rows_and_keeps_them_for_some() -> None:
    frame = Frame(pd.DataFrame({"a": Y}))
    data = Dataset("table", "classification", frame, np.arange(N), Y, ("a", "b", "c"), np.arange(N).astype(str))
    assert Criterion.of(data, PRIOR, "accuracy").group is None
    group = np.arange(N) // 3
    for labels in ({"group": group}, {"copies": group}):
        found = Criterion.of(replace(data, **labels), PRIOR, "accuracy")
        np.testing.assert_array_equal(found.group, group)
        np.testing.assert_array_equal(found.where(group < 2).group, group[group < 2])


def test_soft_targets_a_metric_of_one_class_and_light_rows_are_served() -> None:
    data = Dataset(
        "table",
        "classification",
        Frame(pd.DataFrame({"a": Y})),
        np.arange(N),
        0.8 * np.eye(3)[Y] + 0.2 / 3,
        ("a", "b", "c"),
        np.arange(N).astype(str),
        weight=np.full(N, 1e-3),
    )
    found = Criterion.of(data, PRIOR, "recall:b")
    assert found.balanced == 0.5
    np.testing.assert_array_equal(found.y, Y)
    np.testing.assert_allclose(found.rows(GUESS), criterion().rows(GUESS))
    # A class of small weight is seen as long as it has any.
    seen = Y < 2
    light = criterion(y=Y[seen], weight=np.full(seen.sum(), 1e-3))
    np.testing.assert_allclose(
        light.rows(GUESS[seen]), criterion(y=Y[seen], weight=np.ones(seen.sum())).rows(GUESS[seen])
    )


def test_a_class_that_no_row_shows_is_left_out_of_the_probabilities_by_hand() -> None:
    y = np.array([0, 1, 0])
    here = Criterion(y, np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.3, 0.2]), 0.0)
    p = np.array([[0.5, 0.25, 0.25], [0.1, 0.3, 0.6], [0.2, 0.2, 0.6]])
    np.testing.assert_allclose(here.rows(p), np.array([1, 2, 3]) / 2 * -np.log([2 / 3, 3 / 4, 1 / 2]))


def test_few_rows_need_students_quantile_of_their_number() -> None:
    """Four rows: three degrees of freedom. Two rows have one; one row says nothing."""
    noise = np.array([-1.0, 1.0, -1.0, 1.0])
    limit = stats.t.ppf(stats.norm.cdf(2.0), 3) * standard_error(noise, None)
    assert standard_error(noise, None) == pytest.approx(np.sqrt(4 / 3 / 4))
    assert is_worse(noise + 1.01 * limit, np.zeros(4), None)
    assert not is_worse(noise + 0.99 * limit, np.zeros(4), None)
    assert is_worse(np.ones(2), np.zeros(2), None)
    assert not is_worse(np.array([0.0, 3.0]), np.zeros(2), None)
    assert standard_error(np.array([0.0, 3.0]), None) == pytest.approx(1.5)
    assert not is_worse(np.ones(1), np.zeros(1), None)
    assert standard_error(np.array([3.0, np.nan]), None) == 0
    assert not is_worse(np.full(3, np.nan), np.zeros(3), None)
