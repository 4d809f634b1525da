"""The section on explanations of the model's output, which a run keeps as plain values."""

from __future__ import annotations

from rarebird.evaluation.result import Scores
from rarebird.report.pages.explanation import VALUES, Explanation, read
from rarebird.report.sections.section import RunContents


def explanation_values(contents: RunContents, scores: Scores) -> Explanation | None:
    """The explanations in the run's folder; None where there are none."""
    found = None if contents.folder is None else read(contents.folder / VALUES)
    return found if found is None or contents.shows_rows else found.without_rows()
