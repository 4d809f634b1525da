"""What a budget allows: repeats first, then steps; a plan never asks for more time than there is."""

from __future__ import annotations

import pytest

from rarebird.comparison.planning import PLANNED, Cost, cost_of, plan, scoring_seconds
from rarebird.comparison.remedies import with_remedy
from rarebird.comparison.repeated_splits import RepeatedCrossValidation
from rarebird.data.dataset import Dataset
from tests.comparison.made_rows import baseline, rows

COSTS = [Cost(0.1, 0.01, 100, 0.2), Cost(0.1, 0.02, 100, 0.2), Cost(1.0, 0.0, 1, 0.5)]


def seconds_of(costs: list[Cost], folds: int, steps: int, repeats: int) -> float:
    return repeats * (
        folds * sum(cost.start + cost.step * min(steps, cost.own_steps) for cost in costs)
        + sum(cost.score for cost in costs)
    )


def test_with_time_for_everything_everything_is_planned() -> None:
    needed = seconds_of(COSTS, 5, 100, 3)
    planned = plan(COSTS, 5, 3, needed / PLANNED + 0.01)
    assert (planned.steps, planned.repeats) == (100, 3)


@pytest.mark.parametrize("seconds", [15, 20, 30, 45, 60, 100])
def test_a_plan_fits_and_one_step_more_would_not(seconds: float) -> None:
    planned = plan(COSTS, 5, 3, seconds)
    assert seconds_of(COSTS, 5, planned.steps, planned.repeats) <= PLANNED * seconds
    if planned.steps < 100:
        assert seconds_of(COSTS, 5, planned.steps + 1, planned.repeats) > PLANNED * seconds


def test_repeats_are_given_up_before_networks_are_hardly_trained() -> None:
    quarter = seconds_of(COSTS, 5, 25, 3) / PLANNED
    assert plan(COSTS, 5, 3, quarter + 0.01) == plan(COSTS, 5, 3, quarter + 0.02)
    assert plan(COSTS, 5, 3, quarter + 0.01).repeats == 3
    fewer = plan(COSTS, 5, 3, quarter - 0.5)
    assert fewer.repeats == 2
    assert fewer.steps > 25


def test_steps_that_are_given_stay_and_with_no_time_there_is_still_one() -> None:
    assert plan(COSTS, 5, 3, seconds_of(COSTS, 5, 100, 2) / PLANNED + 0.01, fewest_share=1.0).repeats == 2
    assert plan(COSTS, 5, 3, 0.0) == plan(COSTS, 5, 3, -1.0)
    assert (plan(COSTS, 5, 3, 0.0).steps, plan(COSTS, 5, 3, 0.0).repeats) == (1, 1)


def test_a_short_training_costs_its_own_steps() -> None:
    costs = [Cost(0, 0.01, 100), Cost(0, 1.0, 2)]
    assert plan(costs, 1, 1, (100 * 0.01 + 2 * 1.0) / PLANNED + 0.01).steps == 100


def test_costs_are_for_the_recipes_own_steps(train: Dataset) -> None:
    validation = RepeatedCrossValidation(train, 3, ["balanced_accuracy"], 0)
    by_epochs = baseline(steps=None, epochs=4.0)
    found = cost_of(by_epochs, validation, 1.0)
    assert found.own_steps == round(4 * 200 / 32)
    assert found.step > 0
    assert found.start > 0
    trees = cost_of(with_remedy(by_epochs, "reference=boosted_trees"), validation, 1.0)
    assert (trees.step, trees.own_steps) == (0.0, 1)
    assert scoring_seconds(by_epochs, validation) > 0


@pytest.fixture
def train() -> Dataset:
    return rows()
