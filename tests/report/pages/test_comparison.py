"""The page of a comparison: every remedy in it, verdicts as given, escaped, and a forest plot that draws what it was
given."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from rarebird.report.figures.drawing import COLORS
from rarebird.report.figures.forest import forest
from rarebird.report.pages.comparison import render, signed

ABOUT = {"name": "<b>rows</b>", "kind": "table", "task": "classification", "n_train": 1234}


def entry(difference: float | None, low: float | None, high: float | None, verdict: str, **more: Any) -> dict[str, Any]:
    ends = {"difference": difference, "low": low, "high": high}
    return {
        **ends,
        "detectable": 0.1,
        "verdict": verdict,
        "metrics": {"balanced_accuracy": ends, "log_loss": ends},
        **more,
    }


def found(**changes: Any) -> dict[str, Any]:
    return {
        "metric": "balanced_accuracy",
        "baseline": 0.81234,
        "baseline_metrics": {"balanced_accuracy": 0.81234, "log_loss": 0.4},
        "turned": ["log_loss"],
        "folds": 5,
        "splits": 15,
        "steps": 300,
        "detectable": 0.0432,
        "seconds": 12.3,
        "notes": ["A <note>."],
        "remedies": {
            "loss=focal": entry(-0.08, -0.12, -0.04, "hurts"),
            "resampling=smote": entry(0.05, 0.02, 0.08, "helps"),
            "network=tabm": entry(0.01, -0.03, 0.05, "too few rows to tell"),
            "loss=auc": entry(None, None, None, "too few rows to tell", why="It serves <two> classes."),
        },
        "combination": {
            "remedies": ["resampling=smote", "network=tabm"],
            "splits": 15,
            **entry(0.07, 0.03, 0.11, "helps"),
            "members": {
                "resampling=smote": entry(0.05, 0.01, 0.09, "helps"),
                "network=tabm": entry(0.0, -0.02, 0.02, "too few rows to tell"),
            },
        },
        **changes,
    }


def test_every_remedy_is_shown_with_its_difference_and_verdict() -> None:
    page = render(ABOUT, found(), "steps = 300\n")
    for text in (
        "+0.050",
        "[+0.020, +0.080]",
        "-0.080",
        "helps",
        "hurts",
        "too few rows to tell",
        "its median over the remedies is 0.043.",
        "steps = 300",
        "0.812",
    ):
        assert text in page
    lines = re.findall(r'<tr><th scope="row"><code>([^<]*)</code>', page)
    assert lines[:4] == ["resampling=smote", "network=tabm", "loss=focal", "loss=auc"]
    assert "Helps: resampling=smote." in page
    assert "Hurts: loss=focal." in page
    assert "Too few rows to tell: 1 of 4." in page
    assert "Best combination: resampling=smote and network=tabm, +0.070 [+0.030, +0.110]: helps." in page


def test_texts_are_escaped_and_the_page_is_inert() -> None:
    page = render(ABOUT, found(), "<toml>")
    assert "<script" not in page
    assert not re.search(r"https?://", page)
    for text in ("&lt;b&gt;rows&lt;/b&gt;", "A &lt;note&gt;.", "It serves &lt;two&gt; classes.", "&lt;toml&gt;"):
        assert text in page
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_where_nothing_was_judged_or_combined_there_is_no_figure() -> None:
    nothing = entry(None, None, None, "too few rows to tell", why="no time")
    page = render(ABOUT, found(remedies={"loss=focal": nothing}, combination=None, baseline=None), "")
    assert "<figure" not in page
    assert "not judged: no time" in page
    assert "The best combination" not in page
    open_ = render(ABOUT, found(remedies={"a=b": entry(0.1, -1, 1, "too few rows to tell")}, combination=None), "")
    assert "No remedy is shown to help or to hurt" in open_


def test_the_forest_plot_draws_lines_in_order_with_the_pages_colors() -> None:
    rows = [{"label": name, **values} for name, values in found()["remedies"].items()]
    drawing = forest(rows, "difference", "alone")
    root = ElementTree.fromstring(drawing.svg)
    labels = [element.text for element in root.iter("text") if element.text and "=" in element.text]
    assert labels == ["loss=focal", "resampling=smote", "network=tabm"]
    assert [entry.label for entry in drawing.key] == ["helps", "hurts", "too few rows to tell"]
    assert drawing.left_out == "Not drawn, because they could not be judged: 1."
    assert drawing.svg == forest(rows, "difference", "alone").svg
    used = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", drawing.svg)) - {"none"}
    assert used <= {f"var(--{role}, {color})" for role, color in COLORS.items()}
    with pytest.raises(ValueError, match="at least one row with a difference"):
        forest(rows[3:], "difference")


def test_an_interval_without_end_leaves_a_point() -> None:
    page = render(ABOUT, found(remedies={"a=b": entry(0.1, None, None, "too few rows to tell")}, combination=None), "")
    assert "+0.100" in page
    assert "<figure" in page


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (0.05, 0.03, "+0.050"),
        (-0.004, 0.001, "-0.004"),
        (0.0, 0.02, "0.000"),
        (1234.6, 300.0, "+1\u202f235"),
        (0.1, None, "+0.100"),
    ],
)
def test_differences_have_their_sign_and_three_digits(value: float, spread: float | None, text: str) -> None:
    assert signed(value, spread) == text
