"""What a change of a model costs each class, on rows that no network of either model learned from."""

from __future__ import annotations

import numpy as np

from rarebird.compression.measurement import ClassCost, class_costs
from rarebird.compression.subject import Subject
from rarebird.explanation.agreement import Agreement, agreement
from rarebird.explanation.explain import Effort

# Seconds that the explanations of one model may take, the most rows of a class, and how much is computed for each.
SECONDS, MOST_ROWS = 10.0, 8
BACKGROUND, STEPS = 4, 8
EFFORT = Effort(background=BACKGROUND, steps=STEPS, most_steps=3 * STEPS, orders=3)
# A gradient takes about three times a prediction.
GRADIENT = 3.0


def held_out_costs(before: Subject, after: Subject) -> list[ClassCost]:
    """The change of each class's recall on the rows that both models held out; each row's label comes from calibrations
    and a decision of other rows."""
    first, second = _labels(before), _labels(after)
    common = np.array([row for row in second if row in first], dtype=np.int64)
    places = {row: place for place, row in enumerate(after.scored.index.tolist())}
    rows = after.scored.take(np.array([places[row] for row in common], dtype=np.int64))
    was, now = (np.array([labels[row] for row in common], dtype=np.int64) for labels in (first, second))
    return class_costs(rows, was, now)


def costs_on_test_rows(before: Subject, after: Subject) -> list[ClassCost]:
    """The change of each class's recall on the test rows, which decided nothing; empty without test rows."""
    rows = after.splits.test
    if rows is None:
        return []
    was, now = (subject.model.labels(subject.model.outputs(rows)) for subject in (before, after))
    return class_costs(rows, was, now)


def explanation_agreement(before: Subject, after: Subject, seconds_of_row: float) -> list[Agreement]:
    """How alike both models explain the same rows, class by class: test rows, without any those that were held out;
    empty where that would take too long.

    Args:
        before, after: The models.
        seconds_of_row: Time in which the slower one predicts a row.
    """
    rows = after.scored if after.splits.test is None else after.splits.test
    points = BACKGROUND * STEPS * GRADIENT
    most = int(SECONDS / max(points * seconds_of_row, 1e-9) / max(len(before.model.classes), 1))
    if most < 1 or not len(rows):
        return []
    return agreement(before.model, after.model, rows, after.splits.train, min(most, MOST_ROWS), EFFORT)


def keeps_floor(costs: list[ClassCost], most_drop: float) -> bool:
    """Whether no class loses more recall than that; a class without rows is not judged."""
    return all(cost.keeps(most_drop) for cost in costs)


def _labels(subject: Subject) -> dict[int, int]:
    """The label of each row that was held out, by the row's position in its source, which all models here share."""
    known = np.flatnonzero(np.isfinite(subject.completed.outputs).all(axis=1))
    return dict(zip(subject.scored.index[known].tolist(), subject.completed.labels[known].tolist(), strict=True))
