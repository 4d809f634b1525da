"""One trial: its value is the mean over its parts, and after each part it reports what a trial of the parts so far
would have returned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data.dataset import Splits
from rarebird.evaluation.cross_validate import cross_validate
from rarebird.recipe.recipe import Recipe
from rarebird.tuning.trial import TrialContext, TrialTask, trial
from tests.tuning.searches import SPACE, context, rows

RECIPE = SPACE.draw(lambda name, where: 0.03 if name.endswith("rate") else where.low).updated(threads=1)


def carried_out(
    shared: TrialContext, recipe: Recipe = RECIPE, reports: bool = False
) -> tuple[list[tuple[int, float]], float, dict[str, Any]]:
    """What a trial yields, its value and its notes."""
    running, yielded = trial(shared, TrialTask(recipe, reports=reports)), []
    try:
        while True:
            yielded.append(next(running))
    except StopIteration as end:
        return yielded, *end.value


def value_of_first(parts: int, shared: TrialContext) -> float:
    """The value of a trial that has the first parts alone."""
    train = shared.splits.train
    found = cross_validate(RECIPE, train, shared.parts[:parts], Compute())
    return float(np.mean(found.values(shared.metric, train)))


def test_the_value_after_some_parts_is_that_of_a_trial_of_these_parts_alone() -> None:
    shared = context(folds=4)
    yielded, value, notes = carried_out(shared, reports=True)
    assert yielded == [(parts, value_of_first(parts, shared)) for parts in (1, 2, 3)]
    assert value == value_of_first(4, shared) == pytest.approx(np.mean(notes["values"]))
    assert carried_out(shared)[:2] == ([], value)


def test_given_validation_rows_are_scored_and_not_learned_from() -> None:
    val = rows(80, seed=5)
    right = context(val=val, metric="roc_auc")
    swapped = replace(right, splits=Splits(right.splits.train, replace(val, y=1 - val.codes)))
    assert [len(part) for part in right.parts[0]] == [120, 0]
    # The networks are the same, so that swapped labels reverse the ranking and change nothing else.
    uncalibrated = RECIPE.updated(calibration=())
    (_, value, _), (_, other, _) = carried_out(right, uncalibrated), carried_out(swapped, uncalibrated)
    assert value > 0.6
    assert other == pytest.approx(1 - value)


def test_a_metric_that_is_undefined_everywhere_is_refused() -> None:
    val = rows(40, seed=5)
    with pytest.raises(DataError, match="'roc_auc' is undefined on the held-out rows"):
        carried_out(context(val=val.take(val.codes == 0), metric="roc_auc"))
