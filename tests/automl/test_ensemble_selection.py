"""The final model: an ensemble of families, unless averaging is surely worse than the best family alone; weights come
from other rows than those scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rarebird.automl import ensemble_selection
from rarebird.automl.candidate import Candidate
from rarebird.automl.criterion import Criterion, loss
from rarebird.automl.ensemble_selection import families, select
from tests.automl.made_candidates import CLASSES, CRITERION, LOST, PARTS, PRIOR, ROW_PARTS, N, Y, candidate, good


def chosen(*given: Candidate, parts: np.ndarray = ROW_PARTS) -> ensemble_selection.Selection:
    return select(families(given, CRITERION), CRITERION, parts)


def test_repeats_of_one_name_are_averaged() -> None:
    one, two, other = candidate("a", good(2, 1)), candidate("a", good(2, 2)), candidate("b", good(1, 3))
    first, second = families([one, other, two], CRITERION)
    assert (first.name, second.name) == ("a", "b")
    assert list(first.candidates) == [one, two]
    np.testing.assert_allclose(first.predicted, (one.predicted + two.predicted) / 2)
    np.testing.assert_allclose(first.losses, CRITERION.rows(first.predicted))
    # The log loss is convex: a mean is no worse than its parts are in the mean.
    assert loss(first.losses) <= (one.loss + two.loss) / 2
    np.testing.assert_array_equal(second.predicted, other.predicted)


def test_a_repeat_that_held_out_fewer_rows_adds_to_those() -> None:
    half = np.where((np.arange(N) % 2 == 0)[:, None], good(2, 2), np.nan)
    nowhere = np.where((np.arange(N) > 3)[:, None], good(2, 1), np.nan)
    (family,) = families([candidate("a", nowhere), candidate("a", half)], CRITERION)
    np.testing.assert_allclose(family.predicted[[4, 5]], [(nowhere[4] + half[4]) / 2, nowhere[5]])
    np.testing.assert_array_equal(np.isnan(family.losses[:6]), [False, True, False, True, False, False])


def test_a_single_family_is_the_final_model() -> None:
    found = chosen(candidate("a", good(2, 1)), candidate("a", good(2, 2)))
    assert [family.name for family in found.families] == ["a"]
    assert len(found.families[0].candidates) == 2
    np.testing.assert_array_equal(found.shares, [1])
    assert found.gain == 0
    assert found.why == "The final model: a, with 2 seeds."


def test_an_ensemble_of_one_family_is_named_as_that_family() -> None:
    found = chosen(candidate("a", good(6, 1)), candidate("b", LOST))
    assert [family.name for family in found.families] == ["a"]
    np.testing.assert_array_equal(found.shares, [1])
    assert found.why == "The final model: a; all others were surely worse on held-out rows."


def test_families_that_complement_each_other_are_averaged() -> None:
    half = (np.arange(N) // 7 % 2 == 0)[:, None]
    one, two = candidate("a", np.where(half, good(6, 1), LOST)), candidate("b", np.where(half, LOST, good(6, 2)))
    found = chosen(one, two)
    assert {family.name for family in found.families} == {"a", "b"}
    assert found.shares.sum() == pytest.approx(1)
    assert (found.shares > 0.4).all()
    assert found.gain > 0.5
    assert found.why.startswith("The final model is an ensemble: ")


def test_the_gain_is_scored_with_weights_of_the_other_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    original = ensemble_selection.weights

    def spy(predicted: list[np.ndarray], criterion: Criterion) -> np.ndarray:
        seen.append(criterion.y)
        return original(predicted, criterion)

    monkeypatch.setattr(ensemble_selection, "weights", spy)
    given = [candidate("a", good(2, 1)), candidate("b", good(2, 5)), candidate("c", good(1.8, 3))]
    found = chosen(*given)
    assert [len(y) for y in seen] == [N - N // PARTS] * PARTS + [N]
    alone, mixed = np.zeros(N), np.zeros(N)
    for part in range(PARTS):
        mine, others = part == ROW_PARTS, part != ROW_PARTS
        best = min(given, key=lambda one: float(one.losses[others].mean()))
        alone[mine] = best.losses[mine]
        here = Criterion(Y[others], np.ones(others.sum()), PRIOR, 0.5)
        shares = original([one.predicted[others] for one in given], here)
        mixed[mine] = CRITERION.rows(np.tensordot(shares, [one.predicted for one in given], axes=1))[mine]
    assert found.gain == pytest.approx(alone.mean() - mixed.mean())


def test_a_surely_harmful_average_gives_the_best_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that put much on a family that is always wrong: the ensemble is scored, and not selected."""
    monkeypatch.setattr(ensemble_selection, "weights", lambda predicted, criterion: np.array([0.4, 0.6]))
    found = chosen(candidate("good", good(4, 1)), candidate("lost", LOST))
    assert [family.name for family in found.families] == ["good"]
    np.testing.assert_array_equal(found.shares, [1])
    assert found.gain < 0
    assert "good alone; averaged with others it was surely worse" in found.why


