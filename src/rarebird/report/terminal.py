"""What `fit` and `evaluate` print for people: the figures with their intervals, a table of the classes, the verdict."""

from __future__ import annotations

from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import ClassScore, Result, Scores
from rarebird.report.language.chosen import told
from rarebird.report.profile_text import display_width
from rarebird.report.verdict import verdict

FIRST = (
    "balanced_accuracy",
    "accuracy",
    "macro_f1",
    "average_precision",
    "roc_auc",
    "log_loss",
    "expected_calibration_error",
)
FIRST_VALUES = ("r2", "mean_squared_error", "mean_absolute_error")


def summary(result: Result) -> str:
    """The result of a fit in a few lines."""
    rows, scores = (
        ("test rows", result.test) if result.test is not None else ("held-out training rows", result.validation)
    )
    lines = [f"{result.name}: {result.n_train} training rows, {result.n_test} test rows. {result.protocol}"]
    if scores is not None:
        lines += ["", f"On the {rows}, with 95 % intervals:", score_table(scores)]
    sentences = result.verdict or verdict(result)
    lines += [""] + (["Verdict:", *(f"- {sentence}" for sentence in sentences), ""] if sentences else [])
    lines += [f"Note: {note}" for note in result.notes]
    places = [f"Model:  {result.model}", *([f"Report: {result.report}"] if result.report else [])]
    return "\n".join([*lines, *places, f"Done in {result.seconds:.1f} s."])


def score_table(scores: Scores) -> str:
    """The main figures, and a line per class."""
    shown = [name for name in (*FIRST, *FIRST_VALUES) if name in scores.metrics]
    lines = [f"  {name:<28} {_with_interval(scores.metrics[name])}" for name in shown]
    if scores.per_class:
        heads = [told(name) for name in ("class", "rows", "recall", "precision", "f1")]
        width = max(min(max(len(row.label) for row in scores.per_class), 30), display_width(heads[0]))
        # Letters of some languages are two columns wide.
        room = [width, 6, 20, 20, 0]
        spaces = [" " * max(n - display_width(head), 0) for n, head in zip(room, heads, strict=True)]
        first, rows, recall, precision, f1 = heads
        line = f"  {first}{spaces[0]}  {spaces[1]}{rows}  {recall}{spaces[2]} {precision}{spaces[3]} {f1}"
        lines += ["", line.rstrip()]
        lines += [_class_line(row, width) for row in scores.per_class]
    return "\n".join(lines)


def _class_line(row: ClassScore, width: int) -> str:
    figures = f"{_with_interval(row.recall):<20} {_with_interval(row.precision):<20} {_with_interval(row.f1)}"
    return f"  {row.label[:width]:<{width}}  {row.support:>6}  {figures}{'  ' + told(row.note) if row.note else ''}"


def _with_interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    interval = (
        "" if estimate.low is None or estimate.high is None else f" [{_digits(estimate.low)}, {_digits(estimate.high)}]"
    )
    return _digits(estimate.value) + interval


def _digits(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
