"""Metric names: each is known and fits one task, unknown ones get a helpful error, and decisions are scored as the
figures are."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.metrics import confusion
from rarebird.metrics.names import METRICS, decision_metric, metric, metric_for_task

Y = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 2])
ONES = np.ones(6)
CLASSES = ("common", "rare", "a:b")


def test_losses_are_to_be_made_small() -> None:
    assert {name for name, known in METRICS.items() if not known.larger_is_better} == {
        "log_loss",
        "brier_score",
        "expected_calibration_error",
        "mean_squared_error",
        "root_mean_squared_error",
        "mean_absolute_error",
    }
    assert all(known.name == name for name, known in METRICS.items())


@pytest.mark.parametrize("name", [name for name, known in METRICS.items() if known.needs == "labels"])
def test_a_perfect_decision_is_worth_one(name: str) -> None:
    assert decision_metric(name, None, CLASSES)(Y, Y, ONES) == 1.0
    assert decision_metric(name, 1)(Y[:5], Y[:5], ONES[:5]) == 1.0
    assert decision_metric(name, 1)(Y[:5], PREDICTED[:5], ONES[:5]) < 1.0


def test_a_class_is_named_after_the_colon() -> None:
    counts = confusion.tally(Y, PREDICTED, 3, ONES)
    assert decision_metric("recall:rare", None, CLASSES)(Y, PREDICTED, ONES) == confusion.recall(counts)[1]
    assert decision_metric("precision:common", None, CLASSES)(Y, PREDICTED, ONES) == confusion.precision(counts)[0]
    assert decision_metric("f1:a:b", None, CLASSES)(Y, PREDICTED, ONES) == confusion.f1(counts)[2]
    assert metric("recall:rare", CLASSES).needs == "labels"
    # A class that neither the rows nor the predictions show.
    assert decision_metric("precision:a:b", None, CLASSES)(Y[:5], PREDICTED[:5], ONES[:5]) == 0.0


def test_positive_matters_for_two_classes_only() -> None:
    two = Y[:5], PREDICTED[:5], ONES[:5]
    assert decision_metric("recall", 1, CLASSES[:2])(*two) == 0.5
    assert decision_metric("recall", 0, CLASSES[:2])(*two) == pytest.approx(2 / 3)
    balanced = decision_metric("balanced_accuracy", None, CLASSES)(Y, PREDICTED, ONES)
    assert decision_metric("recall", 1, CLASSES)(Y, PREDICTED, ONES) == balanced


def test_weights_count() -> None:
    score = decision_metric("accuracy", None)
    assert score(Y, PREDICTED, np.array([0.0, 0, 0, 0, 0, 5])) == 1.0
    assert score(Y, PREDICTED, np.array([2.0, 1, 1, 1, 1, 1])) == score(np.r_[0, Y], np.r_[0, PREDICTED], np.ones(7))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("balanced_acuracy", "did you mean 'balanced_accuracy'"),
        ("recal:rare", "did you mean 'recall:rare'"),
        ("recall:rar", "did you mean 'rare'"),
        ("accuracy:rare", "There is no metric 'accuracy:rare'"),
        ("roc_auc", "does not judge decisions"),
        ("r2", "does not judge decisions"),
    ],
)
def test_unfit_names_are_answered_kindly(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        decision_metric(name, None, CLASSES)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_fits_one_task_and_is_refused_for_the_other(name: str) -> None:
    fitting, other = (
        ("classification", "regression") if METRICS[name].needs != "values" else ("regression", "classification")
    )
    assert metric_for_task(name, fitting, CLASSES) == METRICS[name]
    with pytest.raises(DataError, match=f"The metric '{name}' does not judge {other}; use one of ") as refused:
        metric_for_task(name, other)
    listed = str(refused.value).partition("use one of ")[2].rstrip(".").split(", ")
    assert listed == [known for known in METRICS if (METRICS[known].needs == "values") == (other == "regression")]


def test_a_class_of_its_own_fits_classification() -> None:
    assert metric_for_task("recall:rare", "classification", CLASSES).needs == "labels"
    with pytest.raises(DataError, match="did you mean 'rare'"):
        metric_for_task("recall:rar", "classification", CLASSES)
