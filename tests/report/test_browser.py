"""The report in a real browser: quiet, offline, readable at desk and phone width, in light and dark mode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rarebird.evaluation.result import Result
from rarebird.report.pages.run import write_report
from tests.report.made_results import PROFILE, RECIPE, contents

pytestmark = pytest.mark.xdist_group("heavy")
NAMES = ["three", "binary", "forty", "regression"]
FIRST = ["Findings", "What to do next"]
FIGURES = ["Ranking", "Reliability"]
LAST = ["Recipe", "Profile", "Run"]
HEADINGS = {
    "three": [*FIRST, "Data", "Class by class", "Metrics", "Confusion", *FIGURES, "Decision", "Training", *LAST],
    "regression": [*FIRST, "Data", "Metrics", "Errors", "Training", *LAST],
}


@pytest.fixture(scope="module")
def reports(results: dict[str, Result], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The reports as files, by the names of the results."""
    folder = tmp_path_factory.mktemp("reports")
    profile = {
        "ailments": ["Class '<script>alert(1)</script>' has 1 row.", "averyverylongword" * 20],
        "applicable": [{"slot": "loss", "method": "focal", "why": "classes are skewed"}],
    }
    for name in NAMES:
        long = replace(contents(results[name], profile), profile_text=PROFILE + "long line " * 60)
        write_report(folder / f"{name}.html", long)
    return {name: folder / f"{name}.html" for name in NAMES}


@pytest.mark.parametrize(("name", "scheme"), list(zip(NAMES, ["light", "dark"] * 2, strict=True)))
def test_quiet_offline_and_within_the_window(browser: Any, reports: dict[str, Path], name: str, scheme: str) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(reports[name].as_uri())
    for width in (1400, 400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    assert asked == [reports[name].as_uri()]
    page.close()


@pytest.mark.parametrize("name", list(HEADINGS))
def test_headings_and_figures_are_visible(browser: Any, reports: dict[str, Path], name: str) -> None:
    page = browser.new_page(viewport={"width": 420, "height": 900})
    page.goto(reports[name].as_uri())
    assert page.locator("h2:visible").all_inner_texts() == HEADINGS[name]
    boxes = [figure.bounding_box() for figure in page.locator("figure > svg").all()]
    assert len(boxes) == (3 if name == "regression" else 6)
    assert all(box["width"] > 300 and box["height"] > 200 for box in boxes)
    page.close()


def test_at_phone_width_rows_are_cards_and_no_figure_is_cut_off(browser: Any, reports: dict[str, Path]) -> None:
    width = 400
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(reports["three"].as_uri())
    figures = page.locator("#classes td .figure, #metrics td .figure, #tried td")
    boxes = [box for figure in figures.all() if (box := figure.bounding_box())]
    assert len(boxes) >= 20
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    names = page.locator("#classes tbody tr:first-child td").evaluate_all(
        "cells => cells.map(cell => getComputedStyle(cell, '::before').content)"
    )
    assert names[1:4] == ['"Recall"', '"Precision"', '"F1"']
    page.close()


def test_dark_mode_changes_paper_and_ink_also_within_figures(browser: Any, reports: dict[str, Path]) -> None:
    color = "element => getComputedStyle(element).%s"
    seen = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(reports["three"].as_uri())
        paper = page.locator("section").first.evaluate(color % "backgroundColor")
        ink = page.locator("figure svg text").first.evaluate(color % "fill")
        seen[scheme] = [
            sum(int(part) for part in found.removeprefix("rgb(").rstrip(")").split(",")) for found in (paper, ink)
        ]
        page.close()
    assert seen["light"][0] > 700 > 400 > seen["light"][1]
    assert seen["dark"][0] < 200 < 400 < seen["dark"][1]


def test_one_click_selects_the_whole_recipe(browser: Any, reports: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(reports["three"].as_uri())
    page.locator("pre.whole").click()
    assert page.evaluate("getSelection().toString()").strip() == RECIPE.strip()
    page.close()


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("three", "light"), ("binary", "dark"), ("forty", "light"), ("regression", "dark")],
)
def test_axe_finds_no_violation(browser: Any, reports: dict[str, Path], name: str, scheme: str) -> None:
    """Names, roles, order, contrast (WCAG 2 A and AA, and good practice), at desk and phone width, all unfolded; forty
    classes, which take long, as cards."""
    module = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme=scheme)
    page.goto(reports[name].as_uri())
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
    for width in (400,) if name == "forty" else (1400, 400):
        page.set_viewport_size({"width": width, "height": 900})
        found = module.Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"][:150] for node in one["nodes"]][:3]) for one in found] == []
    page.close()


