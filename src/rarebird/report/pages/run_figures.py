"""Which figures a run's report shows, each with a sentence on how to read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rarebird.evaluation.result import Result, Scores
from rarebird.report.figures import decision, reliability, run
from rarebird.report.figures.drawing import COLORS, Drawing
from rarebird.report.label_rule import other_labels, probability_text
from rarebird.report.left_out import why_left_out
from rarebird.report.wording import interval_text, value_text

Shown = dict[str, Any]


def figures(result: Result, scores: Scores) -> Iterator[Shown]:
    """The figures that the scores have coordinates for; of one that cannot be drawn, a sentence."""
    for title, draw in _FIGURES.items():
        try:
            shown = draw(result, scores)
        except Exception as error:
            sentence = f"This figure could not be drawn{why_left_out(error)}; the tables hold all values."
            shown = {"title": title, "aid": sentence, "svg": "", "key": []}
        if shown is not None:
            yield shown


def _reliability(result: Result, scores: Scores) -> Shown | None:
    """The curve of the most probable class."""
    bins = [entry for entry in scores.curves.get("reliability") or [] if entry["count"]]
    if not bins:
        return None
    aid = "Closer to the diagonal is better; below it, the most probable class is less often the true one than its"
    aid += f" probability states. Bars: rows in each bin. {other_labels(result, scores)}"
    return _figure("Reliability of the most probable class", aid, reliability.reliability(bins))


def _class_reliability(result: Result, scores: Scores) -> Shown | None:
    """The curves of the classes, the rarest first."""
    by_class = _of_positive(result, scores.curves.get("class_reliability") or {})
    if not by_class:
        return None
    order = sorted(by_class, key=lambda label: result.class_counts.get(label, 0))
    errors = {row.label: row.calibration_error for row in scores.per_class if row.calibration_error.value}
    details = {label: f"error {value_text(error)} {interval_text(error)}" for label, error in errors.items()}
    aid = "Closer to the diagonal is better; below it, rows are less often of the class than stated. Each dot"
    aid += " states the same number of rows of its class, and the calibration error counts misplaced probability"
    aid += " per row of the class: frequent classes do not hide it."
    title = "Reliability class by class" if len(by_class) > 1 else f"Reliability of “{order[0]}”"
    return _figure(title, aid, reliability.class_reliability(by_class, order, details))


def _precision_and_recall(result: Result, scores: Scores) -> Shown | None:
    curves = _of_positive(result, scores.curves.get("precision_recall") or {})
    curves = {label: curve for label, curve in curves.items() if len(curve["recall"])}
    if not curves:
        return None
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
    return _figure("Precision and recall", aid, run.precision_recall(curves, rates, decided))


def _cost(result: Result, scores: Scores) -> Shown | None:
    curve = None if scores.decision is None or scores.decision.cost is None else scores.decision.cost.curve
    if curve is None:
        return None
    aid = f"What labels cost if mistakes on rows of “{curve.label}” were cheaper (left) or dearer (right) than stated"
    aid += " (dotted line): 1 is the best single label for all rows, 0 is perfect. Lower is better; labels are decided"
    aid += " anew at each point."
    return _figure("Cost", aid, decision.cost_curve(curve))


def _errors_left(result: Result, scores: Scores) -> Shown | None:
    found = None if scores.decision is None else scores.decision.abstention
    if found is None:
        return None
    aid = "Wrong labels among the rows that are labelled, the surest first. A curve that rises to the right shows that"
    aid += " errors are where the model is unsure; the dotted line is what it labels now."
    return _figure("Errors and rows left to a person", aid, decision.error_curve(found))


def _predicted_against_true(result: Result, scores: Scores) -> Shown | None:
    curve = scores.curves.get("residuals")
    if not curve:
        return None
    aid = "Closer to the diagonal is better; in a flatter cloud, predictions of extreme values are too moderate."
    return _figure("Predicted against true", aid, run.predicted_against_true(curve))


def _residuals(result: Result, scores: Scores) -> Shown | None:
    curve = scores.curves.get("residuals")
    if not curve:
        return None
    aid = "An even band around zero is better; a slope shows errors in one direction, a funnel where errors grow."
    return _figure("Residuals", aid, run.residuals(curve))


def _learning_curve(result: Result, scores: Scores) -> Shown | None:
    drawing = run.learning_curve(result.history, result.metric)
    if drawing is None:
        return None
    aid = "Good: both losses fall together. If the held-out loss rises while the training loss falls,"
    aid += " the network memorizes its rows."
    aid += " Compare the shapes of the curves, not their heights: the two losses may weight rows differently."
    return _figure("Learning curve", aid, drawing)


# In the order of the page.
_FIGURES: dict[str, Callable[[Result, Scores], Shown | None]] = {
    "Reliability of the most probable class": _reliability,
    "Reliability class by class": _class_reliability,
    "Precision and recall": _precision_and_recall,
    "Cost": _cost,
    "Errors and rows left to a person": _errors_left,
    "Predicted against true": _predicted_against_true,
    "Residuals": _residuals,
    "Learning curve": _learning_curve,
}


def _of_positive(result: Result, curves: dict[str, Any]) -> dict[str, Any]:
    """Of two classes, the curve of the positive one alone: that of the other shows the same."""
    if len(result.classes) == 2 and result.positive in curves:
        return {result.positive: curves[result.positive]}
    return curves


def _figure(title: str, aid: str, drawing: Drawing) -> Shown:
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
