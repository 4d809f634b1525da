"""Scores of a decision: costs by hand, intervals that contain the truth, and what rows show of a promise."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rarebird.evaluation.decision_scores import cost_score, decision_score, decision_summary
from rarebird.evaluation.intervals import ClassPredictions
from rarebird.slots import methods
from rarebird.slots.decisions import Promise

COSTS = np.array([[0.0, 10.0], [1.0, 0.0]])
CLASSES = ("ill", "well")


def scored(y: list[int], predicted: list[int], ill: list[float], **more: Any) -> ClassPredictions:
    p = np.array(ill)
    return ClassPredictions(
        np.array(y),
        np.stack([p, 1 - p], axis=1),
        np.array(predicted),
        more.get("weight"),
        more.get("group"),
        more.get("positive", 0),
    )


def test_costs_are_those_of_the_labels_and_of_the_best_label_for_all() -> None:
    rows = scored([0, 0, 1, 1, 1, 1], [0, 1, 0, 1, 1, 1], [0.9, 0.2, 0.4, 0.1, 0.1, 0.1])
    found = cost_score(rows, COSTS, CLASSES)
    assert found.per_row.value == pytest.approx((10 + 1) / 6)
    assert (found.constant_label, found.constant.value) == ("ill", pytest.approx(4 / 6))
    assert found.most_probable.value == pytest.approx(10 / 6)
    assert found.against_constant.value == pytest.approx((11 - 4) / 6)
    assert found.against_most_probable.value == pytest.approx(1 / 6)
    assert found.curve is not None
    middle = found.curve.factor.index(pytest.approx(1.0))
    # Decided anew: the second row is ill at a probability above 1 / 11, as are rows at .1 and .4.
    assert found.curve.decided[middle] == pytest.approx(4 / 4)
    assert found.curve.most_probable[middle] == pytest.approx(10 / 4)
    assert found.curve.share[middle] == pytest.approx(20 / 24)


def test_weights_count_rows_and_a_perfect_labeling_has_an_interval_with_width() -> None:
    once = cost_score(scored([0, 0, 1, 1], [0, 1, 1, 1], [0.9, 0.2, 0.1, 0.1]), COSTS, CLASSES)
    rows = scored([0, 0, 1], [0, 1, 1], [0.9, 0.2, 0.1], weight=np.array([1.0, 1.0, 2.0]))
    assert cost_score(rows, COSTS, CLASSES).per_row.value == pytest.approx(once.per_row.value)
    perfect = cost_score(scored([0, 1, 1, 1], [0, 1, 1, 1], [0.9, 0.1, 0.1, 0.1]), COSTS, CLASSES).per_row
    assert perfect.value == 0
    assert perfect.low == pytest.approx(0)
    assert perfect.high is not None
    assert perfect.high > 1


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_of_cost_and_difference_contain_the_truth(grouped: bool) -> None:
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(200):
        y = np.repeat([0, 1], [40, 160])
        # Of the ill, .3 are missed, by the most probable class .6; of the well, .1 are called, by the other .05.
        unit = rng.random(200) if not grouped else np.repeat(rng.random(50), 4)
        wrong = np.where(y == 0, unit < 0.3, unit < 0.1)
        probably_wrong = np.where(y == 0, unit < 0.6, unit < 0.05)
        ill = np.where(probably_wrong, y == 1, y == 0) * 0.8 + 0.1
        group = np.repeat(np.arange(50), 4) if grouped else None
        rows = scored(y.tolist(), np.where(wrong, 1 - y, y).tolist(), ill.tolist(), group=group)
        found = cost_score(rows, COSTS, CLASSES)
        truth = 0.2 * 0.3 * 10 + 0.8 * 0.1, 0.2 * (0.3 - 0.6) * 10 + 0.8 * (0.1 - 0.05)
        for estimate, value in zip((found.per_row, found.against_most_probable), truth, strict=True):
            assert estimate.low is not None
            assert estimate.high is not None
            inside.append(estimate.low <= value <= estimate.high)
    coverage = np.reshape(inside, (200, 2)).mean(axis=0)
    assert (coverage >= 0.9).all(), coverage


def test_a_promise_is_compared_with_these_rows() -> None:
    promises = tuple(
        Promise(figure=name, label="ill", asked=0.5, level=0.5, confidence=0.9, rows=20)
        for name in ("precision", "recall", "specificity", "alerts")
    )
    rows = scored([0, 0, 1, 1, 1], [0, 1, 0, 1, 1], [0.9, 0.2, 0.6, 0.1, 0.1])
    found = decision_score(rows, SimpleNamespace(promises=promises), CLASSES)
    assert found is not None
    assert [one.observed.value for one in found.promises] == pytest.approx([1 / 2, 1 / 2, 2 / 3, 2 / 5])


def test_a_decision_without_costs_and_promises_has_no_scores_of_its_own() -> None:
    argmax: Any = methods.load("decision", "argmax")
    rows = scored([0, 1], [0, 1], [0.9, 0.1])
    assert decision_score(rows, argmax.fitted(), CLASSES) is None
    assert decision_summary(("argmax", argmax.fitted()), CLASSES).goal == ""  # type: ignore[union-attr]
    cost: Any = methods.load("decision", "cost")
    assert decision_summary(("cost", cost.fitted(costs=COSTS.tolist())), CLASSES).goal == "the least expected cost"  # type: ignore[union-attr]
    assert decision_summary(None, ()) is None


def test_costs_of_each_row_are_summed_with_their_multiples() -> None:
    rows = scored([0, 0, 1, 1], [0, 1, 0, 1], [0.9, 0.2, 0.4, 0.1])
    cost: Any = methods.load("decision", "cost")
    fitted = cost.fitted(costs=COSTS.tolist(), column="amount", code=0)
    found = decision_score(rows, fitted, CLASSES, np.array([3.0, 0.5, 7.0, 7.0]))
    assert found is not None
    assert found.cost is not None
    # One ill row of half the cost is missed, and one well row is called.
    assert found.cost.per_row.value == pytest.approx((0.5 * 10 + 1) / 4)
    assert found.cost.constant_label == "ill"
    assert found.cost.constant.value == pytest.approx(2 / 4)
    assert found.cost.against_constant.value == pytest.approx((6 - 2) / 4)
    assert found.cost.curve is None
