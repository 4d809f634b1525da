"""The plan of a training: progress always ends at 1, the clock re-lays steps, and a replay makes the same changes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from rarebird.recipe.recipe import Recipe
from rarebird.training import step_plan as module
from rarebird.training.step_plan import StepPlan
from tests.data.test_split import rows


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr(module, "time", watch)
    return watch


def walk(plan: StepPlan, watch: Watch, seconds_per_step: float) -> list[float]:
    seen = []
    while not plan.done:
        seen.append(plan.progress)
        watch.now += seconds_per_step
        plan.advance()
    return seen


def test_progress_is_even_without_a_deadline(watch: Watch) -> None:
    plan = StepPlan(10)
    assert walk(plan, watch, 1.0) == pytest.approx([step / 10 for step in range(10)])
    assert plan.progress == 1
    assert plan.changes == []


def test_a_slow_machine_gets_fewer_steps_and_still_ends_with_the_schedule(watch: Watch) -> None:
    plan = StepPlan(1000, deadline=watch.now + 10)
    seen = walk(plan, watch, 0.02)
    assert plan.progress == 1
    assert watch.now == pytest.approx(110, abs=0.4)
    assert plan.changes
    assert all(before < after for before, after in itertools.pairwise(seen))


def test_a_fast_machine_keeps_the_planned_steps_unless_more_are_allowed(watch: Watch) -> None:
    plan = StepPlan(1000, deadline=watch.now + 10)
    walk(plan, watch, 0.001)
    assert plan.step == 1000
    assert plan.changes == []
    watch.now, most = 100.0, StepPlan(1000, deadline=110, max_steps=1500)
    walk(most, watch, 0.001)
    assert most.step == 1500
    watch.now, free = 100.0, StepPlan(1000, deadline=110, max_steps=10**9)
    seen = walk(free, watch, 0.001)
    assert watch.now == pytest.approx(110, abs=0.2)
    assert all(before < after for before, after in itertools.pairwise(seen))
    again = StepPlan(1000, changes=free.changes)
    assert walk(again, watch, 5.0) == seen


def test_a_short_slow_spell_does_not_remove_most_steps(watch: Watch) -> None:
    plan = StepPlan(1000, deadline=watch.now + 10)
    for _ in range(100):
        watch.now += 0.005
        plan.advance()
    watch.now += 6
    while not plan.done:
        watch.now += 0.005
        plan.advance()
    assert plan.step > 400


def test_a_machine_that_slows_down_near_the_end_still_ends_in_time(watch: Watch) -> None:
    plan = StepPlan(1000, deadline=watch.now + 10)
    while not plan.done:
        watch.now += 0.009 if plan.progress < 0.85 else 0.036
        plan.advance()
    assert watch.now < 111.5
    assert plan.progress == 1


def test_a_replay_repeats_every_step_and_progress(watch: Watch) -> None:
    first = StepPlan(500, deadline=watch.now + 3)
    lived = walk(first, watch, 0.01)
    again = StepPlan(500, changes=first.changes)
    assert walk(again, watch, 5.0) == lived
    assert again.changes == first.changes


def test_a_stopped_plan_is_done_and_replays(watch: Watch) -> None:
    plan = StepPlan(100)
    for _ in range(7):
        plan.advance()
    plan.stop()
    assert plan.done
    assert plan.progress == 1
    again = StepPlan(100, changes=plan.changes)
    assert len(walk(again, watch, 1.0)) == 7


def test_a_replay_does_not_read_the_clock(watch: Watch) -> None:
    watch.now, replay = 100.0, StepPlan(1000, deadline=101, changes=[(500, 600)])
    taken = 0
    while not replay.done:
        watch.now += 1.0
        replay.advance()
        taken += 1
    assert taken == 600
    assert replay.changes == [(500, 600)]


def test_a_stop_at_the_last_step_is_no_change() -> None:
    plan = StepPlan(3)
    for _ in range(3):
        plan.advance()
    plan.stop()
    assert plan.changes == []


def test_a_plan_has_at_least_one_step() -> None:
    with pytest.raises(ValueError, match="steps >= 1"):
        StepPlan(0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 1.0),
        ({"batch_sampling": "class_balanced"}, 15.5),
        # A quarter of the steps draws as the rows come, three quarters draw classes evenly: each rare row comes
        # .25 * 1 + .75 * 15.5 times in an epoch.
        (
            {"stages": [{"share": 1.0}, {"share": 3.0, "overrides": {"batch_sampling": {"name": "class_balanced"}}}]},
            0.25 + 0.75 * 15.5,
        ),
    ],
)
def test_the_repetition_of_rows_counts_every_stage_by_its_share(settings: dict[str, Any], expected: float) -> None:
    data = rows(np.repeat([0, 1], [900, 30]))
    recipe = Recipe(kind="table", network="mlp", **settings)
    assert module.repetition(recipe, data, data.class_counts) == pytest.approx(expected)
    assert module.repetition(recipe, data, None) == 1.0
