"""The section on improbable labels: how far the suggestions can be trusted stands above the rows."""

from __future__ import annotations

from pathlib import Path

from rarebird.evaluation.result import Result
from rarebird.report.pages import label_issues
from rarebird.report.pages.label_issues import Page, ShownClass
from rarebird.report.pages.run import render
from tests.report.made_results import contents


def test_weak_models_say_that_they_name_labels_badly(tmp_path: Path, results: dict[str, Result]) -> None:
    weak = "They are not shown to be better than guessing, so the list below tells little."
    page = Page("made", "table", 40, "rows.csv", (ShownClass("rare", 9, 3, 2.5, ()),), notes=(weak,))
    label_issues.write_values(tmp_path / label_issues.VALUES, page)
    shown = render(contents(results["binary"], folder=tmp_path))
    assert "The given label is improbable for 3 of 40 held-out rows" in shown
    assert weak in shown
    assert weak not in render(contents(results["binary"]))
