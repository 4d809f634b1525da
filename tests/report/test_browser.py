"""The report in a real browser: quiet, offline, readable at desk and phone width, in light and dark mode."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rarebird.evaluation.result import Result
from rarebird.report.pages.run import write_report
from tests.report.made_results import PROFILE, RECIPE

pytestmark = pytest.mark.xdist_group("heavy")
NAMES = ["three", "binary", "forty", "regression"]
HEADINGS = {
    "three": [
        "Verdict",
        "Problems of the data",
        "Class by class",
        "All metrics",
        "Confusion matrix",
        "Figures",
        "Recipe",
        "Profile of the data",
        "Run",
    ],
    "regression": ["Verdict", "Problems of the data", "All metrics", "Figures", "Recipe", "Profile of the data", "Run"],
}
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; the tests are skipped where there is none."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium is installed")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def reports(results: dict[str, Result], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The reports as files, by the names of the results."""
    folder = tmp_path_factory.mktemp("reports")
    profile = {
        "ailments": ["Class '<script>alert(1)</script>' has 1 row.", "averyverylongword" * 20],
        "applicable": [{"slot": "loss", "method": "focal", "why": "classes are skewed"}],
    }
    for name in NAMES:
        write_report(folder / f"{name}.html", results[name], RECIPE, PROFILE + "long line " * 60, profile)
    return {name: folder / f"{name}.html" for name in NAMES}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_quiet_offline_and_within_the_window(browser: Any, reports: dict[str, Path], name: str, scheme: str) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(reports[name].as_uri())
    for width in (1200, 420):
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
    assert len(boxes) == (3 if name == "regression" else 4)
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