def test_families_that_are_not_surely_worse_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensemble_selection, "weights", lambda predicted, criterion: np.array([0.5, 0.5]))
    found = chosen(candidate("a", good(2, 1)), candidate("b", good(2, 2)))
    np.testing.assert_array_equal(found.shares, [0.5, 0.5])


def test_a_family_without_weight_does_not_ship_and_the_heaviest_comes_first() -> None:
    found = chosen(candidate("lost", LOST), candidate("weak", good(2, 1)), candidate("strong", good(2, 5)))
    assert "lost" not in {family.name for family in found.families}
    assert list(found.shares) == sorted(found.shares, reverse=True)
    assert (found.shares > 0).all()
    assert found.shares.sum() == pytest.approx(1)
    for family, share in zip(found.families, found.shares, strict=True):
        assert f"{family.name} {share:.0%}" in found.why


def test_a_single_part_chooses_and_scores_on_its_own_rows() -> None:
    found = chosen(candidate("a", good(2, 1)), candidate("b", good(2, 2)), parts=np.zeros(N, dtype=np.int64))
    assert found.shares.sum() == pytest.approx(1)
    assert np.isfinite(found.gain)


def test_rows_that_no_family_held_out_change_nothing() -> None:
    known = np.arange(N) % 10 > 0
    holes = [np.where(known[:, None], good(2, seed), np.nan) for seed in (1, 2)]
    some = chosen(candidate("a", holes[0]), candidate("b", holes[1]))
    here = Criterion(Y[known], np.ones(known.sum()), PRIOR, 0.0)
    # On the known rows alone, under the log loss, which knows no classes' masses.
    plain = Criterion(Y, np.ones(N), PRIOR, 0.0)
    given = [candidate("a", holes[0]), candidate("b", holes[1])]
    given = [replace(one, losses=plain.rows(one.predicted)) for one in given]
    with_holes = select(families(given, plain), plain, ROW_PARTS)
    given = [replace(one, predicted=one.predicted[known]) for one in given]
    without = select(families(given, here), here, ROW_PARTS[known])
    np.testing.assert_allclose(with_holes.shares, without.shares)
    assert with_holes.gain == pytest.approx(without.gain)
    assert np.isfinite(some.gain)


def test_regression_families_are_selected_in_the_same_way() -> None:
    y = Y + np.random.default_rng(5).normal(size=N)
    values = Criterion(y, np.ones(N), np.zeros(0), 0.0)
    guesses = [(y + np.random.default_rng(seed).normal(size=N))[:, None] for seed in (1, 2)]
    plain = [candidate(name, np.zeros((N, CLASSES))) for name in "ab"]
    given = [
        replace(one, predicted=guess, losses=values.rows(guess)) for one, guess in zip(plain, guesses, strict=True)
    ]
    found = select(families(given, values), values, ROW_PARTS)
    # Independent errors of one size: the mean has half the squared error.
    assert found.gain == pytest.approx(0.5 * min(one.loss for one in given), rel=0.4)
    assert len(found.families) == 2


def test_a_family_with_one_seed_names_no_seeds_and_a_sure_loser_costs_what_the_parts_say() -> None:
    assert chosen(candidate("a", good(2, 1))).why == "The final model: a."
    best, lost = candidate("a", good(6, 1)), candidate("b", LOST)
    found = chosen(best, lost)
    alone, averaged = ensemble_selection.compare_fairly(families([best, lost], CRITERION), CRITERION, ROW_PARTS)
    assert found.gain == loss(alone) - loss(averaged)


def test_families_stand_in_the_order_of_their_weights_in_the_model_and_in_the_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ensemble_selection, "weights", lambda predicted, criterion: np.array([0.2, 0.0, 0.5, 0.3]))
    found = chosen(*(candidate(name, good(2, seed)) for seed, name in enumerate("abcd")))
    assert [family.name for family in found.families] == ["c", "d", "a"]
    np.testing.assert_array_equal(found.shares, [0.5, 0.3, 0.2])
    assert found.why == "The final model is an ensemble: c 50%, d 30%, a 20%."


def test_an_average_is_refused_for_groups_and_not_for_their_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is worse for one patient of many rows, and a little better for all others."""
    monkeypatch.setattr(ensemble_selection, "weights", lambda predicted, criterion: np.array([0.4, 0.6]))
    patient = (np.arange(N) < N // 4)[:, None]
    right = np.where(np.eye(CLASSES)[Y] > 0, 0.8, 0.2)
    best, other = candidate("best", right), candidate("other", np.where(patient, LOST, right))
    assert len(chosen(best, other).families) == 1
    group = np.where(patient[:, 0], 0, 1 + np.arange(N) // 10)
    grouped = replace(CRITERION, group=group)
    assert len(select(families([best, other], grouped), grouped, ROW_PARTS).families) == 2
