"""Scores of a recipe on rows that no part of it has seen, calibrations and decisions included."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

from rarebird.core.compute import Compute
from rarebird.data import split
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.evaluation.cross_validate import Predicted, assess, cross_validate
from rarebird.evaluation.held_outputs import HeldOut
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit


def rows(n: int = 240, share: float = 0.25, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(1.5 * y, 1), "b": rng.normal(size=n)})
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def recipe(**changes: object) -> Recipe:
    plain: dict[str, object] = {
        "kind": "table",
        "network": {"name": "mlp", "width": 16, "depth": 1},
        "calibration": ["prior_correction", "temperature", "class_scale_bias"],
        "optimizer": {"name": "adamw", "learning_rate": 1e-2},
        "steps": 60,
        "batch_size": 32,
        "threads": 1,
    }
    return Recipe(**(plain | changes))


def parts_of(train: Dataset, folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return split.parts(train, split.decide(train, folds=folds, holdout=None if folds else 0.4), 0)


def four_models() -> CrossFit:
    """Four networks that answer to no known prior; of each only that is asked."""
    trained: Any = [SimpleNamespace(prior_factor=None, history=[])] * 4
    return CrossFit(recipe(), trained)


@pytest.mark.parametrize("folds", [0, 4])
def test_every_held_out_row_is_found_once_and_figures_are_scikit_learns(folds: int) -> None:
    train = rows()
    parts = parts_of(train, folds)
    found = cross_validate(recipe(), train, parts, Compute())
    np.testing.assert_array_equal(np.sort(found.rows), np.sort(np.concatenate([held for _, held in parts])))
    y = train.take(found.rows).codes
    np.testing.assert_allclose(found.outputs.sum(axis=1), 1)
    assert found.value("balanced_accuracy", train) == pytest.approx(balanced_accuracy_score(y, found.labels))
    assert found.value("log_loss", train) == pytest.approx(log_loss(y, found.outputs))
    assert found.value("roc_auc", train) == pytest.approx(roc_auc_score(y, found.outputs[:, 1]))
    assert found.value("recall:yes", train) == pytest.approx((found.labels[y == 1] == 1).mean())
    assert found.value("balanced_accuracy", train) > 0.6
    assert len(found.values("balanced_accuracy", train)) == max(folds, 1)


def test_a_rows_label_does_not_reach_its_own_calibration_and_decision() -> None:
    train, rng = rows(), np.random.default_rng(3)
    member = np.arange(240) % 4
    logits = rng.normal(size=(240, 2)) + np.eye(2)[train.codes]
    mine = member == 1
    turned = train.codes.copy()
    # Two rows of each class change places, so that the natural prior stays what it is.
    turned[np.flatnonzero(mine & (train.codes == 0))[:2]] = 1
    turned[np.flatnonzero(mine & (train.codes == 1))[:2]] = 0

    def decided(y: np.ndarray) -> Predicted:
        held = HeldOut(np.arange(240), logits, y, np.ones(240), member)
        return assess(four_models(), held, Splits(train), "yes")

    first, second = decided(train.codes), decided(turned)
    np.testing.assert_array_equal(first.outputs[mine], second.outputs[mine])
    np.testing.assert_array_equal(first.labels[mine], second.labels[mine])
    assert not np.array_equal(first.outputs[~mine], second.outputs[~mine])


def test_regression_is_predicted_in_the_targets_unit() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200)})
    train = Dataset(
        "table",
        "regression",
        Frame(frame),
        np.arange(200),
        100 + 30 * frame["a"].to_numpy(),
        (),
        np.arange(200).astype(str),
    )
    found = cross_validate(
        recipe(loss="mean_squared", metric="r2", calibration=[], steps=200), train, parts_of(train, 4), Compute()
    )
    assert found.value("r2", train) > 0.7
    assert found.outputs.mean() == pytest.approx(100, abs=5)


def test_the_same_recipe_and_parts_give_the_same_numbers() -> None:
    train = rows()
    parts = parts_of(train, 3)
    first, second = (cross_validate(recipe(), train, parts, Compute()) for _ in range(2))
    np.testing.assert_array_equal(first.outputs, second.outputs)
    assert np.isfinite(first.training_loss)


@pytest.mark.parametrize("folds", [0, 3])
def test_rows_learned_from_are_found_beside_the_held_out_ones_and_change_nothing_of_them(folds: int) -> None:
    train = rows(120)
    parts = parts_of(train, folds)
    # So many steps on so few rows that a network without regularization knows them by heart.
    plain = recipe(steps=200, network={"name": "mlp", "width": 64, "depth": 2, "dropout": 0.0}, calibration=[])
    alone, both = (cross_validate(plain, train, parts, Compute(), learned=learned) for learned in (False, True))
    assert alone.learned is None
    np.testing.assert_array_equal(alone.outputs, both.outputs)
    np.testing.assert_array_equal(alone.labels, both.labels)
    assert both.learned is not None
    np.testing.assert_array_equal(both.learned.rows, np.concatenate([fit for fit, _ in parts]))
    np.testing.assert_allclose(both.learned.outputs.sum(axis=1), 1)
    assert both.learned.value("balanced_accuracy", train) > 0.9
    assert both.learned.value("balanced_accuracy", train) > both.value("balanced_accuracy", train) + 0.1
    y = train.take(both.learned.rows[both.learned.part == 0]).codes
    mine = both.learned.labels[both.learned.part == 0]
    assert both.learned.value("balanced_accuracy", train, part=0) == pytest.approx(balanced_accuracy_score(y, mine))


def test_rows_learned_from_get_the_calibration_and_decision_of_their_networks_held_out_rows() -> None:
    train, rng = rows(), np.random.default_rng(3)
    member = np.arange(240) % 4
    logits = rng.normal(size=(240, 2)) + np.eye(2)[train.codes]
    held = HeldOut(np.arange(240), logits, train.codes, np.ones(240), member)
    # The same rows with the same logits, asked as rows learned from: whatever is fitted on them would show.
    seen = replace(held, y=1 - train.codes)
    found = assess(four_models(), held, Splits(train), "yes", seen)
    assert found.learned is not None
    np.testing.assert_array_equal(found.learned.outputs, found.outputs)
    np.testing.assert_array_equal(found.learned.labels, found.labels)


def test_values_of_learned_rows_are_in_the_targets_unit() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=150)})
    train = Dataset(
        "table",
        "regression",
        Frame(frame),
        np.arange(150),
        100 + 30 * frame["a"].to_numpy(),
        (),
        np.arange(150).astype(str),
    )
    found = cross_validate(
        recipe(loss="mean_squared", metric="r2", calibration=[], steps=150),
        train,
        parts_of(train, 3),
        Compute(),
        learned=True,
    )
    assert found.learned is not None
    assert found.learned.outputs.mean() == pytest.approx(100, abs=5)
    assert found.learned.value("r2", train) > 0.7


def test_rows_learned_from_are_of_the_classes_that_are_held_out_too() -> None:
    y = np.repeat([0, 1, 2], [40, 40, 2])
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(2.0 * y, 1)})
    train = Dataset(
        "table", "classification", Frame(frame), np.arange(82), y, ("a", "b", "rare"), np.arange(82).astype(str)
    )
    found = cross_validate(recipe(steps=5, calibration=[]), train, parts_of(train, 4), Compute(), learned=True)
    assert found.learned is not None
    for part in range(4):
        seen = set(y[found.learned.rows[found.learned.part == part]])
        assert seen == set(y[found.rows[found.part == part]])
    assert {len(set(y[found.rows[found.part == part]])) for part in range(4)} == {2, 3}


def test_two_class_figures_of_all_parts_are_of_one_class() -> None:
    train = rows(40)
    y = np.concatenate([np.tile([1, 1, 1, 0], 5), [1], np.zeros(19, dtype=np.int64)])  # 1 is rarer, not in part 0
    train, part = replace(train, y=y), np.repeat([0, 1], 20)
    labels = np.ones(40, dtype=np.int64)
    predicted = Predicted(np.arange(40), part, np.full((40, 2), 0.5), labels)
    assert y.mean() < 0.5
    assert predicted.values("precision", train) == pytest.approx([15 / 20, 1 / 20])
