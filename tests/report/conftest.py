"""The results and the browser that the report's tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from rarebird.evaluation.result import Result
from tests.report.made_results import history, regression, result, searched

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def results() -> dict[str, Result]:
    """Results by name: three classes with a Chinese label and one of one row, two classes, forty classes, a regression,
    no test rows."""
    three = ["正常", "<script>alert(1)</script>", "$x_1$ " + "a very long name of a class " * 3]
    forty = [f"class {code:02d}" for code in range(40)]
    return {
        "three": result("电力 & <b>co</b>", three, [900, 1, 109], [300, 1, 36], kind="series"),
        "binary": result(
            "mammography",
            ["benign", "malignant"],
            [7646, 182],
            [3277, 78],
            positive="malignant",
            history=history(1),
            cut_off=0.0235,
            **searched(),
        ),
        "forty": result("herbarium", forty, list(range(200, 0, -5)), list(range(60, 20, -1)), kind="image", notes=[]),
        "regression": regression(),
        "untested": result("tiny", ["a", "b", "c"], [20, 9, 4], [0, 0, 0], history=[]),
    }


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
