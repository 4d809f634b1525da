"""How the report speaks of figures: titles and plain explanations of metrics, sensible digits, and the verdict's
sentences."""

from __future__ import annotations

import math
from typing import NamedTuple

from rarebird.core.checks import some
from rarebird.evaluation.result import ClassScore, Estimate, Result, Scores
from rarebird.metrics import names

TOO_FEW = "too few rows to judge"
# Calibration errors up to this are smaller than what people read out of a probability.
FACE_VALUE = 0.05


class Wording(NamedTuple):
    """How a metric is spoken of.

    Attributes:
        title: What it is called.
        explanation: What it says, in one line.
        share: Whether it lies in 0..1, so that an interval bar can show it.
    """

    title: str
    explanation: str
    share: bool = True


METRICS = {
    "balanced_accuracy": Wording(
        "Balanced accuracy", "Mean of the classes' recalls: every class counts the same, however rare."
    ),
    "accuracy": Wording("Accuracy", "Share of rows that are named rightly; frequent classes dominate it."),
    "macro_f1": Wording("Macro F1", "Mean of the classes' F1: finding a class and being right when naming it."),
    "macro_precision": Wording("Macro precision", "Mean over the classes of how often naming the class is right."),
    "macro_recall": Wording("Macro recall", "Mean over the classes of how much of the class is found."),
    "precision": Wording(
        "Precision", "How often naming the class is right: the positive one of two, else the mean over the classes."
    ),
    "recall": Wording(
        "Recall", "Share of the class that is found: the positive one of two, else the mean over the classes."
    ),
    "f1": Wording(
        "F1", "Harmonic mean of precision and recall: the positive class's of two, else the mean over the classes."
    ),
    "sensitivity": Wording("Sensitivity", "Another name of recall, as medicine has it."),
    "specificity": Wording(
        "Specificity", "Share of the rows of other classes that are rightly not given the class's name."
    ),
    "matthews_corrcoef": Wording(
        "Matthews correlation", "Correlation of truth and prediction: 1 perfect, 0 blind guessing.", share=False
    ),
    "geometric_mean": Wording(
        "Geometric mean", "Geometric mean of the classes' recalls: 0 as soon as one class is never found."
    ),
    "average_precision": Wording(
        "Average precision", "Area under the precision-recall curve: how well the class is ranked on top."
    ),
    "roc_auc": Wording(
        "ROC AUC", "Chance that a row of the class is ranked above a row of another; 0.5 is blind guessing."
    ),
    "log_loss": Wording(
        "Log loss", "Penalty on the probability given to the truth; confident errors cost most.", share=False
    ),
    "brier_score": Wording("Brier score", "Squared distance between probabilities and the truth.", share=False),
    "expected_calibration_error": Wording(
        "Calibration error", "How far confidence and share of right predictions lie apart."
    ),
    "mean_squared_error": Wording(
        "Mean squared error", "Mean squared difference from the truth; large errors dominate it.", share=False
    ),
    "root_mean_squared_error": Wording(
        "Root mean squared error", "Typical error in the target's own unit; large errors weigh more.", share=False
    ),
    "mean_absolute_error": Wording("Mean absolute error", "Mean error in the target's own unit.", share=False),
    "r2": Wording("R²", "Share of the target's variance that is explained; 0 is as good as the mean.", share=False),
}


def wording(name: str) -> Wording:
    """How to speak of the metric `name`; ``recall:CLASS`` and the like speak of one class; an unknown one bears its own
    name."""
    kind, colon, label = name.partition(":")
    if name in METRICS:
        return METRICS[name]
    if colon and kind in names.PER_CLASS:
        return Wording(f"{METRICS[kind].title} of {label}", f"{METRICS[kind].title} of this class alone.")
    return Wording(name.replace("_", " ").capitalize(), "", share=False)


def better(name: str) -> str:
    """Whether ``higher`` or ``lower`` values of the metric `name` are better; empty for an unknown one."""
    kind, colon, _ = name.partition(":")
    known = names.METRICS.get(kind if colon else name)
    return "" if known is None else "higher" if known.larger_is_better else "lower"


def estimate_of(scores: Scores, name: str) -> Estimate | None:
    """The figure called `name`, ``recall:CLASS`` and the like included; None where the scores do not hold it."""
    kind, colon, label = name.partition(":")
    if colon and kind in names.PER_CLASS:
        return next((getattr(row, kind) for row in scores.per_class if row.label == label), None)
    return scores.metrics.get(name)


