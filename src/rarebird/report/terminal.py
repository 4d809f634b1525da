"""What `fit` and `evaluate` print for a person: the figures with intervals, and the class table with the rare classes'
rows."""

from __future__ import annotations

from rarebird.evaluation.result import ClassScore, Estimate, Result, Scores

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
    """The outcome of a fit in some lines."""
    judged, scores = (
        ("test rows", result.test) if result.test is not None else ("held-out training rows", result.validation)
    )
    lines = [f"{result.name}: {result.n_train} training rows, {result.n_test} test rows. {result.protocol}"]
    if scores is not None:
        lines += ["", f"On the {judged}, with 95 % intervals:", score_table(scores)]
    lines += [""] + [f"Note: {note}" for note in result.notes]
    return "\n".join(
        [*lines, f"Model:  {result.model}", f"Report: {result.report}", f"Done in {result.seconds:.1f} s."]
    )


def score_table(scores: Scores) -> str:
    """The main figures, and a line per class."""
    named = [name for name in (*FIRST, *FIRST_VALUES) if name in scores.metrics]
    lines = [f"  {name:<28} {_shown(scores.metrics[name])}" for name in named]
    if scores.per_class:
        width = min(max(len(row.label) for row in scores.per_class), 30)
        lines += ["", f"  {'class':<{width}}  {'rows':>6}  {'recall':<20} {'precision':<20} f1"]
        lines += [_class_line(row, width) for row in scores.per_class]
    return "\n".join(lines)


def _class_line(row: ClassScore, width: int) -> str:
    figures = f"{_shown(row.recall):<20} {_shown(row.precision):<20} {_shown(row.f1)}"
    return f"  {row.label[:width]:<{width}}  {row.support:>6}  {figures}{'  ' + row.note if row.note else ''}"


def _shown(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    interval = (
        "" if estimate.low is None or estimate.high is None else f" [{_digits(estimate.low)}, {_digits(estimate.high)}]"
    )
    return _digits(estimate.value) + interval


def _digits(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
