"""The report: everything in one inert file, every class in it, figures with sensible digits."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import Result
from rarebird.metrics import names
from rarebird.report.pages.run import render, write_report
from rarebird.report.wording import METRICS, better, estimate_of, interval_text, number, value_text, wording
from tests.report.made_results import PROFILE, RECIPE, contents, result

NAMES = ["three", "binary", "forty", "regression", "untested"]
AILING = {
    "ailments": ["Class '<script>alert(1)</script>' has 1 row."],
    "applicable": [{"slot": "loss", "method": "focal", "why": "rows < 5 & skewed"}],
}


class Page(HTMLParser):
    """Elements, text and table cells of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.path: list[str] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.sections: list[str | None] = []
        self.section: str | None = None
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "input", "rect", "line"):
            self.path.append(tag)
        if tag == "section":
            self.section = dict(attrs)["id"]
        if tag == "tr":
            self.rows.append([])
            self.sections.append(self.section)
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.path.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.path):
            self.text += data
        if {"td", "th"} & set(self.path):
            self.rows[-1][-1] += data

    def having(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def rows_of(self, section: str) -> list[list[str]]:
        """Texts of the cells of all rows of a section."""
        own = [row for row, where in zip(self.rows, self.sections, strict=True) if where == section]
        return [[" ".join(cell.split()) for cell in row] for row in own]

    def row(self, start: str, section: str = "classes") -> list[str]:
        """The first row of a section whose first cell starts so."""
        return next(row for row in self.rows_of(section) if row[0].startswith(start))


def page(outcome: Result, profile: dict[str, Any] | None = None) -> Page:
    return Page(render(contents(outcome, AILING if profile is None else profile)))


@pytest.fixture(scope="module")
def documents(results: dict[str, Result]) -> dict[str, str]:
    """The reports as text, by the names of the results."""
    return {name: render(contents(results[name], AILING)) for name in NAMES}


@pytest.fixture(scope="module")
def pages(documents: dict[str, str]) -> dict[str, Page]:
    """The reports, parsed, by the names of the results."""
    return {name: Page(document) for name, document in documents.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_inert_and_needs_nothing_else(documents: dict[str, str], pages: dict[str, Page], name: str) -> None:
    document, parsed = documents[name], pages[name]
    assert parsed.path == []
    assert not {tag for tag, _ in parsed.elements} & {"link", "img", "iframe", "object", "base", "form"}
    scripts = re.findall(r"<script>(.*?)</script>", document, flags=re.DOTALL)
    assert len(scripts) == 1
    assert [one.get("type") for one in parsed.having("script")].count("application/json") == (name != "regression")
    assert not re.search(r"https?://|@import|url\((?!#)|//cdn", document)
    assert not [key for _, attributes in parsed.elements for key in attributes if key.startswith("on")]
    assert all((attributes.get("href") or "#").startswith("#") for _, attributes in parsed.elements)
    policy = next(
        meta["content"] for meta in parsed.having("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    )
    # Our own script alone may run: its digest is part of the page.
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"


def test_the_same_result_gives_the_same_bytes(results: dict[str, Result], documents: dict[str, str]) -> None:
    assert documents["binary"] == render(contents(results["binary"], AILING))


@pytest.mark.parametrize("name", NAMES)
def test_structure_that_a_screen_reader_can_follow(pages: dict[str, Page], name: str) -> None:
    parsed = pages[name]
    levels = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(head.get("scope") in ("row", "col") for head in parsed.having("th"))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in parsed.having("svg"))
    assert len(parsed.having("figure")) == len(parsed.having("figcaption"))
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(link["href"] or "")[1:] for link in parsed.having("a")} <= set(ids)


@pytest.mark.parametrize("name", NAMES)
def test_every_class_has_its_row_and_nothing_is_lost(
    results: dict[str, Result], pages: dict[str, Page], name: str
) -> None:
    outcome, parsed = results[name], pages[name]
    for label in outcome.classes:
        assert f"{outcome.class_counts[label]:,} in training" in parsed.row(label)[1]
    for text in (
        outcome.name,
        outcome.protocol,
        *outcome.notes,
        *outcome.timings,
        *outcome.versions.values(),
        RECIPE,
        PROFILE,
        *AILING["ailments"],
    ):
        assert str(text) in parsed.text
    scores = outcome.test or outcome.validation
    assert scores is not None
    for metric, estimate in scores.metrics.items():
        shown = f"{value_text(estimate)} {interval_text(estimate)}".replace("\u202f", " ")
        assert shown in parsed.row(wording(metric).title, "metrics")[1]


def test_rare_classes_are_marked_and_a_class_of_one_row_is_said_to_be_unjudged(pages: dict[str, Page]) -> None:
    parsed = pages["three"]
    lonely = parsed.row("<script>")
    assert "few rows" in lonely[0]
    assert "too few rows to judge" in lonely[0]
    assert lonely[2:5] == ["–"] * 3
    assert "few rows" in parsed.row("$x_1$")[0]
    assert "few rows" not in parsed.row("正常")[0]
    assert "One class has too few rows here to be judged: “<script>alert(1)</script>”." in parsed.text
    assert "positive" in pages["binary"].row("malignant")[0]


def test_matrix_cells_hold_the_counts_and_the_mistakes_of_many_classes_are_listed(
    results: dict[str, Result], pages: dict[str, Page]
) -> None:
    binary = results["binary"]
    assert binary.test is not None
    rows = [row for row in pages["binary"].rows_of("confusion") if row[0] in binary.classes]
    counts = [[int(cell) for cell in row[1:]] for row in rows[:2]]
    assert counts == [[*row, sum(row)] for row in binary.test.confusion]
    rates = [[f"{round(100 * n / sum(row))} %" for n in row] for row in binary.test.confusion]
    assert [row[1:3] for row in rows[2:]] == rates
    forty = results["forty"]
    assert forty.test is not None
    confusion = forty.test.confusion
    worst = max(confusion[t][p] for t in range(40) for p in range(40) if t != p)
    parsed = pages["forty"]
    assert "40 classes are too many for a matrix" in parsed.text
    assert not [row for row in parsed.rows_of("confusion") if row[0].startswith("true ↓")]
    true, predicted, count, _ = parsed.rows_of("confusion")[1]
    assert count == f"{worst} of {sum(confusion[forty.classes.index(true)])}"
    assert confusion[forty.classes.index(true)][forty.classes.index(predicted)] == worst


def test_what_is_absent_leaves_no_empty_section(results: dict[str, Result]) -> None:
    untested = results["untested"]
    assert untested.validation is not None
    validation = untested.validation.model_copy(update={"curves": {}, "confusion": [], "cut_offs": ()})
    bare = {"timings": {}, "versions": {}, "notes": [], "validation": validation}
    parsed = page(untested.model_copy(update=bare), {})
    assert parsed.having("figure") == [{"class": "counts"}]
    for title in (
        *("Problems of the data", "Confusion", "Ranking", "Reliability", "Decision", "Please note", "Timings"),
        *("Which methods apply", "What was tried", "The search", "Labels to look at", "To repeat it"),
    ):
        assert title not in parsed.text
    assert "There are no test rows" in parsed.text


@pytest.mark.parametrize(("name", "titles"), [("three", 7), ("binary", 10), ("regression", 3), ("untested", 6)])
def test_the_figures_that_the_curves_allow(pages: dict[str, Page], name: str, titles: int) -> None:
    assert len(pages[name].having("figure")) == titles


def test_a_result_without_scores_is_refused(results: dict[str, Result]) -> None:
    with pytest.raises(ValueError, match="scores on test or validation rows"):
        render(contents(results["three"].model_copy(update={"test": None, "validation": None})))


def test_a_failed_report_leaves_the_old_one_and_no_other_file(results: dict[str, Result], tmp_path: Path) -> None:
    path = tmp_path / "报告.html"
    write_report(path, contents(results["untested"], AILING))
    before = path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="scores"):
        write_report(path, contents(results["three"].model_copy(update={"test": None, "validation": None})))
    assert path.read_text(encoding="utf-8") == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_label_from_a_file_name_that_is_no_unicode(tmp_path: Path) -> None:
    outcome = result("odd", ["a", "b\udcff"], [20, 10], [20, 10])
    write_report(tmp_path / "r.html", contents(outcome))
    assert "b\\udcff" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_headline_of_one_class(results: dict[str, Result]) -> None:
    parsed = page(results["binary"].model_copy(update={"metric": "recall:malignant"}))
    assert "Recall of malignant on 3,355 test rows" in parsed.text


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (0.9412, 0.02, "0.94"),
        (0.94123, 0.004, "0.941"),
        (0.5, 0.3, "0.50"),
        (1.0, 0.0, "1.00"),
        (0.99991, 0.00001, "0.9999"),
        (0.0, None, "0.00"),
        (0.00412, None, "0.0041"),
        (-0.001, 0.05, "0.00"),
        (31250.4, 1200, "31\u202f250"),
        (2.31e9, 2e8, "2.31e+09"),
        (0.0000123, None, "1.23e-05"),
        (12.345, 2.0, "12.3"),
    ],
)
def test_digits_follow_the_uncertainty(value: float, spread: float | None, text: str) -> None:
    assert number(value, spread) == text


