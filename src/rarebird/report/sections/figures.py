"""The sections of figures of a run's report, each figure with a sentence on how to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rarebird.evaluation.result import Result, Scores
from rarebird.report.figures import binned, decision, reliability, run
from rarebird.report.figures.drawing import COLORS, Drawing
from rarebird.report.label_rule import other_labels, probability_text
from rarebird.report.left_out import why_left_out
from rarebird.report.sections.section import RunContents
from rarebird.report.wording import interval_text, value_text

Shown = dict[str, Any]
Draw = Callable[[RunContents, Scores], Shown | None]


def ranking_values(contents: RunContents, scores: Scores) -> list[Shown] | None:
    """ROC, and precision and recall."""
    return _those_of(contents, scores, {"ROC": _roc, "Precision and recall": _precision_and_recall})


def reliability_values(contents: RunContents, scores: Scores) -> list[Shown] | None:
    """Whether probabilities agree with observed shares: of all rows, before calibration, and class by class."""
    drawings = {
        "Reliability of the most probable class": _reliability,
        "Before and after calibration": _before_and_after,
        "Reliability class by class": _class_reliability,
    }
    return _those_of(contents, scores, drawings)


def errors_values(contents: RunContents, scores: Scores) -> list[Shown] | None:
    """Predicted numbers against true ones."""
    return _those_of(contents, scores, {"Predicted against true": _predicted_against_true, "Residuals": _residuals})


def training_values(contents: RunContents, scores: Scores) -> list[Shown] | None:
    """The learning curve."""
    return _those_of(contents, scores, {"Learning curve": _learning_curve})


def decision_figures(contents: RunContents, scores: Scores) -> list[Shown]:
    """Costs, and errors among labelled rows."""
    return _those_of(contents, scores, {"Cost": _cost, "Errors and rows left to a person": _errors_left}) or []


def drawn(title: str, aid: str, draw: Callable[[], Drawing]) -> Shown:
    """A figure with its title; of one that cannot be drawn, a sentence."""
    try:
        return _figure(title, aid, draw())
    except Exception as error:
        return _failed(title, error)


def _those_of(contents: RunContents, scores: Scores, drawings: Mapping[str, Draw]) -> list[Shown] | None:
    """The figures that the scores have coordinates for; of one that cannot be drawn, a sentence."""
    found = []
    for title, draw in drawings.items():
        try:
            one = draw(contents, scores)
        except Exception as error:
            one = _failed(title, error)
        if one is not None:
            found.append(one)
    return found or None


def _failed(title: str, error: Exception) -> Shown:
    sentence = f"This figure could not be drawn{why_left_out(error)}; the tables hold all values."
    return {"title": title, "aid": sentence, "svg": "", "key": []}


def _roc(contents: RunContents, scores: Scores) -> Shown | None:
    """The curves of the rarest classes."""
    result = contents.result
    curves = _of_positive(result, scores.curves.get("roc") or {})
    curves = {label: curve for label, curve in curves.items() if len(curve["recall"])}
    if not curves:
        return None
    sizes = {row.label: row.support for row in scores.per_class}
    order = sorted(curves, key=lambda label: sizes.get(label, 0))
    decided = {
        label: _rates(scores, [row.label for row in scores.per_class].index(label)) for label in order if label in sizes
    }
    aid = (
        "Closer to the upper left is better; the dashed line is random guessing. The large dot is the operating point:"
    )
    aid += " the rates of the model's labels. With few rows of a class, look at precision and recall instead: false"
    aid += " alarms on many other rows are hardly seen here."
    return _figure("ROC", aid, run.roc(curves, order, {label: point for label, point in decided.items() if point}))


def _rates(scores: Scores, code: int) -> tuple[float, float] | None:
    """False alarms among the other classes' rows, and recall, of the labels; None where there are no such rows."""
    counts = scores.confusion
    own, total = sum(counts[code]), sum(map(sum, counts))
    if not own or own == total:
        return None
    named = sum(row[code] for row in counts)
    return (named - counts[code][code]) / (total - own), counts[code][code] / own


def _before_and_after(contents: RunContents, scores: Scores) -> Shown | None:
    """The curves of the held-out rows without and with calibration."""
    validation = contents.result.validation
    before = None if validation is None else validation.curves.get("uncalibrated")
    if validation is None or not before:
        return None
    after = [entry for entry in validation.curves.get("reliability") or [] if entry["count"]]
    bins = [entry for entry in before["reliability"] if entry["count"]]
    error, loss = (validation.metrics.get(name) for name in ("expected_calibration_error", "log_loss"))
    if not after or not bins or error is None or loss is None or error.value is None or loss.value is None:
        return None
    aid = f"Held-out training rows. Calibration error {before['expected_calibration_error']:.3f} before and"
    aid += f" {error.value:.3f} after, log loss {before['log_loss']:.3f} before and {loss.value:.3f} after. Each row's"
    aid += " calibration was fitted without it. Before: what the networks state, under the prior that they learned."
    return _figure("Before and after calibration", aid, reliability.before_and_after(bins, after))


