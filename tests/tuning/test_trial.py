"""What one trial tells and returns: the mean over its parts, and after each part what the parts so far would have given
alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.evaluation import cross_validate
from rarebird.recipe.recipe import Recipe
from rarebird.tuning.trial import Judging, Task, trial
from tests.tuning.searches import SPACE, judging, rows

RECIPE = SPACE.draw(lambda name, where: 0.03 if name.endswith("rate") else where.low).updated(threads=1)


def told(
    shared: Judging, recipe: Recipe = RECIPE, reports: bool = False
) -> tuple[list[tuple[int, float]], float, dict[str, Any]]:
    """What a trial yields, its value and its notes."""
    running, said = trial(shared, Task(recipe, reports=reports)), []
    try:
        while True:
            said.append(next(running))
    except StopIteration as end:
        return said, *end.value


def alone(shared: Judging, parts: int) -> float:
    judged = cross_validate.judge(RECIPE, shared.train, shared.parts[:parts])
    return float(np.mean(judged.values(shared.metric, shared.train)))


def test_the_value_after_some_parts_is_that_of_a_trial_of_these_parts_alone() -> None:
    shared = judging(folds=4)
    said, value, notes = told(shared, reports=True)
    assert said == [(parts, alone(shared, parts)) for parts in (1, 2, 3)]
    assert value == alone(shared, 4) == pytest.approx(np.mean(notes["values"]))
    assert told(shared)[:2] == ([], value)


def test_given_validation_rows_judge_and_are_not_learned_from() -> None:
    val = rows(80, seed=5)
    right = replace(judging(val=val), metric="roc_auc")
    turned = replace(right, val=replace(val, y=1 - val.codes))
    assert [len(part) for part in right.parts[0]] == [120, 0]
    # The networks are the same, so that labels that are turned turn the ranks and nothing else.
    uncalibrated = RECIPE.updated(calibration=())
    (_, value, _), (_, other, _) = told(right, recipe=uncalibrated), told(turned, recipe=uncalibrated)
    assert value > 0.6
    assert other == pytest.approx(1 - value)


def test_a_metric_that_is_undefined_everywhere_is_refused() -> None:
    val = rows(40, seed=5)
    with pytest.raises(DataError, match="'roc_auc' is undefined on the rows that judge"):
        told(replace(judging(val=val.take(val.codes == 0)), metric="roc_auc"))