def test_both_ends_of_an_interval_have_the_digits_of_the_value() -> None:
    estimate = Estimate(value=10.24, low=9.81, high=10.66)
    assert f"{value_text(estimate)} {interval_text(estimate)}" == "10.2 [9.8, 10.7]"
    assert interval_text(Estimate(value=0.5)) == ""
    assert value_text(Estimate(value=None)) == "–"


def test_every_metric_that_can_be_scored_has_words_and_a_direction() -> None:
    assert set(names.METRICS) <= set(METRICS)
    for name in names.METRICS:
        assert wording(name).explanation.endswith(".")
        assert better(name) == ("higher" if names.METRICS[name].larger_is_better else "lower")
    assert wording("new_thing").title == "New thing"
    assert better("new_thing") == ""
    assert (wording("recall:喵").title, better("recall:喵")) == ("Recall of 喵", "higher")


def test_estimates_are_found_by_name_and_class(results: dict[str, Result]) -> None:
    scores = results["binary"].test
    assert scores is not None
    assert estimate_of(scores, "accuracy") == scores.metrics["accuracy"]
    assert estimate_of(scores, "recall:malignant") == scores.per_class[1].recall
    assert estimate_of(scores, "recall:nobody") is None
    assert estimate_of(scores, "r2") is None


def test_the_operating_point_and_the_cut_off_are_shown(pages: dict[str, Page], results: dict[str, Result]) -> None:
    text = " ".join(pages["binary"].text.split())
    assert "A row is labelled “malignant” if the probability of “malignant” is 0.024 or more." in text
    assert "the operating point: recall and precision of the model's labels, from a probability of 0.024 on." in text
    # The dots of several classes are no cut-offs of one probability.
    assert "recall and precision of the model's labels. " in " ".join(pages["three"].text.split()) + " "


