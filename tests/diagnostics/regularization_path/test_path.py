"""The regularization path: the search along it, and its result for a penalty with a known effect."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.core.progress import silent
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.diagnostics.regularization_path import path as path_module
from rarebird.diagnostics.regularization_path.path import PathOptions, PathSearch, regularization_path
from rarebird.diagnostics.regularization_path.penalty import penalty_of
from rarebird.evaluation.cross_validate import cross_validate
from rarebird.recipe.recipe import Recipe
from rarebird.slots.weights import weights
from rarebird.training.cross_fit import cross_fit_all
from tests.diagnostics.regularization_path.made_rows import recipe, rows


def known(scores: dict[float, float], diverging: float = math.inf) -> Any:
    """A scoring function: five parts with the given mean score and a spread of 0.02."""
    asked: list[tuple[int, float]] = []

    def score(repeat: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
        asked.append((repeat, strength))
        if strength >= diverging:
            raise DataError("it diverged")
        return np.full(5, 0.9), scores.get(strength, 0.5) + 0.02 * np.arange(-2, 3)

    score.asked = asked  # type: ignore[attr-defined]
    return score


def test_stronger_penalties_are_tried_until_one_does_harm() -> None:
    score = known({1: 0.8, 2: 0.8, 4: 0.8, 8: 0.6, 16: 0.8})
    search = PathSearch([1, 2], [4, 8, 16], 1, score, True)
    search.run(None, silent)
    assert [strength for _, strength in score.asked] == [1, 2, 4, 8]
    assert [point.strength for point in search.points] == [1, 2, 4, 8]
    harmed = known({1: 0.8, 2: 0.6})
    PathSearch([1, 2], [4, 8, 16], 1, harmed, True).run(None, silent)
    assert [strength for _, strength in harmed.asked] == [1, 2]
    # Of losses, larger ones are the harm.
    losses = known({1: 0.2, 2: 0.2, 4: 0.4})
    PathSearch([1, 2], [4, 8], 1, losses, False).run(None, silent)
    assert [strength for _, strength in losses.asked] == [1, 2, 4]


def test_repeats_try_the_strengths_of_the_first_split() -> None:
    score = known({1: 0.8, 2: 0.8, 4: 0.5})
    search = PathSearch([1, 2], [4, 8], 2, score, True)
    search.run(None, silent)
    assert score.asked == [(repeat, strength) for repeat in (0, 1) for strength in (1, 2, 4)]


def test_a_strength_that_diverges_is_reported_and_not_tried_again() -> None:
    score = known({1: 0.8, 2: 0.8}, diverging=4)
    search = PathSearch([1, 2], [4, 8], 2, score, True)
    search.run(None, silent)
    assert score.asked == [(0, 1), (0, 2), (0, 4), (1, 1), (1, 2)]
    assert [point.why for point in search.points] == ["", "", "it diverged"]


def test_a_search_that_is_ended_keeps_its_points_and_reports_it() -> None:
    score = known({1: 0.8, 2: 0.8, 4: 0.8})
    search = PathSearch([1, 2, 4], [], 1, score, True)
    search.run(None, lambda progress, what: progress > 0.5)
    assert [point.strength for point in search.points] == [1, 2]
    assert "ended early, before strength 4" in search.notes[0]
    # After the deadline only the requested strengths of the first split are still scored.
    late = known({1: 0.8, 2: 0.8})
    PathSearch([1, 2], [4], 2, late, True).run(-math.inf, silent)
    assert late.asked == [(0, 1), (0, 2)]


def test_l1_from_nothing_to_everything_overfits_first_and_underfits_last() -> None:
    train, base = rows(), recipe()
    found = regularization_path(base, train, penalty_of("l1", base), [1e-4, 0.3, 30.0], options=PathOptions(3))
    weak, middle, strong = found.points
    assert weak.training < middle.training < strong.training
    assert weak.validation - weak.training > 0.15
    assert middle.validation < weak.validation
    # Without weights there is the natural prior alone, on either rows.
    share = train.codes.mean()
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert (strong.training, strong.validation) == pytest.approx((entropy, entropy), abs=0.03)
    assert found.best is found.chosen is middle
    assert found.recipe == base.updated(regularization=[{"name": "l1", "strength": 0.3}])
    assert found.steps == 60
    assert not found.notes


def test_the_positive_class_is_settled_once_from_all_training_rows() -> None:
    train, base = rows(100), recipe(metric="f1", decision="threshold", steps=10)
    label = train.classes[int(np.bincount(train.codes).argmin())]
    penalty = penalty_of("l2", base)
    open_class, named = (
        regularization_path(base, train, penalty, [0.01], options=PathOptions(4, positive=positive)).for_machines()
        for positive in (None, label)
    )
    assert open_class == named
    with pytest.raises(DataError, match="There is no class 'maybe'"):
        regularization_path(base, train, penalty, [0.01], options=PathOptions(4, positive="maybe"))


def test_the_share_of_zeros_grows_with_the_strength_of_l1() -> None:
    train, base = rows(60, useless=3), recipe(steps=40)
    parts = split.parts(train, split.decide(train, folds=2), 0)[:1]
    shares = []
    for strength in (0.0, 0.01, 0.1, 3.0):
        one = penalty_of("l1", base).at(base, strength)
        models = cross_fit_all(one, Splits(train), parts, Compute())
        learned = np.concatenate([weight.detach().numpy().ravel() for weight in weights(models.trained[0].network)])
        shares.append(float((learned == 0).mean()))
    assert shares == sorted(shares)
    assert shares[0] < 0.01
    assert shares[-1] > 0.9


def test_all_strengths_get_the_same_parts_seeds_and_steps_by_one_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    asked: list[tuple[Recipe, Any]] = []

    def recording(one: Recipe, train: Dataset, parts: Any, compute: Compute, **named: Any) -> Any:
        asked.append((one, parts))
        assert named["learned"]
        assert compute.deadline is None
        return cross_validate(one, train, parts, compute, **named)

    monkeypatch.setattr(path_module, "cross_validate", recording)
    base = recipe(steps=None, epochs=3.0, regularization=["early_stopping"], relaid=[[[1, 2]]])
    found = regularization_path(
        base,
        rows(),
        penalty_of("dropout", base),
        [0.0, 0.5],
        options=PathOptions(folds=3, repeats=2),
        compute=Compute(deadline=time.monotonic() + 60),
    )
    timing, path = asked[:2], asked[2:]
    assert {one.steps for one, _ in timing} == {1}
    assert {one.steps for one, _ in path} == {found.steps}
    assert {one.precision for one, _ in path} == {"float32"}
    assert [one.seed for one, _ in path] == [0, 0, 1, 1]
    assert path[0][1] is path[1][1]
    assert path[2][1] is path[3][1]
    assert not np.array_equal(path[0][1][0][1], path[2][1][0][1])
    # Early stopping is off in the path, and the recipe keeps it; recorded step changes of a run are not repeated.
    assert [[type(method).name for method in one.regularization] for one, _ in path] == [["dropout"]] * 4
    assert [type(method).name for method in found.recipe.regularization] == ["early_stopping", "dropout"]
    assert any("Early stopping was off" in note for note in found.notes)
    assert found.recipe.steps is None
    assert found.recipe.relaid == ()


def test_the_same_path_gives_the_same_numbers() -> None:
    train, base = rows(60, useless=2), recipe(steps=10)
    first, second = (
        regularization_path(base, train, penalty_of("l2", base), [0.01, 1.0], options=PathOptions(2)) for _ in range(2)
    )
    assert first == second


def test_a_recipe_that_fails_at_every_strength_is_refused_with_its_own_sentence() -> None:
    base = recipe()
    with pytest.raises(DataError, match="no residual branch to skip"):
        regularization_path(base, rows(), penalty_of("stochastic_depth", base), [0.1, 0.2], options=PathOptions(2))
    with pytest.raises(DataError, match="ended before its first strength"):
        regularization_path(
            base,
            rows(),
            penalty_of("l1", base),
            [0.1, 0.2],
            options=PathOptions(2),
            compute=Compute(progress=lambda share, what: True),
        )
    with pytest.raises(ValueError, match="rising"):
        regularization_path(base, rows(), penalty_of("l1", base), [0.2, 0.1], options=PathOptions(2))
