"""Figures: what is drawn is what was given, the SVG is clean and repeatable, and nothing outside is disturbed."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from rarebird.report.figures import reliability, run
from rarebird.report.figures.drawing import COLORS, DASHES, SERIES, Drawing, figure_style, svg_text

BINS = [{"confidence": 0.55, "accuracy": 0.5, "count": 12}, {"confidence": 0.97, "accuracy": 1.0, "count": 300}]
CLASS_BINS = {
    "正常": [{"stated": 0.001, "share": 0.0, "low": 0.0, "high": 0.01, "count": 900}],
    "b": [
        {"stated": 0.3, "share": 0.2, "low": 0.1, "high": 0.4, "count": 40},
        {"stated": 0.8, "share": 0.9, "low": 0.7, "high": 1.0, "count": 12},
    ],
}
CURVE = {"precision": [0.2, 0.5, 1.0, 1.0], "recall": [1.0, 0.5, 0.25, 0.0]}
VALUES = {"true": [1.0, 2.0, 3.0, 4.5], "predicted": [1.1, 1.8, 3.3, 4.0]}
HISTORY = [
    {"fold": fold, "step": s, "train_loss": 1 / (s + 1), "val_loss": 1.2 / (s + 1), "learning_rate": 0.1}
    for fold in (0, 1)
    for s in range(4)
]


def drawn(name: str) -> Drawing:
    made = {
        "reliability": lambda: reliability.reliability(BINS),
        "precision_recall": lambda: run.precision_recall({"正常": CURVE}, {"正常": 0.2}, {"正常": (0.5, 0.5)}),
        "class_reliability": lambda: reliability.class_reliability(CLASS_BINS, ["b", "正常"], {"b": "error 0.1"}),
        "learning_curve": lambda: run.learning_curve(HISTORY, "balanced_accuracy"),
        "predicted_against_true": lambda: run.predicted_against_true(VALUES),
        "residuals": lambda: run.residuals(VALUES),
    }[name]()
    assert made is not None
    return made


NAMES = [
    "reliability",
    "class_reliability",
    "precision_recall",
    "learning_curve",
    "predicted_against_true",
    "residuals",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_svg_is_clean_repeatable_and_speaks(name: str) -> None:
    svg = drawn(name).svg
    root = ElementTree.fromstring(svg)
    assert root.tag == "svg"
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]
    assert svg == drawn(name).svg
    assert not re.search(r"https?:|<metadata|<style|<script|<!DOCTYPE|20\d\d-\d\d-\d\d", svg)
    assert {element.tag for element in root.iter()} <= {"svg", "g", "defs", "path", "use", "text", "clipPath", "rect"}


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_the_figures_own_and_every_reference_finds_its_target(name: str) -> None:
    svg = drawn(name).svg
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert all(found.startswith(f"{name}-") for found in ids)
    assert {a or b for a, b in re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', svg)} <= set(ids)


@pytest.mark.parametrize("name", NAMES)
def test_every_color_is_the_pages_so_that_dark_mode_reaches_it(name: str) -> None:
    used = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", drawn(name).svg)) - {"none"}
    assert used
    assert used <= {f"var(--{role}, {color})" for role, color in COLORS.items()}


def test_text_of_any_script_stays_text_and_dollars_are_no_mathematics() -> None:
    with figure_style() as new_figure:
        figure = new_figure(3, 2)
        figure.subplots().set_title("正常 $x_1$ <b> & ÿ 🐦")
        svg = svg_text(figure, "name", 'a "description" <of it>')
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == 'a "description" <of it>'
    titles = [element for element in root.iter("text") if element.text == "正常 $x_1$ <b> & ÿ 🐦"]
    assert len(titles) == 1
    assert "'Noto Sans CJK SC','Microsoft YaHei','PingFang SC',sans-serif" in titles[0].attrib["style"]
    assert "DejaVu" not in svg


def test_drawing_leaves_matplotlib_as_it_found_it() -> None:
    code = """
import sys, matplotlib
matplotlib.rcParams["font.size"] = 31
before = dict(matplotlib.rcParams)
from rarebird.report.figures.run import residuals
first = residuals({"true": [1, 2], "predicted": [1, 3]})
assert dict(matplotlib.rcParams) == before
assert "matplotlib.pyplot" not in sys.modules
matplotlib.rcParams["text.color"] = "red"
assert residuals({"true": [1, 2], "predicted": [1, 3]}) == first
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_empty_bins_change_nothing_and_no_bins_are_refused() -> None:
    assert reliability.reliability(
        [*BINS, {"confidence": 0.1, "accuracy": 0.0, "count": 0}]
    ) == reliability.reliability(BINS)
    with pytest.raises(ValueError, match="at least one bin"):
        reliability.reliability([{"confidence": 0.1, "accuracy": 0.0, "count": 0}])


def test_bins_are_labelled_with_their_rows() -> None:
    texts = [element.text for element in ElementTree.fromstring(drawn("reliability").svg).iter("text")]
    assert {"12", "300"} <= set(texts)


def test_a_rare_class_is_drawn_on_logarithmic_axes_and_a_common_one_is_not() -> None:
    def ticks(labels: list[str]) -> set[str | None]:
        bins = {label: CLASS_BINS[label] for label in labels}
        svg = reliability.class_reliability(bins, labels, {}).svg
        return {element.text for element in ElementTree.fromstring(svg).iter("text")}

    assert {"0.001", "0.01", "0.1", "1"} <= ticks(["正常", "b"])
    assert {"0.2", "0.4"} <= ticks(["b"])
    assert "0.01" not in ticks(["b"])


