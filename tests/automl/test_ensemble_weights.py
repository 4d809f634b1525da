"""Weights of an ensemble: what greedy selection must find, and what equal shares add."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.automl import ensemble_selection
from rarebird.automl.criterion import is_worse, loss
from rarebird.automl.ensemble_selection import greedy, weights
from tests.automl.made_probabilities import CLASSES, GUESS, LOST, PRIOR, N, Y, criterion, good


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


def test_without_any_prediction_shares_are_equal() -> None:
    nothing = np.full((N, CLASSES), np.nan)
    np.testing.assert_allclose(greedy([nothing, nothing], criterion()), [0.5, 0.5])


def test_weights_sum_to_one_and_leave_out_what_is_surely_worse() -> None:
    members = [good(2.0, 1), good(2.0, 2), good(-2.0, 3)]
    assert is_worse(criterion().rows(members[2]), criterion().rows(members[0]), None)
    found = weights(members, criterion())
    assert found.sum() == pytest.approx(1)
    assert found[2] == 0
    assert (found[:2] >= 0.25 - 1e-9).all()


def test_a_surely_worse_member_that_greedy_picks_keeps_its_picks() -> None:
    """Alone it is surely worse, and yet it knows the rows that the best one does not."""
    knows = (np.arange(N) % 3 == 0)[:, None]
    best, worse = np.where(knows, LOST, good(5.0, 1)), np.where(knows, good(5.0, 1), LOST)
    assert is_worse(criterion().rows(worse), criterion().rows(best), None)
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


def test_weights_count_groups_and_not_rows() -> None:
    """A member that is worse on one patient alone, whose rows are many, is not surely worse."""
    right = np.where(np.eye(len(PRIOR))[Y] > 0, 0.8, 0.2 / (len(PRIOR) - 1))
    patient = np.arange(N) < N // 4
    worse = np.where(patient[:, None], PRIOR, right)
    group = np.where(patient, 0, 1 + np.arange(N) // 20)
    alone, grouped = (weights([right, worse], criterion(group=of)) for of in (None, group))
    assert alone.tolist() == [1.0, 0.0]
    assert grouped.tolist() == [0.75, 0.25]


def greedy_by_the_paper(predicted: list[np.ndarray]) -> np.ndarray:
    """Caruana's selection with replacement, each round in full: the member whose addition gives the smallest loss."""
    picked: list[int] = []
    best = np.inf
    while len(picked) < 20:
        losses = [
            loss(criterion().rows(np.mean([predicted[k] for k in (*picked, new)], axis=0)))
            for new in range(len(predicted))
        ]
        if min(losses) >= best:
            break
        best = min(losses)
        picked.append(losses.index(best))
    return np.bincount(picked, minlength=len(predicted)) / len(picked)


@pytest.mark.parametrize("strengths", [(1.0, 1.0, 1.0), (1.5, 1.2, 1.0, 1.0), (2.0, 1.8, 1.6)])
def test_greedy_shares_are_the_papers(strengths: tuple[float, ...]) -> None:
    members = [good(strength, 3 * place + 1) for place, strength in enumerate(strengths)]
    expected = greedy_by_the_paper(members)
    assert len(set(expected[expected > 0])) > 1, "some member is picked more often than another"
    np.testing.assert_allclose(greedy(members, criterion()), expected)


def test_greedy_ends_after_its_picks(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [good(1.0, place) for place in range(6)]
    monkeypatch.setattr(ensemble_selection, "MOST_PICKS", 3)
    shares = greedy(members, criterion())
    assert (shares > 0).sum() == 3
    np.testing.assert_allclose(shares[shares > 0], 1 / 3)
