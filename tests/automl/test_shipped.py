"""What a search hands over: the families it chose with their weights, in a recipe that repeats the model bit for
bit."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from rarebird.automl.search import Search
from rarebird.core.clock import Clock
from rarebird.core.progress import silent
from rarebird.data.dataset import Splits
from rarebird.experiment.run import Outcome, finish, run
from rarebird.model import model
from rarebird.model.chain import apply_to_mean
from rarebird.recipe.ensemble import Ensemble, members, of_toml
from rarebird.recipe.recipe import Recipe
from tests.automl.made_runs import FOLDS, perceptron, rows, search, setup

FRESH = rows(50, seed=4)


def base(folds: int) -> Recipe:
    return perceptron(decision="threshold", metric="macro_f1", folds=folds, holdout=None if folds else 0.4, steps=60)


@cache
def shipped(folds: int) -> tuple[Search, Outcome]:
    of = setup(base(folds), test=rows(40, seed=1))
    one = search(of, base(folds))
    recipe, fits = one.shipped()
    return one, finish(recipe, of, fits, Clock(), silent, timings={})


each_protocol = pytest.mark.parametrize("folds", [FOLDS, 0])


@each_protocol
def test_the_recipe_repeats_the_model(folds: int) -> None:
    _, one = shipped(folds)
    two = run(of_toml(one.recipe.to_toml()), Splits(rows(), test=rows(40, seed=1)), device="cpu")
    assert isinstance(two.recipe, Ensemble)
    assert two.recipe == one.recipe
    np.testing.assert_array_equal(two.model.outputs(FRESH), one.model.outputs(FRESH))
    np.testing.assert_array_equal(two.out_of_fold, one.out_of_fold)
    assert (two.result.test, two.result.validation) == (one.result.test, one.result.validation)


@each_protocol
def test_the_model_is_the_weighted_mean_of_the_chosen_families(folds: int) -> None:
    one, outcome = shipped(folds)
    assert one.selection is not None
    assert len(one.selection.families) > 1
    mean, place = np.zeros((50, 2)), 0
    for family, share in zip(one.selection.families, one.selection.shares, strict=True):
        for candidate in family.candidates:
            mine = [member.predict(FRESH, "cpu") for member in outcome.model.members if member.place == place]
            assert len(mine) == len(candidate.models.trained)
            mean += share / len(family.candidates) * np.mean(mine, axis=0)
            place += 1
    assert place == len(members(outcome.recipe))
    np.testing.assert_allclose(outcome.model.outputs(FRESH), apply_to_mean(mean, outcome.model.calibrations), rtol=1e-9)


@each_protocol
def test_repeats_have_other_seeds_and_the_ensemble_has_seed_and_decision_of_the_base_recipe(folds: int) -> None:
    one, outcome = shipped(folds)
    assert one.selection is not None
    for family in one.selection.families:
        seeds = [candidate.models.recipe.seed for candidate in family.candidates]
        assert len(set(seeds)) == len(seeds)
        assert seeds[0] == 0
    recipe = outcome.recipe
    assert (recipe.seed, recipe.metric, type(recipe.decision).name, recipe.folds) == (0, "macro_f1", "threshold", folds)
    assert sum(weight for weight, _ in members(recipe)) == pytest.approx(1)


def test_a_saved_model_of_a_search_predicts_the_same(tmp_path: Path) -> None:
    _, one = shipped(FOLDS)
    one.model.save(tmp_path / "model")
    loaded = model.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.outputs(FRESH), one.model.outputs(FRESH))
    assert loaded.recipe == one.recipe


@each_protocol
def test_tried_recipes_are_listed_with_the_best_first(folds: int) -> None:
    one, _ = shipped(folds)
    assert one.selection is not None
    tried = [row for row in one.tried() if row.loss is not None]
    assert [row.loss for row in tried] == sorted(row.loss for row in tried if row.loss is not None)
    assert {row.name for row in one.tried()} == {"linear", "trees", "mlp"}
    assert tried[0].behind == 0
    assert sum(row.share for row in tried) == pytest.approx(1)
    assert sum(row.runs for row in tried) == len(one.race.finished)


def test_a_search_that_ends_at_once_gives_a_model() -> None:
    of = setup(base(FOLDS), test=rows(40, seed=1))
    one = search(of, base(FOLDS), lambda progress, what: True)
    recipe, fits = one.shipped()
    assert [len(models.trained) for models in fits] == [1]
    outcome = finish(recipe, of, fits, Clock(), silent, timings={})
    assert outcome.result.test is not None
    assert any("ended early" in note for note in one.notes())
    again = run(of_toml(outcome.recipe.to_toml()), Splits(rows(), test=rows(40, seed=1)), device="cpu")
    np.testing.assert_array_equal(again.model.outputs(FRESH), outcome.model.outputs(FRESH))