def test_each_class_has_its_key_and_of_many_the_first_six_are_drawn() -> None:
    keys = reliability.class_reliability(CLASS_BINS, ["b", "正常"], {"b": "error 0.1"}).key
    assert [(key.label, key.detail) for key in keys[:-1]] == [("b", "error 0.1"), ("正常", "")]
    many = {f"class {k}": CLASS_BINS["b"] for k in range(9)}
    drawing = reliability.class_reliability(many, list(many)[::-1], {})
    assert [key.label for key in drawing.key[:-1]] == [f"class {k}" for k in range(8, 2, -1)]
    assert drawing.left_out == "The 6 rarest of 9 classes are drawn."


def test_the_operating_point_is_a_dot_of_its_class() -> None:
    def markers(decided: dict[str, tuple[float, float]]) -> int:
        svg = run.precision_recall({"a": CURVE, "b": CURVE}, {}, decided).svg
        return sum(1 for element in ElementTree.fromstring(svg).iter("use") if "series-0" in str(element.attrib))

    assert markers({"a": (0.5, 0.5), "c": (0.1, 0.1)}) == markers({}) + 1


def test_the_order_of_a_curves_points_does_not_matter() -> None:
    turned = {name: values[::-1] for name, values in CURVE.items()}
    assert run.precision_recall({"a": CURVE}, {}) == run.precision_recall({"a": turned}, {})


def test_of_many_classes_the_rarest_are_drawn_each_with_its_own_line() -> None:
    rates = {f"class {k}": (10 - k) / 55 for k in range(10)}
    drawing = run.precision_recall(dict.fromkeys(rates, CURVE), rates)
    assert [key.label for key in drawing.key] == [f"class {k}" for k in range(9, 3, -1)]
    assert len({(key.color, key.dashes) for key in drawing.key}) == len(SERIES) == len(DASHES)
    assert len(set(DASHES)) == len(DASHES)
    assert drawing.left_out == "The 6 rarest of 10 classes are drawn."
    assert drawing.key[0].detail == "base rate 0.018"


def test_base_rates_are_optional() -> None:
    assert run.precision_recall({"a": CURVE}, {}).key[0].detail == ""


def test_the_learning_curve_needs_two_points_and_takes_what_is_there() -> None:
    assert run.learning_curve([], "r2") is None
    assert run.learning_curve(HISTORY[:1], "r2") is None
    assert run.learning_curve([{"step": s, "train_loss": float("nan")} for s in range(5)], "r2") is None
    alone = run.learning_curve([{"step": s, "train_loss": 1.0 - s / 10} for s in range(5)], "r2")
    assert alone is not None
    assert [key.label for key in alone.key] == ["training rows"]
    assert alone.left_out == ""
    assert "2 folds" in drawn("learning_curve").left_out


@pytest.mark.parametrize(
    ("entry", "metric", "label"),
    [
        ({"val_r2": 0.5, "val_loss": 1.0}, "r2", "r2"),
        ({"balanced_accuracy": 0.5}, "balanced_accuracy", "balanced accuracy"),
        ({"val_macro_f1": 0.5}, "accuracy", "macro f1"),
        ({"val_loss": 0.5}, "accuracy", None),
    ],
)
def test_the_score_of_the_learning_curve(entry: dict[str, float], metric: str, label: str | None) -> None:
    drawing = run.learning_curve([{"step": s, "train_loss": 1.0, **entry} for s in range(3)], metric)
    assert drawing is not None
    texts = {element.text for element in ElementTree.fromstring(drawing.svg).iter("text")}
    assert ({label} if label else set()) == texts & {"r2", "balanced accuracy", "macro f1", "accuracy"}


def test_folds_that_share_no_steps_are_drawn_without_a_mean() -> None:
    apart = [{"fold": fold, "step": 10 * fold + s, "train_loss": 1.0 - s / 10} for fold in (0, 1) for s in range(4)]
    assert run.learning_curve(apart, "r2") is not None


def test_one_mark_per_row_up_to_the_largest_number_on_a_page() -> None:
    values = np.linspace(0, 1, run.MOST_POINTS + 500).tolist()
    full = run.predicted_against_true(VALUES)
    thinned = run.predicted_against_true({"true": values, "predicted": values})
    markers = [
        sum(1 for e in ElementTree.fromstring(d.svg).iter("use") if "fill-opacity" in e.attrib.get("style", ""))
        for d in (full, thinned)
    ]
    assert markers == [4, run.MOST_POINTS]
    assert (full.left_out, thinned.left_out) == ("", "1000 of 1500 rows are drawn.")


def test_large_values_have_spaced_ticks() -> None:
    drawing = run.predicted_against_true({"true": [0.0, 800_000.0], "predicted": [1.0, 790_000.0]})
    assert "800\u202f000" in [element.text for element in ElementTree.fromstring(drawing.svg).iter("text")]


@pytest.mark.parametrize("values", [{"true": [], "predicted": []}, {"true": [1.0], "predicted": [1.0, 2.0]}])
def test_values_must_come_in_pairs(values: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="one predicted value per true value"):
        run.residuals(values)
