"""What a change of a model costs each class, on rows that no network of either model learned from."""

from __future__ import annotations

import numpy as np

from rarebird.compression.measurement import ClassCost, class_costs
from rarebird.compression.subject import Subject


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


def keeps_floor(costs: list[ClassCost], most_drop: float) -> bool:
    """Whether no class loses more recall than that; a class without rows is not judged."""
    return all(cost.keeps(most_drop) for cost in costs)


def _labels(subject: Subject) -> dict[int, int]:
    """The label of each row that was held out, by the row's position in its source, which all models here share."""
    known = np.flatnonzero(np.isfinite(subject.completed.outputs).all(axis=1))
    return dict(zip(subject.scored.index[known].tolist(), subject.completed.labels[known].tolist(), strict=True))
