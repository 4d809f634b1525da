"""The section on metrics: the five that matter most, and all others folded away."""

from __future__ import annotations

from typing import Any

from rarebird.evaluation.result import Result, Scores
from rarebird.report.sections.cells import metric_row
from rarebird.report.sections.section import RunContents
from rarebird.report.verdict import headline_of

CLASSWISE = "classwise_calibration_error"
MOST_FIRST = 5
# What is shown first, after the metric that was asked for: every class alike, labels of the rare class, its ranking,
# and whether probabilities can be believed.
FIRST = ("balanced_accuracy", "f1", "average_precision", "log_loss", CLASSWISE, "macro_f1")


def metrics_values(contents: RunContents, scores: Scores) -> dict[str, Any]:
    """The first metrics and the others, with their values on test and on validation rows."""
    result = contents.result
    rows = _rows(result, scores)
    headline = headline_of(result, scores)
    order = [headline, *(name for name in FIRST if name != headline)]
    known = {row["name"]: row for row in rows}
    first = [known[name] for name in order if name in known][:MOST_FIRST]
    # Regression has four metrics, none of which is among `FIRST`.
    first = first if len(first) > 1 else rows[:MOST_FIRST]
    more = [row for row in rows if row not in first]
    return {"first": first, "more": more, "beside": any(row["validation"]["value"] for row in rows)}


def _rows(result: Result, scores: Scores) -> list[dict[str, Any]]:
    beside = result.validation.metrics if result.test and result.validation else {}
    rows = [metric_row(name, estimate, beside.get(name)) for name, estimate in scores.metrics.items()]
    if scores.classwise_calibration_error is not None:
        validation = result.validation if result.test else None
        error = None if validation is None else validation.classwise_calibration_error
        rows.append(metric_row(CLASSWISE, scores.classwise_calibration_error, error))
    return rows
