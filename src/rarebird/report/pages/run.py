"""The report of a run: one HTML file that needs no other file and loads nothing. It has one script, our own, which
moves numbers; without it all figures are there."""

from __future__ import annotations

import base64
import hashlib
import html
from pathlib import Path

from rarebird.evaluation.result import Result, Scores
from rarebird.report.pages.page import rendered, template_text, write_page
from rarebird.report.pages.synthetic_rows import synthesis_values
from rarebird.report.sections import figures
from rarebird.report.sections.classes import classes_values
from rarebird.report.sections.confusion import confusion_values
from rarebird.report.sections.coverage import coverage_values
from rarebird.report.sections.data import data_values
from rarebird.report.sections.decision import decision_values
from rarebird.report.sections.explanation import explanation_values
from rarebird.report.sections.external_rows import external_values
from rarebird.report.sections.first import first_values
from rarebird.report.sections.labels import labels_values
from rarebird.report.sections.metrics import metrics_values
from rarebird.report.sections.provenance import profile_values, recipe_values, run_values
from rarebird.report.sections.search import search_values
from rarebird.report.sections.section import RunContents, Section, shown
from rarebird.report.sections.tried import tried_values

# Height in pixels of the first screen in a notebook.
FRAME_HEIGHT = 480


def _sets(contents: RunContents, scores: Scores) -> object:
    return coverage_values(scores.sets)


def _external(contents: RunContents, scores: Scores) -> object:
    return external_values(contents.result.external)


def _synthesis(contents: RunContents, scores: Scores) -> object:
    found = synthesis_values(contents.result.synthesis)
    # The page of new rows shows real ones beside them.
    return found if found is None or contents.shows_rows else found | {"page": ""}


# In the order of the page.
SECTIONS = (
    Section("data", "Data", data_values),
    Section("labels", "Labels to look at", labels_values),
    Section("tried", "What was tried, and what helped", tried_values),
    Section("search", "The search over time", search_values),
    Section("classes", "Class by class", classes_values),
    Section("metrics", "Metrics", metrics_values),
    Section("confusion", "Confusion", confusion_values),
    Section("ranking", "Ranking", figures.ranking_values, "figures"),
    Section("reliability", "Reliability", figures.reliability_values, "figures"),
    Section("errors", "Errors", figures.errors_values, "figures"),
    Section("decision", "Decision", decision_values),
    Section("sets", "Prediction sets", _sets),
    Section("explanation", "Explanations", explanation_values),
    Section("external", "Rows of other sources", _external),
    Section("synthesis", "Synthetic rows", _synthesis),
    Section("training", "Training", figures.training_values, "figures"),
    Section("recipe", "Recipe", recipe_values),
    Section("profile", "Profile", profile_values),
    Section("run", "Run", run_values),
)


def write_report(path: Path, contents: RunContents) -> None:
    """Write the report of a run; a reader of `path` sees the old file or the new one, never a part.

    Args:
        path: The file to write, ``RUN/report.html``.
        contents: What the page shows.

    Raises:
        ValueError: The result holds no scores.
    """
    write_page(path, render(contents))


def render(contents: RunContents) -> str:
    """The report as text; raises as `write_report` does."""
    scores, first = first_values(contents)
    script = template_text("run/script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sections = shown(SECTIONS, contents, scores)
    return rendered("report.html", **first, sections=sections, script=script, script_source=f"'sha256-{digest}'")


def first_screen(result: Result) -> str:
    """The report's first screen, headline and findings, as an element that a notebook shows.

    It is a frame of its own, so that the page's styles do not reach the notebook.

    Raises:
        ValueError: The result holds no scores.
    """
    _, first = first_values(RunContents(result, ""))
    page = rendered("report.html", **first, sections=[], script="", script_source="'none'")
    return (
        f'<iframe srcdoc="{html.escape(page)}" title="rarebird report" sandbox '
        f'style="width: 100%; height: {FRAME_HEIGHT}px; border: 0"></iframe>'
    )
