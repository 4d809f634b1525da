"""The section on labels that are improbable, with the rows themselves where the page may show rows."""

from __future__ import annotations

from typing import Any

from rarebird.evaluation.result import Scores
from rarebird.report.pages import label_issues
from rarebird.report.pages.label_issues import ShownIssue
from rarebird.report.sections.section import RunContents

# Rows on the page, the most doubtful of all classes.
MOST_SHOWN = 8


def labels_values(contents: RunContents, scores: Scores) -> dict[str, Any] | None:
    """What the section shows; None where no label was found to be improbable, or the run did not look."""
    folder = contents.folder
    page = None if folder is None else label_issues.read(folder / label_issues.VALUES)
    if page is None or folder is None:
        return None
    n_issues = sum(one.n_issues for one in page.classes)
    issues = [(one, issue) for one in page.classes for issue in one.issues] if contents.shows_rows else []
    first = sorted(issues, key=lambda pair: pair[1].given_probability - pair[1].suggested_probability)[:MOST_SHOWN]
    return {
        "sentence": f"The given label is improbable for {n_issues:,} of {page.judged:,} held-out rows, by networks "
        "that did not train on them.",
        "n_issues": n_issues,
        "notes": page.notes,
        "page": label_issues.PAGE if contents.shows_rows and (folder / label_issues.PAGE).is_file() else "",
        "classes": [
            {"label": one.label, "rows": one.rows, "n_issues": one.n_issues, "wrong": one.wrong}
            for one in page.classes
            if one.n_issues
        ],
        "issues": [_shown(issue, one.label) for one, issue in first],
        "columns": page.columns,
    }


def _shown(issue: ShownIssue, label: str) -> dict[str, Any]:
    curve = issue.view.curve.replace("<svg ", '<svg aria-label="series of a row" ', 1) if issue.view.curve else ""
    return {"name": issue.name, "view": issue.view, "curve": curve, "suggested": issue.suggested} | {
        "given_probability": issue.given_probability,
        "suggested_probability": issue.suggested_probability,
    }