def figures_of(page: Any) -> dict[str, str]:
    """The numbers that the sliders move."""
    ids = ("cut-off-value", "moved-recall", "moved-precision", "moved-alerts", "moved-balanced", "moved-cost")
    return {one: page.locator(f"#{one}").inner_text() for one in ids}


def counts_of(page: Any) -> list[list[int]]:
    rows = page.locator("#moved-matrix tbody tr").all()
    return [[int(text) for text in row.locator("td b").all_inner_texts()] for row in rows]


def moved(page: Any, slider: str, value: int) -> None:
    page.locator(f"#{slider}").evaluate(
        "(one, value) => { one.value = value; one.dispatchEvent(new Event('input', {bubbles: true})) }", value
    )


def test_the_sliders_move_the_matrix_and_come_back(browser: Any, reports: dict[str, Path], results: Any) -> None:
    page = browser.new_page()
    page.goto(reports["binary"].as_uri())
    scores = results["binary"].test
    before, at_first = figures_of(page), counts_of(page)
    assert at_first == scores.confusion
    moved(page, "cut-off", 0)
    assert counts_of(page)[1] == [0, 78]
    assert figures_of(page)["moved-recall"] == "1.000"
    last = int(page.locator("#cut-off").get_attribute("max"))
    moved(page, "cut-off", last)
    assert [row[1] for row in counts_of(page)] < [78, 78]
    moved(page, "cost-ratio", 100)
    dear = figures_of(page)["moved-cost"]
    page.locator("#least-cost").click()
    assert float(figures_of(page)["moved-cost"]) < float(dear)
    assert figures_of(page)["cut-off-value"] == "0.001"
    page.locator("#as-decided").click()
    assert counts_of(page) == at_first
    assert figures_of(page)["moved-recall"] == before["moved-recall"]
    page.close()


def test_a_slider_moves_by_keys_and_another_class_can_be_chosen(browser: Any, reports: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(reports["three"].as_uri())
    page.locator("#cut-off").focus()
    decided = counts_of(page)
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
    assert sum(counts_of(page)[0]) == sum(decided[0])
    assert counts_of(page) != decided
    page.locator("#cut-off-class").select_option(index=2)
    assert page.locator(".moving-class").first.inner_text() == "正常"
    assert counts_of(page) == decided
    page.close()


def test_without_scripts_all_figures_are_there_and_no_control_is(browser: Any, reports: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(reports["binary"].as_uri())
    assert page.locator("#cut-off").is_hidden()
    assert page.locator("button:visible").count() == 0
    assert page.locator("#moved-matrix").is_visible()
    assert float(page.locator("#moved-recall").inner_text()) > 0
    assert "need JavaScript" in page.locator("noscript").first.inner_text()
    context.close()


def test_what_is_folded_is_printed(browser: Any, reports: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(reports["binary"].as_uri())
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
    page.close()


def test_the_button_copies_the_recipe(browser: Any, reports: dict[str, Path]) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(reports["three"].as_uri())
    page.locator("button.copy").first.click()
    page.locator(".copied:visible").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").strip() == RECIPE.strip()
    context.close()
