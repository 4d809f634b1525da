"""Distillation: targets between labels and the members' predictions, out of fold wherever a network held the row
out."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.compression import distillation
from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data import split
from rarebird.data.dataset import Dataset, Frame, Splits, Unlabeled
from rarebird.model.model import Member
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit


def rows(n: int = 40, regression: bool = False) -> Dataset:
    y: Any = np.linspace(0, 1, n) if regression else np.arange(n) % 2
    frame = Frame(pd.DataFrame({"a": np.arange(n, dtype=float)}))
    task = "regression" if regression else "classification"
    return Dataset("table", task, frame, np.arange(n), y, () if regression else ("a", "b"), np.arange(n).astype(str))


class Constant:
    """A member that predicts the same for every row."""

    def __init__(self, *predicted: float) -> None:
        self.predicted = np.array(predicted)
        self.prepared = SimpleNamespace(spec=SimpleNamespace(n_outputs=len(predicted)))

    def predict(self, data: Dataset, device: str) -> np.ndarray:
        return np.tile(self.predicted, (len(data), 1))


def models(members: int, held: list[np.ndarray], weight: float = 1.0) -> CrossFit:
    trained: Any = [SimpleNamespace(own_outputs=None)] * members
    return CrossFit(Recipe(kind="table", network="mlp"), trained, held, weight)


def test_a_row_is_taught_by_the_network_that_held_it_out() -> None:
    train, half = rows(), np.arange(40) < 20
    members: Any = [Constant(0.9, 0.1), Constant(0.2, 0.8)]
    predicted = distillation.teacher_predictions(
        Splits(train), [models(2, [np.flatnonzero(half), np.flatnonzero(~half)])], members, "cpu"
    )
    np.testing.assert_allclose(predicted[half], np.tile([0.9, 0.1], (20, 1)))
    np.testing.assert_allclose(predicted[~half], np.tile([0.2, 0.8], (20, 1)))


def test_a_row_that_no_member_held_out_is_predicted_by_all() -> None:
    members: Any = [Constant(0.9, 0.1), Constant(0.2, 0.8)]
    predicted = distillation.teacher_predictions(
        Splits(rows()), [models(2, [np.arange(5), np.arange(5, 10)])], members, "cpu"
    )
    np.testing.assert_allclose(predicted[10:], np.tile([0.55, 0.45], (30, 1)))


def test_recipes_count_by_their_weights() -> None:
    everything = [np.arange(40)]
    members: Any = [Constant(1.0, 0.0), Constant(0.0, 1.0)]
    predicted = distillation.teacher_predictions(
        Splits(rows()), [models(1, everything, 3.0), models(1, everything, 1.0)], members, "cpu"
    )
    np.testing.assert_allclose(predicted, np.tile([0.75, 0.25], (40, 1)))


@pytest.mark.parametrize("regression", [False, True])
def test_targets_are_between_label_and_prediction_and_held_out_rows_keep_labels(regression: bool) -> None:
    train = rows(regression=regression)
    members: Any = [Constant(0.5) if regression else Constant(0.5, 0.5)]
    found = distillation.student_rows(Splits(train), [models(1, [np.arange(40)])], members, "cpu", 0)
    soft, held_out = found.train, found.val
    assert held_out is not None
    assert soft.y is not None
    assert train.y is not None
    assert len(soft) + len(held_out) == 40
    assert not set(soft.index) & set(held_out.index)
    np.testing.assert_array_equal(held_out.y, train.y[held_out.index])
    if regression:
        np.testing.assert_allclose(soft.y, (train.y[soft.index] + 0.5) / 2)
    else:
        np.testing.assert_allclose(soft.y.sum(axis=1), 1)
        np.testing.assert_allclose(soft.y[np.arange(len(soft)), train.codes[soft.index]], 0.75)


def test_given_validation_rows_score_the_student() -> None:
    train, val = rows(), rows(10)
    found = distillation.student_rows(Splits(train, val), [models(1, [np.arange(10)])], [Constant(0.5, 0.5)], "cpu", 0)  # type: ignore[list-item]
    assert found.val is val
    assert len(found.train) == 40


def pool(n: int, source: Dataset) -> Unlabeled:
    bare = rows(n)
    return Unlabeled(replace(bare, y=None, classes=source.classes), n, absent=(), fingerprint="")


def test_rows_without_labels_are_taught_by_all_members_and_judge_nothing() -> None:
    members: Any = [Constant(0.9, 0.1), Constant(0.2, 0.8)]
    halves = [np.arange(20), np.arange(20, 40)]
    given = Splits(rows(), unlabeled=pool(7, rows()))
    found = distillation.student_rows(given, [models(2, halves)], members, "cpu", 0)
    alone = distillation.student_rows(Splits(rows()), [models(2, halves)], members, "cpu", 0)
    assert found.unlabeled is None
    assert found.train.y is not None
    assert found.val is not None
    assert alone.val is not None
    np.testing.assert_array_equal(found.val.index, alone.val.index)
    np.testing.assert_array_equal(found.train.y[:-7], alone.train.y)
    np.testing.assert_allclose(found.train.y[-7:], np.tile([0.55, 0.45], (7, 1)))
    weighted = distillation.student_rows(
        given, [models(1, [np.arange(40)], 3.0), models(1, [np.arange(40)])], members, "cpu", 0
    ).train.y
    assert weighted is not None
    np.testing.assert_allclose(weighted[-7:], np.tile([0.725, 0.275], (7, 1)))


def test_standardized_targets_do_not_depend_on_how_sure_a_teacher_is() -> None:
    two = rows(30)
    train = replace(two, y=np.arange(30) % 3, classes=("a", "b", "c"))
    teaching, found = distillation.Teaching(hard_share=0.0, temperature=2.0, standardized=True), []
    held = [models(1, [np.arange(30)])]
    for power in (1.0, 4.0):
        p = np.array([0.5, 0.3, 0.2]) ** power
        members: Any = [Constant(*(p / p.sum()))]
        found.append(distillation.student_rows(Splits(train), held, members, "cpu", 0, teaching).train.y)
    assert found[0] is not None
    assert found[1] is not None
    np.testing.assert_allclose(found[0], found[1])
    recipe = distillation.student_recipe(Recipe(kind="table", network="mlp"), teaching)
    assert recipe.loss.model_dump()["standardized"]
    members = [Constant(0.5, 0.5)]
    with pytest.raises(DataError, match="leave out --standardize"):
        distillation.student_rows(Splits(two), held, members, "cpu", 0, teaching)


def test_an_even_student_of_skewed_rows_knows_the_natural_prior_before_it_is_calibrated() -> None:
    """Labels and predictions that know nothing but the prior: draws, targets and loss even the classes once."""
    train = replace(rows(200), y=(np.arange(200) % 10 == 0).astype(np.int64))
    members: Any = [Constant(0.9, 0.1)]
    teaching = distillation.Teaching(balanced=True)
    recipe = Recipe(kind="table", network="linear", loss="logit_adjusted", batch_size=50, threads=1)
    recipe = recipe.with_settings(["optimizer.learning_rate=0.1"])
    assert distillation.taught_evenly(recipe, teaching)
    taught = distillation.student_rows(Splits(train), [models(1, [np.arange(200)])], members, "cpu", 0, teaching)
    student = distillation.student_recipe(recipe, teaching, steps=100)
    fit = distillation.train_student(student, taught, Compute(), distillation.even_factor(train))
    (trained,) = fit.trained
    assert trained.prior_factor is not None
    even = Member(trained.network, trained.prepared).predict(train, "cpu")
    natural = even / trained.prior_factor
    assert abs(float(np.mean(natural[:, 1] / natural.sum(axis=1))) - 0.1) < 0.03


@pytest.mark.parametrize(
    "own",
    [
        {"batch_sampling": "square_root"},
        {"stages": [{}, {"overrides": {"batch_sampling": {"name": "class_balanced"}}}]},
        {"loss": "mean_squared"},
    ],
)
def test_a_recipe_with_draws_of_its_own_keeps_them_and_natural_targets(own: dict[str, Any]) -> None:
    recipe = Recipe(kind="table", network="linear", **own)
    assert not distillation.taught_evenly(recipe, distillation.Teaching(balanced=True))
    unchanged = distillation.student_recipe(recipe, distillation.Teaching())
    assert (unchanged.loss, unchanged.batch_sampling, unchanged.stages) == (
        recipe.loss,
        recipe.batch_sampling,
        recipe.stages,
    )


def test_a_student_has_the_patience_of_several_trainings() -> None:
    recipe = Recipe(kind="table", network="linear", epochs=5.0)
    assert distillation.patient(recipe).epochs == 5.0 * distillation.PATIENCE
    assert distillation.patient(recipe.updated(steps=30)).steps == 30 * distillation.PATIENCE


def test_members_with_one_hold_out_share_it_with_their_student() -> None:
    train = rows(100)
    learned, held = (side.nonzero()[0] for side in split.sides(train, 0.3, 5))
    one = replace(models(1, [held]), recipe=Recipe(kind="table", network="mlp", folds=0, holdout=0.3))
    assert distillation.common_holdout(Splits(train), [one, one], 5) == 0.3
    own, val = distillation.own_rows(Splits(train), [one, one], 5)
    np.testing.assert_array_equal(own, learned)
    np.testing.assert_array_equal(val.index, held)
    # Another seed gives another hold-out, and members of folds have none in common.
    for fits, seed in (([one], 6), ([one, models(2, [held[:9], held[9:]])], 5)):
        assert distillation.common_holdout(Splits(train), fits, seed) is None
        assert len(distillation.own_rows(Splits(train), fits, seed)[1]) == 20
