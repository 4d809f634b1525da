"""The values of a report's section on prediction sets: coverage and mean size of each class."""

from __future__ import annotations

from typing import Any

from rarebird.evaluation.coverage_result import SetScore
from rarebird.evaluation.estimate import Estimate
from rarebird.report.wording import interval_text, value_text


def coverage_values(found: SetScore | None) -> dict[str, Any] | None:
    """What the template shows; None without sets.

    Args:
        found: Sets of the rows that the report is about.
    """
    if found is None:
        return None
    rows = [
        {
            "label": one.label,
            "held_out": one.held_out,
            "basis": one.basis,
            "covered": _text(one.covered),
            "size": _text(one.size),
        }
        for one in found.classes
    ]
    return {"coverage": found.coverage, "rows": rows, "single": _text(found.single)}


def _text(estimate: Estimate) -> str:
    return f"{value_text(estimate)} {interval_text(estimate)}".strip()