def number(value: float, spread: float | None = None, size: float | None = None) -> str:
    """A figure with as many digits as its uncertainty leaves meaningful.

    Args:
        value: The figure.
        spread: Half the width of its interval; None or 0: three digits are shown.
        size: Magnitude that decides the digits, where it is not the figure's own: the ends of an interval look like its
            middle.
    """
    size = abs(value) if size is None else size
    if size >= 1e6 or 0 < size < 1e-4:
        return f"{value:.3g}"
    fewest = 2 if size < 10 else 1 if size < 100 else 0
    decimals = math.ceil(-math.log10(spread)) if spread else 2 - math.floor(math.log10(size or 1))
    decimals = min(max(decimals, fewest), 4)
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return f"{round(value, decimals) + 0.0:,.{decimals}f}".replace(",", "\u202f")


def value_text(estimate: Estimate) -> str:
    """The figure alone, ``0.94``; a dash where there is none."""
    return "–" if estimate.value is None else number(estimate.value, _spread(estimate))


def interval_text(estimate: Estimate) -> str:
    """The 95 % interval, ``[0.92, 0.96]``; empty where there is none."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return ""
    low, high = (number(end, _spread(estimate), abs(estimate.value)) for end in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def verdict(result: Result, scores: Scores, headline: str) -> list[str]:
    """What a reader should take home, in full sentences, the most important first."""
    sentences = [
        _against_blind(result, estimate_of(scores, headline), headline),
        _agreement(result, headline),
        *_hardest(scores.per_class),
    ]
    unjudged = [row.label for row in scores.per_class if row.recall.value is None]
    if unjudged:
        what = "One class has" if len(unjudged) == 1 else f"{len(unjudged)} classes have"
        sentences.append(f"{what} too few rows here to be judged: {some([f'“{label}”' for label in unjudged])}.")
    error = scores.metrics.get("expected_calibration_error")
    if error is not None and error.value is not None:
        sentences.append(_calibration(error))
    return [sentence for sentence in sentences if sentence]


def _against_blind(result: Result, estimate: Estimate | None, headline: str) -> str:
    blind = {
        "balanced_accuracy": 1 / max(len(result.classes), 1),
        "roc_auc": 0.5,
        "matthews_corrcoef": 0.0,
        "r2": 0.0,
    }.get(headline)
    if blind is None or estimate is None or estimate.low is None:
        return ""
    guess = "Always predicting the mean" if headline == "r2" else "Blind guessing"
    reach = f"{guess} would reach {blind:.2f}"
    return (
        f"{reach}; the whole interval lies above it."
        if estimate.low > blind
        else f"{reach}, which this model is not shown to beat."
    )


def _agreement(result: Result, headline: str) -> str:
    """Whether test rows bear out what the validation rows promised."""
    test = estimate_of(result.test, headline) if result.test else None
    validation = estimate_of(result.validation, headline) if result.validation else None
    if (
        test is None
        or validation is None
        or test.low is None
        or test.high is None
        or validation.low is None
        or validation.high is None
    ):
        return ""
    shown = f"{value_text(validation)} {interval_text(validation)}"
    if test.low > validation.high or test.high < validation.low:
        return f"On the validation rows it was {shown}, which the test rows do not bear out: the two may come from different sources."
    return f"On the validation rows it was {shown}: the test rows bear that out."


def _hardest(rows: list[ClassScore]) -> list[str]:
    judged = [row for row in rows if row.recall.value is not None]
    if len(judged) < 2:
        return []
    hardest = min(judged, key=lambda row: row.recall.value or 0.0)
    found = f"{value_text(hardest.recall)} {interval_text(hardest.recall)}".strip()
    return [f"Hardest class: “{hardest.label}”. The share of its {hardest.support} rows that is found is {found}."]


def _calibration(error: Estimate) -> str:
    assert error.value is not None
    gap = f"Stated probabilities and the share of right predictions lie {100 * error.value:.1f} percentage points apart on average"
    if (error.high if error.high is not None else error.value) <= FACE_VALUE:
        return f"{gap}: they can be taken at face value."
    return (
        f"{gap}: read them with care." if error.value > FACE_VALUE else f"{gap}, though these rows do not settle that."
    )


def _spread(estimate: Estimate) -> float | None:
    if estimate.low is None or estimate.high is None:
        return None
    return (estimate.high - estimate.low) / 2
