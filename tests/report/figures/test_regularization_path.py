"""The figure of a regularization path: a clean SVG file that shows both curves, both choices, and what lies at the
ends."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from rarebird.report.figures.regularization_path import path_figure

SVG = "{http://www.w3.org/2000/svg}"
CURVES = {
    "strength": [0.001, 0.01, 0.1, 1.0],
    "training": [0.99, 0.95, 0.9, 0.6],
    "training_error": [0.01, 0.01, 0.01, 0.02],
    "validation": [0.7, 0.75, math.nan, 0.6],
    "validation_error": [0.03, 0.03, math.nan, math.nan],
}


def drawn(curves: dict[str, list[float]] | None = None, **changes: Any) -> str:
    settings: dict[str, Any] = {"best": 0.01, "chosen": 0.1, "log": True, "parts": 5} | changes
    metric = settings.pop("metric", "balanced_accuracy")
    return path_figure(curves or CURVES, metric, "strength of l1", **settings)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_it_is_a_file_of_its_own_that_loads_nothing_and_repeats() -> None:
    svg = drawn()
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert int(root.attrib["width"]) > int(root.attrib["height"]) > 300
    assert "Balanced accuracy on training and held-out rows" in root.attrib["aria-label"]
    assert svg == drawn()
    assert re.findall(r"https?:[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    assert "var(" not in svg
    assert not re.search(r"<metadata|<style|<script", svg)


def test_it_names_the_curves_and_both_sides() -> None:
    written = texts(drawn())
    assert {"strength of l1", "Balanced accuracy (higher is better)"} <= set(written)
    assert {"best: 0.01", "one standard error: 0.1"} <= set(written)
    assert {
        "training rows, ± one standard error of 5 parts",
        "held-out rows, ± one standard error of 5 parts",
    } <= set(written)
    assert any("overfitting" in text and "weaker" in text for text in written)
    assert any("underfitting" in text and "stronger" in text for text in written)
    assert "Log loss (lower is better)" in texts(drawn(metric="log_loss"))


def test_one_line_marks_what_is_both() -> None:
    said = texts(drawn(chosen=0.01))
    assert "best, and one standard error: 0.01" in said
    assert not any(text.startswith("best: ") for text in said)


def test_ticks_are_strengths_that_were_tried_both_ends_among_them() -> None:
    assert {"0.001", "0.01", "0.1", "1"} <= set(texts(drawn()))
    many = [round(0.7 * place / 40, 4) for place in range(41)]
    flat = {name: [0.5] * 41 for name in CURVES} | {"strength": many}
    said = texts(drawn(flat, log=False, best=0.0, chosen=0.7))
    assert {"0", "0.7"} <= set(said)
    assert len([text for text in said if re.fullmatch(r"0(\.\d+)?", text)]) <= 9 + 9


def test_a_mark_per_defined_score() -> None:
    # Four training scores and three validation scores, one more mark each in the key, and two bands, which are
    # see-through.
    styles = [element.attrib["style"] for element in ElementTree.fromstring(drawn()).iter(f"{SVG}use")]
    marks = [style for style in styles if ("#0072b2" in style or "#d55e00" in style) and "fill-opacity" not in style]
    assert len(marks) == 4 + 3 + 2


def test_a_single_strength_is_drawn_and_uneven_curves_are_refused() -> None:
    one = {name: values[:1] for name, values in CURVES.items()}
    assert "best, and one standard error: 0.001" in texts(drawn(one, best=0.001, chosen=0.001))
    with pytest.raises(ValueError, match="curves of one length"):
        drawn(CURVES | {"training": [0.5]})
