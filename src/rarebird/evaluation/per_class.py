"""One row of the table of scores for each class."""

from __future__ import annotations

from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.intervals import ClassPredictions, class_estimates
from rarebird.evaluation.result import ClassScore
from rarebird.metrics.confusion import Counts

# Below this number of rows the note says that they are too few.
FEW_ROWS = 5
NO_ROWS, TOO_FEW, NEVER_PREDICTED = "no test rows", "too few rows to judge", "never predicted"


def class_score(scored: ClassPredictions, counts: Counts, code: int, label: str) -> ClassScore:
    """One class's row of the table.

    Without rows every figure is None and the note is "no test rows"; with a single row every figure is None and the
    note is "too few rows to judge"; two to four rows give figures and that note. `support` counts rows, whatever their
    weight.

    Args:
        scored: The rows of all classes.
        counts: The confusion counts of these rows.
        code: The class.
        label: The class's label.
    """
    support = int((scored.y == code).sum())
    unknown = Estimate(value=None)
    if support < 2 or counts.support[code] <= 0:
        note = NO_ROWS if support == 0 else TOO_FEW
        return ClassScore(label=label, support=support, recall=unknown, precision=unknown, f1=unknown, note=note)
    notes = [TOO_FEW] * (support < FEW_ROWS) + [NEVER_PREDICTED] * bool(counts.predicted[code] <= 0)
    return ClassScore(label=label, support=support, note="; ".join(notes), **class_estimates(scored, counts, code))
