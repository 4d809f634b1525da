"""What a budget allows: repeats first, then steps; a plan never asks for more time than there is."""

from __future__ import annotations

import pytest

from rarebird.comparison.course import Course
from rarebird.comparison.planning import (
    MEASURING_SHARE,
    PLANNED,
    Cost,
    Plan,
    cost_of,
    course_of_given_steps,
    plan,
    scoring_seconds,
    seconds_for_verdicts,
)
from rarebird.comparison.remedies import with_remedy
from rarebird.comparison.repeated_splits import RepeatedCrossValidation
from rarebird.core.clock import Clock
from rarebird.core.clock import seconds_of as seconds_of_budget
from rarebird.data.dataset import Dataset
from tests.comparison.made_rows import baseline, rows

COSTS = [Cost(0.1, 0.01, 100, 0.2), Cost(0.1, 0.02, 100, 0.2), Cost(1.0, 0.005, 200, 0.5)]


def seconds_of(costs: list[Cost], folds: int, share: float, repeats: int) -> float:
    return repeats * (
        folds * sum(cost.start + cost.step * share * cost.own_steps for cost in costs)
        + sum(cost.score for cost in costs)
    )


def test_with_time_for_everything_everything_is_planned() -> None:
    assert plan(COSTS, 5, 3, seconds_of(COSTS, 5, 1.0, 3) / PLANNED + 0.01) == Plan(1.0, 3)


@pytest.mark.parametrize("seconds", [15, 20, 30, 45, 60, 100])
def test_a_plan_fits_and_a_larger_share_would_not(seconds: float) -> None:
    planned = plan(COSTS, 5, 3, seconds)
    assert seconds_of(COSTS, 5, planned.share, planned.repeats) <= PLANNED * seconds + 1e-6
    if planned.share < 1:
        assert seconds_of(COSTS, 5, planned.share + 0.01, planned.repeats) > PLANNED * seconds


def test_repeats_are_given_up_before_recipes_are_hardly_trained() -> None:
    quarter = seconds_of(COSTS, 5, 0.25, 3) / PLANNED
    assert plan(COSTS, 5, 3, quarter + 0.01).repeats == 3
    fewer = plan(COSTS, 5, 3, quarter - 0.5)
    assert fewer.repeats == 2
    assert fewer.share > 0.25


def test_steps_that_are_given_stay_and_with_no_time_there_is_still_a_repeat() -> None:
    assert plan(COSTS, 5, 3, seconds_of(COSTS, 5, 1.0, 2) / PLANNED + 0.01, fewest_share=1.0) == Plan(1.0, 2)
    assert plan(COSTS, 5, 3, 0.0) == plan(COSTS, 5, 3, -1.0) == Plan(0.0, 1)


@pytest.mark.parametrize(("folds", "splits"), [(5, 5), (3, 6), (2, 4)])
def test_the_time_that_verdicts_need_is_the_shortest_that_gives_them(folds: int, splits: int) -> None:
    needed = seconds_for_verdicts(COSTS, folds, 3)
    assert needed == pytest.approx(seconds_of(COSTS, folds, 0.25, splits // folds) / PLANNED / (1 - MEASURING_SHARE))
    # Measuring takes its share before the plan is made.
    found = plan(COSTS, folds, splits // folds, (1 - MEASURING_SHARE) * needed + 1e-6)
    assert (found.share, found.repeats) == (pytest.approx(0.25), splits // folds)


def test_given_steps_are_a_share_of_the_epochs_that_the_baseline_asks_for(train: Dataset) -> None:
    validation = RepeatedCrossValidation(train, 3, ["balanced_accuracy"], 0)
    own = round(40 * 200 / 32)
    short = course_of_given_steps(baseline(steps=50, epochs=40.0), validation)
    assert (short.share, short.own_steps, short.is_judged) == (50 / own, own, False)
    assert "50 of the 250 steps" in short.no_verdict
    assert "--steps 63 would do" in short.no_verdict
    assert course_of_given_steps(baseline(steps=63, epochs=40.0), validation).is_judged
    # Steps without epochs, and more steps than the epochs have, are all that is asked for.
    assert course_of_given_steps(baseline(steps=1), validation) == Course()
    assert course_of_given_steps(baseline(steps=251, epochs=40.0), validation) == Course()
    assert course_of_given_steps(baseline(steps=None, epochs=40.0), validation) == Course()


def test_the_named_budget_covers_what_verdicts_need() -> None:
    course = Course(0.01, 2016, seconds_needed=300.0)
    for before in (0.0, 7.0, 60.0):
        named = course.with_budget(before).no_verdict.partition("--budget ")[2].split()[0]
        deadline = Clock(seconds_of_budget(named), start=0.0).training_deadline()
        assert deadline is not None
        assert before + 300 <= deadline <= 1.15 * (before + 300) + 60
    assert "--budget 50s" in Course(0.2, 100, seconds_needed=30.0).with_budget(6.0).no_verdict
    assert not Course(0.25, 100, seconds_needed=30.0).with_budget(6.0).no_verdict


def test_costs_are_for_the_recipes_own_steps(train: Dataset) -> None:
    validation = RepeatedCrossValidation(train, 3, ["balanced_accuracy"], 0)
    by_epochs = baseline(steps=None, epochs=4.0)
    found = cost_of(by_epochs, validation, 1.0)
    assert found.own_steps == round(4 * 200 / 32)
    assert found.step > 0
    assert found.start > 0
    trees = cost_of(with_remedy(by_epochs, "reference=boosted_trees"), validation, 1.0)
    assert trees.own_steps == 200
    assert trees.step >= 0
    assert scoring_seconds(by_epochs, validation) > 0


@pytest.fixture
def train() -> Dataset:
    return rows()
