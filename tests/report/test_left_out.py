"""A figure that cannot be drawn is left out with a sentence, whichever it is, and the page with its tables is there."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rarebird.comparison import command as comparison
from rarebird.evaluation.result import Result
from rarebird.report.figures import binned, reliability, run, search
from rarebird.report.left_out import why_left_out
from rarebird.report.pages import comparison as comparison_page
from rarebird.report.pages import run as run_page
from rarebird.report.pages.run import SECTIONS, render
from rarebird.report.sections.section import Section
from tests.report.made_results import contents

FIGURES: list[tuple[ModuleType, str, str, str]] = [
    (reliability, "reliability", "binary", "Reliability of the most probable class"),
    (reliability, "class_reliability", "binary", "Reliability class by class"),
    (reliability, "before_and_after", "binary", "Before and after calibration"),
    (search, "best_so_far", "binary", "Best so far"),
    (search, "parallel_coordinates", "binary", "Settings of each trial"),
    (run, "roc", "binary", "ROC"),
    (run, "precision_recall", "binary", "Precision and recall"),
    (run, "learning_curve", "binary", "Learning curve"),
    (run, "predicted_against_true", "regression", "Predicted against true"),
    (run, "residuals", "regression", "Residuals"),
]
# Drawn in place of others where a page shows no single row.
WITHOUT_ROWS = {"predicted_against_true", "residuals"}


def raising(*arguments: object, **named: object) -> Any:
    raise IndexError("index 0 is out of bounds for axis 0 with size 0\nsecond line")


@pytest.mark.parametrize("name", ["three", "binary", "forty", "regression", "untested"])
def test_every_figure_of_the_made_results_is_drawn(name: str, results: dict[str, Result]) -> None:
    assert "could not be drawn" not in render(contents(results[name], {}))


@pytest.mark.parametrize(("module", "function", "name", "title"), FIGURES, ids=lambda part: str(part))
def test_a_figure_that_raises_is_left_out_with_a_sentence(
    module: ModuleType,
    function: str,
    name: str,
    title: str,
    results: dict[str, Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = render(contents(results[name], {}))
    monkeypatch.setattr(module, function, raising)
    page = render(contents(results[name], {}))
    assert f"<h3>{title}</h3>" in page
    assert page.count("This figure could not be drawn (IndexError: index 0 is out of bounds for axis 0") == 1
    assert "second line" not in page
    assert page.count("<figure>") == whole.count("<figure>")
    # All else of the page is as it was.
    before, after = (re.split(r"<figure>.*?</figure>", text, flags=re.DOTALL) for text in (whole, page))
    assert before == after


def test_all_figures_of_a_run_are_tried() -> None:
    """A new figure of the page must be listed here."""
    drawn = {name for module in (reliability, run, search) for name, one in vars(module).items() if _draws(one, module)}
    assert drawn == {function for _, function, _, _ in FIGURES}
    assert {name for name, one in vars(binned).items() if _draws(one, binned)} - {"_drawn"} == WITHOUT_ROWS


def test_a_section_that_raises_is_left_out_with_a_sentence(
    results: dict[str, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = tuple(
        Section(one.name, one.title, raising if one.name == "classes" else one.values, one.template) for one in SECTIONS
    )
    monkeypatch.setattr(run_page, "SECTIONS", sections)
    page = render(contents(results["binary"]))
    assert page.count("This section could not be made (IndexError: index 0 is out of bounds") == 1
    assert 'id="metrics"' in page


def _draws(value: object, module: ModuleType) -> bool:
    returned = str(getattr(value, "__annotations__", {}).get("return", ""))
    return getattr(value, "__module__", "") == module.__name__ and returned.startswith("Drawing")


def test_the_forest_plot_is_left_out_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison_page, "forest", raising)
    row = {"label": "focal", "difference": 0.1, "low": 0.0, "high": 0.2, "verdict": "helps"}
    shown = comparison_page._figure([row], "balanced_accuracy", "alone")
    assert shown is not None
    assert shown["svg"] == ""
    assert shown["aid"].startswith("This figure could not be drawn (IndexError")
    assert comparison.FILES == ("compare.html", "compare.json", "baseline.toml")


def test_who_looks_for_a_defect_sees_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAREBIRD_TRACEBACK", "1")
    with pytest.raises(IndexError):
        why_left_out(IndexError("it"))
    monkeypatch.delenv("RAREBIRD_TRACEBACK")
    assert why_left_out(ValueError()) == " (ValueError)"
    assert why_left_out(OSError("no place.")) == " (OSError: no place)"
