"""The result of a search, as text and for machines."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rarebird.recipe.recipe import Recipe
from rarebird.tuning.result import TuningResult
from rarebird.tuning.study import FinishedTrial
from tests.report.made_results import result


def found(**changes: Any) -> TuningResult:
    recipe = Recipe(kind="table", network="mlp")
    trials = [
        FinishedTrial(number, value, recipe, {"optimizer.learning_rate": 0.012345, "batch_size": 32}, {})
        for number, value in ((0, 0.5), (3, 0.75))
    ]
    outcome: Any = SimpleNamespace(result=result("demo", ["no", "yes"], [80, 20], [40, 10]))
    return TuningResult(outcome, trials, trials[1], "random, as asked.", "balanced_accuracy", **changes)


def test_the_object_for_machines_is_that_of_the_run_with_the_search() -> None:
    one = found(pruned=2)
    plain = one.for_machines()
    assert plain.pop("search") == {
        "strategy": "random, as asked.",
        "metric": "balanced_accuracy",
        "trials": 2,
        "pruned": 2,
        "best": 3,
        "value": 0.75,
        "values": {"optimizer.learning_rate": 0.012345, "batch_size": 32},
    }
    assert plain == one.outcome.result.for_machines()


def test_the_summary_names_strategy_best_trial_and_its_values() -> None:
    lines = found(pruned=2, remarks=["Nothing is pruned: a hold-out has one part."]).summary().splitlines()
    assert lines[:4] == [
        "Strategy random, as asked.",
        "Nothing is pruned: a hold-out has one part.",
        "Trial 3 of 2 (2 more were pruned) was best: balanced_accuracy 0.7500 on held-out training rows.",
        "  optimizer.learning_rate=0.0123, batch_size=32",
    ]
    assert len(lines) > 5
