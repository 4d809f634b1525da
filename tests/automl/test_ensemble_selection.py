"""Weights of an ensemble's members: what the criterion is in the cases that are known, and what greedy selection must
find."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from rarebird.automl.ensemble_selection import Criterion, greedy, is_worse, loss, weights
from rarebird.data.dataset import Dataset, Frame

N, CLASSES = 120, 3
RNG = np.random.default_rng(0)
Y = RNG.choice(CLASSES, N, p=[0.7, 0.2, 0.1])
PRIOR = np.bincount(Y) / N
GUESS = RNG.dirichlet(np.ones(CLASSES), N)


def criterion(balanced: float = 0.5, **changes: Any) -> Criterion:
    return Criterion(**{"y": Y, "weight": np.ones(N), "prior": PRIOR, "balanced": balanced} | changes)


# Sure of a wrong class.
LOST = 0.98 * np.eye(CLASSES)[(Y + 1) % CLASSES] + 0.01 * np.eye(CLASSES)[Y] + 0.01 * np.eye(CLASSES)[(Y + 2) % CLASSES]


def good(strength: float, seed: int, y: np.ndarray = Y) -> np.ndarray:
    """Probabilities that lean to the true class, each seed with errors of its own."""
    logits = strength * np.eye(CLASSES)[y] + np.random.default_rng(seed).normal(size=(len(y), CLASSES))
    unscaled = np.exp(logits)
    return unscaled / unscaled.sum(axis=1, keepdims=True)


def test_without_balance_it_is_the_log_loss() -> None:
    assert loss(criterion(0.0).rows(GUESS)) == pytest.approx(log_loss(Y, GUESS))
    weight = RNG.random(N) + 0.1
    assert loss(criterion(0.0, weight=weight).rows(GUESS)) == pytest.approx(log_loss(Y, GUESS, sample_weight=weight))


def test_balanced_it_is_the_mean_of_the_classes_own_log_loss_under_even_priors() -> None:
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


def test_rows_that_nobody_predicted_are_left_out() -> None:
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


def test_worse_is_what_is_worse_row_by_row() -> None:
    base = RNG.random(N)
    noise = RNG.normal(size=N)
    noise -= noise.mean()
    step = noise.std(ddof=1) / np.sqrt(N)
    assert not is_worse(base, base)
    # The paired difference counts, not the spread of the losses themselves.
    assert is_worse(base + 1e-6, base)
    assert not is_worse(base, base + 1e-6)
    assert is_worse(base + noise + 2.1 * step, base)
    assert not is_worse(base + noise + 1.9 * step, base)
    assert is_worse(base + noise + 1.1 * step, base, errors=1.0)
    holes = np.where(np.arange(N) < N - 1, np.nan, base + 9)
    assert not is_worse(holes, base)
    assert is_worse(np.where(np.arange(N) % 2, np.nan, base + 1e-6), base)


def test_greedy_finds_the_obviously_best() -> None:
    shares = greedy([good(0.0, 1), good(8.0, 2), good(0.0, 3)], criterion())
    np.testing.assert_array_equal(shares, [0, 1, 0])


def test_greedy_mixes_what_complements_each_other() -> None:
    half = (np.arange(N) % 2 == 0)[:, None]
    one, two = np.where(half, good(5.0, 1), LOST), np.where(half, LOST, good(5.0, 1))
    shares = greedy([one, LOST, two], criterion())
    assert shares.sum() == pytest.approx(1)
    assert (shares[[0, 2]] > 0.4).all()
    mixed = loss(criterion().rows(np.tensordot(shares, [one, LOST, two], axes=1)))
    assert mixed < min(loss(criterion().rows(member)) for member in (one, two))


@pytest.mark.parametrize("seed", range(5))
def test_greedy_is_never_worse_than_its_best_member(seed: int) -> None:
    members = [good(strength, 10 * seed + place) for place, strength in enumerate((0.5, 1.0, 1.5, 1.5))]
    shares = greedy(members, criterion())
    assert (
        loss(criterion().rows(np.tensordot(shares, members, axes=1)))
        <= min(loss(criterion().rows(one)) for one in members) + 1e-12
    )


def test_of_identical_members_the_first_is_taken_once() -> None:
    same = good(2.0, 1)
    np.testing.assert_array_equal(greedy([same, same, same], criterion()), [1, 0, 0])
    np.testing.assert_allclose(weights([same, same], criterion()), [0.75, 0.25])


def test_where_nothing_can_be_judged_shares_are_equal() -> None:
    nothing = np.full((N, CLASSES), np.nan)
    np.testing.assert_allclose(greedy([nothing, nothing], criterion()), [0.5, 0.5])


def test_weights_sum_to_one_and_leave_out_what_is_surely_worse() -> None:
    members = [good(2.0, 1), good(2.0, 2), good(-2.0, 3)]
    assert is_worse(criterion().rows(members[2]), criterion().rows(members[0]))
    found = weights(members, criterion())
    assert found.sum() == pytest.approx(1)
    assert found[2] == 0
    assert (found[:2] >= 0.25 - 1e-9).all()


def test_a_surely_worse_member_that_greedy_picks_keeps_its_picks() -> None:
    """Alone it is surely worse, and yet it knows the rows that the best one does not."""
    knows = (np.arange(N) % 3 == 0)[:, None]
    best, worse = np.where(knows, LOST, good(5.0, 1)), np.where(knows, good(5.0, 1), LOST)
    assert is_worse(criterion().rows(worse), criterion().rows(best))
    picked = greedy([best, worse], criterion())
    assert picked[1] > 0
    np.testing.assert_allclose(weights([best, worse], criterion()), [(picked[0] + 1) / 2, picked[1] / 2])


def test_the_order_of_the_members_does_not_matter() -> None:
    members = [good(strength, place) for place, strength in enumerate((1.0, 2.0, 1.5))]
    order = [2, 0, 1]
    np.testing.assert_allclose(
        weights([members[place] for place in order], criterion()), weights(members, criterion())[order]
    )


def test_a_single_member_has_all_the_weight() -> None:
    np.testing.assert_array_equal(weights([GUESS], criterion()), [1])
