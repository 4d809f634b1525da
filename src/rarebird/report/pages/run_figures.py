"""Which figures a run's report shows, each with a sentence on how to read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rarebird.evaluation.result import Result, Scores
from rarebird.report.figures import reliability, run
from rarebird.report.figures.drawing import COLORS, Drawing
from rarebird.report.label_rule import other_labels, probability_text
from rarebird.report.wording import interval_text, value_text


def figures(result: Result, scores: Scores) -> Iterable[dict[str, Any]]:
    """The figures that the scores have coordinates for."""
    yield from _reliability(result, scores)
    yield from _precision_and_recall(result, scores)
    if residuals := scores.curves.get("residuals"):
        aid = "Closer to the diagonal is better; in a flatter cloud, predictions of extreme values are too moderate."
        yield _figure("Predicted against true", aid, run.predicted_against_true(residuals))
        aid = "An even band around zero is better; a slope shows errors in one direction, a funnel where errors grow."
        yield _figure("Residuals", aid, run.residuals(residuals))
    if drawing := run.learning_curve(result.history, result.metric):
        aid = "Good: both losses fall together. If the held-out loss rises while the training loss falls,"
        aid += " the network memorizes its rows."
        aid += " Compare the shapes of the curves, not their heights: the two losses may weight rows differently."
        yield _figure("Learning curve", aid, drawing)


def _reliability(result: Result, scores: Scores) -> Iterable[dict[str, Any]]:
    """The curve of the most probable class, and those of the classes, the rarest first."""
    bins = [entry for entry in scores.curves.get("reliability") or [] if entry["count"]]
    if bins:
        aid = "Closer to the diagonal is better; below it, the most probable class is less often the true one than its"
        aid += f" probability states. Bars: rows in each bin. {other_labels(result, scores)}"
        yield _figure("Reliability of the most probable class", aid, reliability.reliability(bins))
    by_class = _of_positive(result, scores.curves.get("class_reliability") or {})
    if by_class:
        order = sorted(by_class, key=lambda label: result.class_counts.get(label, 0))
        errors = {row.label: row.calibration_error for row in scores.per_class if row.calibration_error.value}
        details = {label: f"error {value_text(error)} {interval_text(error)}" for label, error in errors.items()}
        aid = "Closer to the diagonal is better; below it, rows are less often of the class than stated. Each dot"
        aid += " states the same number of rows of its class, and the calibration error counts misplaced probability"
        aid += " per row of the class: frequent classes do not hide it."
        title = "Reliability class by class" if len(by_class) > 1 else f"Reliability of “{order[0]}”"
        yield _figure(title, aid, reliability.class_reliability(by_class, order, details))


def _precision_and_recall(result: Result, scores: Scores) -> Iterable[dict[str, Any]]:
    curves = _of_positive(result, scores.curves.get("precision_recall") or {})
    curves = {label: curve for label, curve in curves.items() if len(curve["recall"])}
    if not curves:
        return
    total = max(sum(row.support for row in scores.per_class), 1)
    rates = {row.label: row.support / total for row in scores.per_class}
    decided = {
        row.label: (row.recall.value, row.precision.value)
        for row in scores.per_class
        if row.recall.value is not None and row.precision.value is not None
    }
    aid = "Closer to the upper right is better; a dotted line shows what random guessing reaches for that class."
    if decided:
        aid += " The large dot is the operating point: recall and precision of the model's labels"
        aid += "." if result.cut_off is None else f", from a probability of {probability_text(result.cut_off)} on."
    yield _figure("Precision and recall", aid, run.precision_recall(curves, rates, decided))


def _of_positive(result: Result, curves: dict[str, Any]) -> dict[str, Any]:
    """Of two classes, the curve of the positive one alone: that of the other shows the same."""
    if len(result.classes) == 2 and result.positive in curves:
        return {result.positive: curves[result.positive]}
    return curves


def _figure(title: str, aid: str, drawing: Drawing) -> dict[str, Any]:
    key = [
        {
            "label": entry.label,
            "detail": entry.detail,
            "color": f"var(--{entry.color}, {COLORS[entry.color]})",
            "dashes": entry.dashes,
        }
        for entry in drawing.key
    ]
    return {"title": title, "aid": f"{aid} {drawing.left_out}".strip(), "svg": drawing.svg, "key": key}
