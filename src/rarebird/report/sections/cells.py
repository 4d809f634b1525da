"""A figure as templates show it: its texts, and the place of its interval on a bar from 0 to 1."""

from __future__ import annotations

from typing import Any

from rarebird.evaluation.estimate import Estimate
from rarebird.report.wording import better, interval_text, value_text, wording


def cell(estimate: Estimate | None) -> dict[str, Any]:
    """Texts of a figure, and the position of its interval bar in percent."""
    if estimate is None or estimate.value is None:
        return {"value": None, "interval": "", "at": 0.0, "low": 0.0, "high": 0.0}
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    places = {
        name: round(100 * min(max(place, 0.0), 1.0), 2)
        for name, place in (("at", estimate.value), ("low", low), ("high", high))
    }
    return {"value": value_text(estimate), "interval": interval_text(estimate), **places}


def metric_row(name: str, estimate: Estimate | None, validation: Estimate | None) -> dict[str, Any]:
    """A metric with its words, and its figures on the judged rows and on validation rows."""
    return {
        "name": name,
        "words": wording(name),
        "better": better(name),
        "figure": cell(estimate),
        "validation": cell(validation),
    }
