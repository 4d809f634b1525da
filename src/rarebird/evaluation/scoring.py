"""Scores of a model on rows that it never saw: every figure with its 95 % interval, also per class.

*Macro figures are scikit-learn's*: balanced accuracy averages the classes that have rows, macro F1 and macro precision
those that have rows or are predicted. A class with one row is part of them, although the class's own row of the table
shows no figure.

*Intervals.* Shares have Wilson's, on the effective number of rows where rows are weighted or form groups. What the
recalls of the classes decide (balanced accuracy, F1, precision, correlation) has their intervals' square-and-add
combination, rankings have score intervals, and losses have the percentile bootstrap, stratified by class and of whole
groups. Errors of predicted numbers have Student's interval on a logarithmic scale. No interval is without width because
no row is wrong. All take the mix of classes as given
(`uncertainty.bootstrap_weights` describes the cost). `docs/statistics.md` has the methods, their sources and how often
the intervals contain the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.core.checks import require
from rarebird.evaluation.class_calibration import (
    class_calibrations,
    class_curves,
    classwise_error,
    with_calibration,
)
from rarebird.evaluation.intervals import (
    ClassPredictions,
    label_estimates,
    probability_estimates,
    ranking_estimates,
)
from rarebird.evaluation.per_class import class_score
from rarebird.evaluation.result import Scores
from rarebird.evaluation.value_intervals import value_estimates
from rarebird.metrics import confusion, ranking
from rarebird.metrics.calibration import reliability_curve

# Classes whose precision-recall curve the report draws, and rows whose residual it draws.
MOST_CURVES, MOST_RESIDUALS = 10, 500


def score(
    y: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    *,
    weight: np.ndarray | None = None,
    group: np.ndarray | None = None,
    positive: int | None = None,
    seed: int = 0,
) -> Scores:
    """How well classes were predicted, with 95 % intervals.

    The keys of `metrics` are the names of `metrics.names`. ``f1, precision, recall, sensitivity, specificity,
    average_precision, roc_auc`` are the positive class's for two classes, and means over the classes, one against the
    rest, for more. An undefined figure is None.

    `confusion` counts rows, whatever their weight.

    Args:
        y: ``(n,)`` true codes into `classes`.
        probabilities: ``(n, n_classes)`` under the natural prior, rows summing to 1.
        predicted: ``(n,)`` decided codes.
        classes: The class labels.
        weight: ``(n,)`` sample weights, at least 0; None for all ones.
        group: ``(n,)`` group labels (patient, track, site); None where rows are independent.
        positive: Code of the positive class of two; None: the rarer among `y`. Not used for more than two.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: Lengths, codes, probabilities or weights that break a rule.
    """
    _check(len(y), predicted, weight, group)
    _check_classes(y, probabilities, predicted, len(classes), positive)
    scored = ClassPredictions(
        y=np.asarray(y, dtype=np.int64),
        probabilities=np.asarray(probabilities, dtype=float),
        predicted=np.asarray(predicted, dtype=np.int64),
        weight=None if weight is None else np.asarray(weight, dtype=float),
        group=group,
        positive=_positive(y, len(classes), positive),
    )
    return _scores(scored, classes, seed)


def score_regression(
    y: np.ndarray,
    predicted: np.ndarray,
    *,
    weight: np.ndarray | None = None,
    group: np.ndarray | None = None,
    seed: int = 0,
) -> Scores:
    """How well numbers were predicted, with 95 % intervals (`rarebird.evaluation.value_intervals`).

    Args:
        y: ``(n,)`` true values, finite, in the target's own units.
        predicted: ``(n,)`` predicted values, finite, in the same units.
        weight: ``(n,)`` sample weights, at least 0; None for all ones.
        group: ``(n,)`` group labels; None where rows are independent.
        seed: Seed of the rows that `curves` shows, 500 at most.

    Raises:
        ValueError: Lengths, values or weights that break a rule.
    """
    _check(len(y), predicted, weight, group)
    require(bool(np.isfinite(y).all() and np.isfinite(predicted).all()), "values are finite", n=len(y))
    y, predicted = np.asarray(y, dtype=float), np.asarray(predicted, dtype=float)
    weights = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    shown = np.arange(len(y))
    if len(y) > MOST_RESIDUALS:
        shown = np.sort(rng.stream(seed, "residuals").choice(len(y), MOST_RESIDUALS, replace=False))
    return Scores(
        metrics=value_estimates(y, predicted, weights, group),
        curves={"residuals": {"true": y[shown].tolist(), "predicted": predicted[shown].tolist()}},
    )


def _scores(scored: ClassPredictions, classes: Sequence[str], seed: int) -> Scores:
    counts = confusion.tally(scored.y, scored.predicted, scored.n_classes, scored.weights)
    rows = [class_score(scored, counts, code, label) for code, label in enumerate(classes)]
    calibrations = class_calibrations(scored)
    rows = with_calibration(rows, calibrations)
    return Scores(
        metrics=label_estimates(scored, counts) | ranking_estimates(scored) | probability_estimates(scored, seed),
        per_class=rows,
        classwise_calibration_error=classwise_error(rows),
        confusion=confusion.confusion_matrix(scored.y, scored.predicted, scored.n_classes).tolist(),
        curves=_curves(scored, classes) | {"class_reliability": class_curves(calibrations, classes, drawn(scored))},
        most_probable=_share_most_probable(scored),
    )


def _check(n: int, predicted: np.ndarray, weight: np.ndarray | None, group: np.ndarray | None) -> None:
    require(n > 0, "at least one row to score", n=n)
    require(len(predicted) == n, "one prediction per row", n=n, predictions=len(predicted))
    require(group is None or len(group) == n, "one group per row", n=n, groups=None if group is None else len(group))
    if weight is not None:
        require(len(weight) == n, "one weight per row", n=n, weights=len(weight))
        require(
            bool(np.isfinite(weight).all() and weight.min() >= 0 and weight.sum() > 0),
            "weights >= 0, not all 0",
            low=weight.min(),
        )


def _check_classes(
    y: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray, n_classes: int, positive: int | None
) -> None:
    require(
        probabilities.shape == (len(y), n_classes),
        "probabilities are (n, n_classes)",
        shape=probabilities.shape,
        n_classes=n_classes,
    )
    require(
        bool(np.isfinite(probabilities).all()),
        "probabilities are finite",
        not_finite=int((~np.isfinite(probabilities)).sum()),
    )
    for name, codes in (("y", y), ("predicted", predicted)):
        require(
            codes.min() >= 0 and codes.max() < n_classes,
            f"{name} holds codes of the classes",
            low=codes.min(),
            high=codes.max(),
        )
    require(positive is None or 0 <= positive < n_classes, "positive is a code of the classes", positive=positive)


def _positive(y: np.ndarray, n_classes: int, positive: int | None) -> int | None:
    if n_classes != 2:
        return None
    return int(np.argmin(np.bincount(y, minlength=2))) if positive is None else positive


def _share_most_probable(scored: ClassPredictions) -> float:
    """The share of rows whose label is their most probable class."""
    return float(np.average(scored.predicted == scored.probabilities.argmax(axis=1), weights=scored.weights))


def drawn(scored: ClassPredictions) -> list[int]:
    """The classes whose curves the report draws: the positive class, or the ten rarest that have rows."""
    if scored.positive is not None:
        return [scored.positive]
    support = np.bincount(scored.y, minlength=scored.n_classes)
    rarest = [int(code) for code in np.argsort(support, kind="stable") if support[code] > 0]
    return sorted(rarest[:MOST_CURVES])


def _curves(scored: ClassPredictions, classes: Sequence[str]) -> dict[str, Any]:
    """Coordinates for the report's figures."""
    shown = {classes[code]: (scored.y == code, scored.probabilities[:, code], scored.weights) for code in drawn(scored)}
    return {
        "reliability": reliability_curve(scored.y, scored.probabilities, scored.weights),
        "precision_recall": {label: ranking.precision_recall_curve(*rows) for label, rows in shown.items()},
        "roc": {label: ranking.roc_curve(*rows) for label, rows in shown.items()},
    }