def test_the_calibration_of_each_class_is_shown(pages: dict[str, Page], results: dict[str, Result]) -> None:
    for name in ("three", "binary", "untested"):
        scores = results[name].test or results[name].validation
        assert scores is not None
        for row in scores.per_class:
            error = row.calibration_error
            shown = f"{value_text(error)} {interval_text(error)}".strip()
            assert pages[name].row(row.label)[5] == shown
    assert "Reliability of “malignant”" in pages["binary"].text
    assert "Reliability class by class" in pages["three"].text


def test_a_result_of_an_earlier_version_is_shown(results: dict[str, Result]) -> None:
    plain = results["binary"].model_dump(mode="json", exclude={"cut_off", "verdict"})
    for scores in (plain["test"], plain["validation"]):
        del scores["most_probable"], scores["curves"]["class_reliability"], scores["curves"]["roc"], scores["cut_offs"]
        for row in scores["per_class"]:
            del row["calibration_error"]
    del plain["search"], plain["validation"]["curves"]["uncalibrated"]
    for one in plain["tried"]:
        del one["figure"], one["is_default"]
    parsed = page(Result.model_validate(plain))
    assert len(parsed.having("figure")) == 4
    assert "Calibration error" not in parsed.row("Class")
    assert "labelled" not in parsed.text