def _reliability(contents: RunContents, scores: Scores) -> Shown | None:
    """The curve of the most probable class."""
    bins = [entry for entry in scores.curves.get("reliability") or [] if entry["count"]]
    if not bins:
        return None
    aid = "Closer to the diagonal is better; below it, the most probable class is less often the true one than its"
    aid += f" probability states. Bars: rows in each bin. {other_labels(contents.result, scores)}"
    return _figure("Reliability of the most probable class", aid, reliability.reliability(bins))


def _class_reliability(contents: RunContents, scores: Scores) -> Shown | None:
    """The curves of the classes, the rarest first."""
    by_class = _of_positive(contents.result, scores.curves.get("class_reliability") or {})
    if not by_class:
        return None
    order = sorted(by_class, key=lambda label: contents.result.class_counts.get(label, 0))
    errors = {row.label: row.calibration_error for row in scores.per_class if row.calibration_error.value}
    details = {label: f"error {value_text(error)} {interval_text(error)}" for label, error in errors.items()}
    aid = "Closer to the diagonal is better; below it, rows are less often of the class than stated. Each dot"
    aid += " states the same number of rows of its class, and the calibration error counts misplaced probability"
    aid += " per row of the class: frequent classes do not hide it."
    title = "Reliability class by class" if len(by_class) > 1 else f"Reliability of “{order[0]}”"
    return _figure(title, aid, reliability.class_reliability(by_class, order, details))


def _precision_and_recall(contents: RunContents, scores: Scores) -> Shown | None:
    curves = _of_positive(contents.result, scores.curves.get("precision_recall") or {})
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
        aid += (
            "."
            if contents.result.cut_off is None
            else f", from a probability of {probability_text(contents.result.cut_off)} on."
        )
    return _figure("Precision and recall", aid, run.precision_recall(curves, rates, decided))


def _cost(contents: RunContents, scores: Scores) -> Shown | None:
    curve = None if scores.decision is None or scores.decision.cost is None else scores.decision.cost.curve
    if curve is None:
        return None
    aid = f"What labels cost if mistakes on rows of “{curve.label}” were cheaper (left) or dearer (right) than stated"
    aid += " (dotted line): 1 is the best single label for all rows, 0 is perfect. Lower is better; labels are decided"
    aid += " anew at each point."
    return _figure("Cost", aid, decision.cost_curve(curve))


def _errors_left(contents: RunContents, scores: Scores) -> Shown | None:
    found = None if scores.decision is None else scores.decision.abstention
    if found is None:
        return None
    aid = "Wrong labels among the rows that are labelled, the surest first. A curve that rises to the right shows that"
    aid += " errors are where the model is unsure; the dotted line is what it labels now."
    return _figure("Errors and rows left to a person", aid, decision.error_curve(found))


def _predicted_against_true(contents: RunContents, scores: Scores) -> Shown | None:
    curve = scores.curves.get("residuals")
    if not curve:
        return None
    aid = "Closer to the diagonal is better; in a flatter cloud, predictions of extreme values are too moderate."
    draw = run.predicted_against_true if contents.shows_rows else binned.predicted_against_true
    return _figure("Predicted against true", aid, draw(curve))


def _residuals(contents: RunContents, scores: Scores) -> Shown | None:
    curve = scores.curves.get("residuals")
    if not curve:
        return None
    aid = "An even band around zero is better; a slope shows errors in one direction, a funnel where errors grow."
    draw = run.residuals if contents.shows_rows else binned.residuals
    return _figure("Residuals", aid, draw(curve))


def _learning_curve(contents: RunContents, scores: Scores) -> Shown | None:
    drawing = run.learning_curve(contents.result.history, contents.result.metric)
    if drawing is None:
        return None
    aid = "Good: both losses fall together. If the held-out loss rises while the training loss falls,"
    aid += " the network memorizes its rows."
    aid += " Compare the shapes of the curves, not their heights: the two losses may weight rows differently."
    return _figure("Learning curve", aid, drawing)


def _of_positive(result: Result, curves: dict[str, Any]) -> dict[str, Any]:
    """Of two classes, the curve of the positive one alone: that of the other shows the same."""
    if len(result.classes) == 2 and result.positive in curves:
        return {result.positive: curves[result.positive]}
    return curves


def _figure(title: str, aid: str, drawing: Drawing) -> Shown:
    key = [
        {
            "label": entry.label,
            "is_name": entry.is_name,
            "detail": entry.detail,
            "color": f"var(--{entry.color}, {COLORS[entry.color]})",
            "dashes": entry.dashes,
        }
        for entry in drawing.key
    ]
    return {"title": title, "aid": f"{aid} {drawing.left_out}".strip(), "svg": drawing.svg, "key": key}
