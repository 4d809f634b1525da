"""Words and numbers of the report: titles and plain explanations of metrics, and meaningful digits."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import Scores
from rarebird.metrics import names

TOO_FEW = "too few rows to judge"


class Wording(NamedTuple):
    """How a page names and explains a metric.

    Attributes:
        title: Its name for people.
        explanation: What it measures, in one line.
        share: Whether it is between 0 and 1, so that a bar can show its interval.
    """

    title: str
    explanation: str
    share: bool = True


METRICS = {
    "balanced_accuracy": Wording(
        "Balanced accuracy", "Mean of the classes' recalls: every class counts the same, however rare."
    ),
    "accuracy": Wording("Accuracy", "Share of rows that are predicted correctly; frequent classes dominate it."),
    "macro_f1": Wording("Macro F1", "Mean of the classes' F1, which joins precision and recall."),
    "macro_precision": Wording("Macro precision", "Mean of the classes' precisions: every class counts the same."),
    "macro_recall": Wording("Macro recall", "Mean of the classes' recalls: every class counts the same."),
    "precision": Wording(
        "Precision",
        "How often a prediction of the class is right: for the positive of two classes, otherwise the classes' mean.",
    ),
    "recall": Wording(
        "Recall", "Share of the class that is found: for the positive of two classes, otherwise the classes' mean."
    ),
    "f1": Wording(
        "F1", "Harmonic mean of precision and recall: for the positive of two classes, otherwise the classes' mean."
    ),
    "sensitivity": Wording("Sensitivity", "Another name for recall, used in medicine."),
    "specificity": Wording("Specificity", "Share of the other classes' rows that are not mistaken for the class."),
    "matthews_corrcoef": Wording(
        "Matthews correlation", "Correlation of truth and prediction: 1 is perfect, 0 is random guessing.", share=False
    ),
    "geometric_mean": Wording(
        "Geometric mean", "Geometric mean of the classes' recalls: 0 as soon as one class is never found."
    ),
    "average_precision": Wording(
        "Average precision", "Area under the precision-recall curve: how well the class is ranked above the others."
    ),
    "roc_auc": Wording(
        "ROC AUC", "Chance that a row of the class is ranked above a row of another; 0.5 is random guessing."
    ),
    "log_loss": Wording(
        "Log loss",
        "Penalty for a low probability of the true class; confident errors cost most.",
        share=False,
    ),
    "brier_score": Wording("Brier score", "Squared distance between probabilities and the truth.", share=False),
    "expected_calibration_error": Wording(
        "Calibration error",
        "Mean difference between the probability of the most probable class and the share of rows that are of it.",
    ),
    "classwise_calibration_error": Wording(
        "Class-wise calibration error",
        "Mean over the classes of the misplaced probability per row of the class: rare classes count the same.",
        share=False,
    ),
    "mean_squared_error": Wording(
        "Mean squared error", "Mean squared difference from the truth; large errors dominate it.", share=False
    ),
    "root_mean_squared_error": Wording(
        "Root mean squared error", "Typical error in the target's own unit; large errors weigh more.", share=False
    ),
    "mean_absolute_error": Wording("Mean absolute error", "Mean error in the target's own unit.", share=False),
    "r2": Wording("R²", "Share of the target's variance that is explained; predicting the mean gives 0.", share=False),
}


def wording(name: str) -> Wording:
    """Title and explanation of the metric `name`, also of ``recall:CLASS`` and the like; an unknown metric keeps its
    name."""
    kind, colon, label = name.partition(":")
    if name in METRICS:
        return METRICS[name]
    if colon and kind in names.PER_CLASS:
        return Wording(f"{METRICS[kind].title} of {label}", f"{METRICS[kind].title} of this class alone.")
    return Wording(name.replace("_", " ").capitalize(), "", share=False)


def better(name: str) -> str:
    """Whether ``higher`` or ``lower`` values of the metric `name` are better; empty for an unknown metric."""
    kind, colon, _ = name.partition(":")
    if name == "classwise_calibration_error":
        return "lower"
    known = names.METRICS.get(kind if colon else name)
    return "" if known is None else "higher" if known.larger_is_better else "lower"


def estimate_of(scores: Scores, name: str) -> Estimate | None:
    """The figure called `name`, also ``recall:CLASS`` and the like; None if the scores lack it."""
    kind, colon, label = name.partition(":")
    if colon and kind in names.PER_CLASS:
        return next((getattr(row, kind) for row in scores.per_class if row.label == label), None)
    return scores.metrics.get(name)


def number(value: float, spread: float | None = None, size: float | None = None) -> str:
    """A figure with as many digits as its uncertainty makes meaningful.

    Args:
        value: The figure.
        spread: Half the width of its interval; None or 0: three digits are shown.
        size: Magnitude that decides the digits; None: the figure's own. The ends of an interval get as many digits as
            its middle.
    """
    size = abs(value) if size is None else size
    if size >= 1e6 or 0 < size < 1e-4:
        return f"{value:.3g}"
    fewest = 2 if size < 10 else 1 if size < 100 else 0
    decimals = math.ceil(-math.log10(spread)) if spread else 2 - math.floor(math.log10(size or 1))
    decimals = min(max(decimals, fewest), 4)
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return f"{round(value, decimals) + 0.0:,.{decimals}f}".replace(",", "\u202f")


def percent_text(share: float) -> str:
    """``77 %``; empty if the share rounds to nothing."""
    percent = 100 * share
    return "" if percent < 0.05 else f"{percent:.0f} %" if percent >= 1 else f"{percent:.1f} %"


def p_text(p_value: float) -> str:
    """``p = 0.03``, or ``p < 0.001``."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def value_text(estimate: Estimate) -> str:
    """The figure alone, ``0.94``; a dash if there is none."""
    return "–" if estimate.value is None else number(estimate.value, _spread(estimate))


def interval_text(estimate: Estimate) -> str:
    """The 95 % interval, ``[0.92, 0.96]``; empty if there is none."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return ""
    low, high = (number(end, _spread(estimate), abs(estimate.value)) for end in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def _spread(estimate: Estimate) -> float | None:
    if estimate.low is None or estimate.high is None:
        return None
    return (estimate.high - estimate.low) / 2


def cell_text(value: object) -> str:
    """A cell; a dash where it is missing."""
    import pandas as pd

    if pd.isna(value):  # type: ignore[call-overload]
        return "–"
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else str(value)
    if not isinstance(value, float | np.floating):
        return str(value)
    number = float(value)
    return f"{number:.0f}" if 1e5 <= abs(number) < 1e12 else f"{number:.5g}"
