"""Trainings in turn: the same numbers as one recipe at a time, the same splits for all after an early end, and no look
at the rows that score."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from rarebird.comparison.course import Course
from rarebird.comparison.remedies import with_remedy
from rarebird.comparison.repeated_splits import BASELINE, RepeatedCrossValidation, _Watch
from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.core.progress import silent
from rarebird.data import split
from rarebird.evaluation.cross_validate import cross_validate
from tests.comparison.made_rows import baseline, rows

METRICS = ("balanced_accuracy", "log_loss")
RECIPES = {BASELINE: baseline(steps=10), "loss=focal": with_remedy(baseline(steps=10), "loss=focal")}


def validation(folds: int = 3) -> RepeatedCrossValidation:
    return RepeatedCrossValidation(rows(), folds, METRICS, seed=4)


def test_the_numbers_are_those_of_each_recipe_scored_by_itself() -> None:
    trained = validation()
    assert trained.run(RECIPES, 0)
    assert trained.run(RECIPES, 1)
    for repeat in (0, 1):
        parts = split.parts(trained.train, split.decide(trained.train, folds=3), 4 + repeat)
        for name, recipe in RECIPES.items():
            alone = cross_validate(recipe.updated(seed=4 + repeat), trained.train, parts, Compute())
            np.testing.assert_array_equal(
                trained.values(name, "log_loss", [repeat]), alone.values("log_loss", trained.train)
            )


def test_differences_are_paired_split_by_split() -> None:
    trained = validation()
    for repeat in (1, 0):
        trained.run(RECIPES, repeat)
    first, second = trained.values(BASELINE, "log_loss"), trained.values("loss=focal", "log_loss")
    assert len(first) == 6
    np.testing.assert_array_equal(trained.differences("loss=focal", "log_loss"), second - first)
    np.testing.assert_array_equal(
        trained.differences(BASELINE, "log_loss", other="loss=focal", repeats=[1]), (first - second)[3:]
    )
    trained.run({"loss=weighted": with_remedy(baseline(steps=10), "loss=weighted")}, 1)
    np.testing.assert_array_equal(
        trained.differences("loss=weighted", "log_loss"), trained.values("loss=weighted", "log_loss") - first[3:]
    )


def test_an_early_end_leaves_the_same_splits_for_all() -> None:
    trained = validation()
    assert not trained.run(RECIPES, 0, progress=lambda share, what: "part 3" in what and "focal" in what)
    assert trained.stopped
    assert [len(trained.values(name, "log_loss")) for name in RECIPES] == [2, 2]
    whole = validation()
    whole.run(RECIPES, 0)
    # Fewer parts calibrate each other, so that the scores differ; the rows are the same.
    np.testing.assert_array_equal(trained.parts(0)[1][1], whole.parts(0)[1][1])


def test_without_the_baseline_half_a_repeat_counts_for_nothing() -> None:
    trained = validation()
    trained.run({BASELINE: RECIPES[BASELINE]}, 0)
    assert not trained.run({"loss=focal": RECIPES["loss=focal"]}, 0, progress=lambda share, what: "part 2" in what)
    assert not len(trained.values("loss=focal", "log_loss"))
    assert len(trained.parts(0)) == 3


def test_a_part_that_would_come_too_late_is_not_begun() -> None:
    trained, begun = validation(), []
    trained.seconds = {"loss=focal": 1e6}
    assert not trained.run(RECIPES, 0, time.monotonic() + 1e5, lambda share, what: bool(begun.append(what)))
    assert not begun
    assert not len(trained.values(BASELINE, "log_loss"))


def test_progress_rises_and_names_what_is_trained() -> None:
    told: list[tuple[float, str]] = []
    validation().run(RECIPES, 0, progress=lambda share, what: bool(told.append((share, what))))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] < 1
    assert told[-1][1] == "repeat 1, part 3 of 3, loss=focal (2 of 2)"


def test_networks_and_references_are_shortened_by_the_same_share() -> None:
    trained, by_epochs = validation(), baseline(steps=None, epochs=6.4)
    trained.course = Course(0.1)
    recipes = {BASELINE: by_epochs, "reference=boosted_trees": with_remedy(by_epochs, "reference=boosted_trees")}
    trained.run(recipes, 0)
    assert [recipe.steps for recipe in trained.laid_out.values()] == [4, 20]  # of 40 steps and 200 rounds


def test_the_labels_of_held_out_rows_do_not_reach_early_stopping() -> None:
    train = rows()
    stopping = {BASELINE: baseline(steps=400, regularization=[{"name": "early_stopping", "patience": 1}])}
    outputs = []
    for turned in (False, True):
        trained = RepeatedCrossValidation(train, 3, METRICS, seed=0)
        parts = trained.parts(0)
        _, held = parts[0]
        y = train.codes.copy()
        if turned:
            y[held] = 1 - y[held]
        changed = RepeatedCrossValidation(replace(train, y=y), 3, METRICS, seed=0)
        changed._parts = {0: parts}
        training = changed._training(stopping[BASELINE], 0, _Watch(silent, None))
        assert training.train_next()
        assert training.models.trained[0].changes  # it stopped early
        _, first = training.first(1)
        outputs.append(first.outputs)
    np.testing.assert_array_equal(*outputs)


def test_a_recipe_that_fails_is_reported_and_the_baseline_may_not() -> None:
    train = rows()
    three = type(train)(
        "table", "classification", train.source, train.index, np.arange(300) % 3, ("a", "b", "c"), train.ids
    )
    trained = RepeatedCrossValidation(three, 3, METRICS, seed=0)
    recipes = {BASELINE: baseline(steps=5), "loss=auc": with_remedy(baseline(steps=5), "loss=auc")}
    assert trained.run(recipes, 0)
    assert "two classes" in trained.failed["loss=auc"]
    assert len(trained.values(BASELINE, "log_loss")) == 3
    with pytest.raises(DataError, match="two classes"):
        RepeatedCrossValidation(three, 3, METRICS, seed=0).run({BASELINE: recipes["loss=auc"]}, 0)
