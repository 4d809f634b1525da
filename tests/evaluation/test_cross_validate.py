"""Judging a recipe by rows that nothing of it has seen, calibrations and decisions included."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

from rarebird.data import split
from rarebird.data.dataset import Dataset, Frame
from rarebird.evaluation import cross_validate
from rarebird.judging import HeldOut
from rarebird.recipe import Recipe


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


@pytest.mark.parametrize("folds", [0, 4])
def test_every_held_out_row_is_judged_once_and_figures_are_scikit_learns(folds: int) -> None:
    train = rows()
    parts = parts_of(train, folds)
    judged = cross_validate.judge(recipe(), train, parts)
    np.testing.assert_array_equal(np.sort(judged.rows), np.sort(np.concatenate([held for _, held in parts])))
    y = train.take(judged.rows).codes
    np.testing.assert_allclose(judged.outputs.sum(axis=1), 1)
    assert judged.value("balanced_accuracy", train) == pytest.approx(balanced_accuracy_score(y, judged.labels))
    assert judged.value("log_loss", train) == pytest.approx(log_loss(y, judged.outputs))
    assert judged.value("roc_auc", train) == pytest.approx(roc_auc_score(y, judged.outputs[:, 1]))
    assert judged.value("recall:yes", train) == pytest.approx((judged.labels[y == 1] == 1).mean())
    assert judged.value("balanced_accuracy", train) > 0.6
    assert len(judged.values("balanced_accuracy", train)) == max(folds, 1)


def test_a_rows_own_label_does_not_reach_the_calibration_and_decision_that_judge_it() -> None:
    train, rng = rows(), np.random.default_rng(3)
    member = np.arange(240) % 4
    logits = rng.normal(size=(240, 2)) + np.eye(2)[train.codes]
    mine = member == 1
    turned = train.codes.copy()
    # Two rows of each class change places, so that the natural prior stays what it is.
    turned[np.flatnonzero(mine & (train.codes == 0))[:2]] = 1
    turned[np.flatnonzero(mine & (train.codes == 1))[:2]] = 0

    def decided(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        held = HeldOut(logits, y, np.ones(240), member)
        return cross_validate._decided(recipe(), held, train, [None] * 4, train, "yes")

    first, second = decided(train.codes), decided(turned)
    np.testing.assert_array_equal(first[0][mine], second[0][mine])
    np.testing.assert_array_equal(first[1][mine], second[1][mine])
    assert not np.array_equal(first[0][~mine], second[0][~mine])


def test_regression_is_judged_in_its_own_unit() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200)})
    train = Dataset("table", "regression", Frame(frame), np.arange(200), 100 + 30 * frame["a"].to_numpy(), (), np.arange(200).astype(str))
    judged = cross_validate.judge(recipe(loss="mean_squared", metric="r2", calibration=[], steps=200), train, parts_of(train, 4))
    assert judged.value("r2", train) > 0.7
    assert judged.outputs.mean() == pytest.approx(100, abs=5)


def test_the_same_recipe_and_parts_give_the_same_numbers() -> None:
    train = rows()
    parts = parts_of(train, 3)
    first, second = (cross_validate.judge(recipe(), train, parts) for _ in range(2))
    np.testing.assert_array_equal(first.outputs, second.outputs)
    assert np.isfinite(first.training)
