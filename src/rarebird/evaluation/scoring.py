"""Scores of a model on rows that it never saw: every figure with its 95 % interval, also per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.core.checks import require
from rarebird.evaluation.result import ClassScore, Estimate, Scores
from rarebird.metrics import confusion, ranking, uncertainty
from rarebird.metrics.calibration import reliability_curve
from rarebird.metrics.confusion import Counts
from rarebird.metrics.names import OF_LABELS, OF_PROBABILITIES, OF_RANKING, OF_VALUES, PER_CLASS

FEW_ROWS = 5
MOST_CURVES = 10
MOST_RESIDUALS = 500

Draws = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class _Judged:
    """Rows to be judged: codes, probabilities and predicted codes, and what is known of the rows."""

    y: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    weight: np.ndarray | None
    group: np.ndarray | None
    positive: int | None

    @property
    def n_classes(self) -> int:
        return int(self.probabilities.shape[1])

    @property
    def weights(self) -> np.ndarray:
        return np.ones(len(self.y)) if self.weight is None else self.weight

    def effective(self, rows: np.ndarray) -> float:
        """Rows, or their effective number where they are weighted, under a mask."""
        return uncertainty.effective_size(self.weights[rows])


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

    *Macro figures are scikit-learn's*: balanced accuracy averages the classes that have rows, macro F1 and macro
    precision those that have rows or are predicted. A class with one row is part of them, although its own row of the
    table says that it cannot be judged.

    *Intervals.* Shares (accuracy, recall, precision; sensitivity and specificity of the positive class) have Wilson's,
    on the effective number of rows where they are weighted; the mean of the recalls has the combination of Wilson's
    (`uncertainty.mean_of_shares`). The rest, and everything where there are groups, has the percentile bootstrap
    stratified by class, the calibration error the reflected one. Ranking figures use fewer replicates on many rows, 200
    at the least. A bootstrap has no spread where no row is wrong: there, read the classes' own intervals. Stratified
    intervals take the mix of classes as given (`uncertainty.bootstrap_weights` has what that costs).

    *Per class*: without rows nulls and the note "no test rows", with a single row nulls and "too few rows to judge",
    from two to four rows figures and that note. `support` and `confusion` count rows, whatever their weight.

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
    judged = _Judged(
        y=np.asarray(y, dtype=np.int64),
        probabilities=np.asarray(probabilities, dtype=float),
        predicted=np.asarray(predicted, dtype=np.int64),
        weight=None if weight is None else np.asarray(weight, dtype=float),
        group=group,
        positive=_positive(y, len(classes), positive),
    )
    counts = confusion.tally(judged.y, judged.predicted, judged.n_classes, judged.weights)
    draws, per_class_draws = _bootstrap(judged, seed)
    return Scores(
        metrics=_metrics(judged, counts, draws),
        per_class=[_class_score(judged, counts, per_class_draws, code, label) for code, label in enumerate(classes)],
        confusion=confusion.confusion_matrix(judged.y, judged.predicted, judged.n_classes).tolist(),
        curves=_curves(judged, classes),
    )


def score_regression(
    y: np.ndarray,
    predicted: np.ndarray,
    *,
    weight: np.ndarray | None = None,
    group: np.ndarray | None = None,
    seed: int = 0,
) -> Scores:
    """How well numbers were predicted, with 95 % percentile bootstrap intervals, of whole groups where there are
    groups.

    Args:
        y: ``(n,)`` true values, finite, in the target's own units.
        predicted: ``(n,)`` predicted values, finite, in the same units.
        weight: ``(n,)`` sample weights, at least 0; None for all ones.
        group: ``(n,)`` group labels; None where rows are independent.
        seed: Seed of the bootstrap and of the rows that `curves` shows, 500 at most.

    Raises:
        ValueError: Lengths, values or weights that break a rule.
    """
    _check(len(y), predicted, weight, group)
    require(bool(np.isfinite(y).all() and np.isfinite(predicted).all()), "values are finite", n=len(y))
    y, predicted = np.asarray(y, dtype=float), np.asarray(predicted, dtype=float)
    weights = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    parts: list[Draws] = []
    replicates = uncertainty.replicates_for(len(y))
    for drawn in uncertainty.bootstrap_weights(
        np.zeros(len(y), dtype=np.int64), group, replicates, rng.stream(seed, "bootstrap")
    ):
        drawn = drawn if weight is None else drawn * weights[:, None]
        parts.append({name: figure(y, predicted, drawn) for name, figure in OF_VALUES.items()})
    draws = _joined(parts)
    shown = np.arange(len(y))
    if len(y) > MOST_RESIDUALS:
        shown = np.sort(rng.stream(seed, "residuals").choice(len(y), MOST_RESIDUALS, replace=False))
    return Scores(
        metrics={
            name: _estimate(name, float(figure(y, predicted, weights)), draws[name])
            for name, figure in OF_VALUES.items()
        },
        curves={"residuals": {"true": y[shown].tolist(), "predicted": predicted[shown].tolist()}},
    )


def _check(n: int, predicted: np.ndarray, weight: np.ndarray | None, group: np.ndarray | None) -> None:
    require(n > 0, "at least one row to judge", n=n)
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


def _bootstrap(judged: _Judged, seed: int) -> tuple[Draws, Draws]:
    """Each figure in each replicate, ``(replicates,)`` over all classes and ``(n_classes, replicates)`` per class."""
    n, passes = len(judged.y), 1 if judged.positive is not None else judged.n_classes
    replicates, ranked = uncertainty.replicates_for(n), uncertainty.replicates_for(n, passes)
    overall: list[Draws] = []
    ranks: list[Draws] = []
    per_class: list[Draws] = []
    done = 0
    for drawn in uncertainty.bootstrap_weights(judged.y, judged.group, replicates, rng.stream(seed, "bootstrap")):
        drawn = drawn if judged.weight is None else drawn * judged.weight[:, None]
        counts = confusion.tally(judged.y, judged.predicted, judged.n_classes, drawn)
        overall.append({name: figure(counts, judged.positive) for name, figure in OF_LABELS.items()})
        overall[-1] |= {
            name: figure(judged.y, judged.probabilities, drawn) for name, figure in OF_PROBABILITIES.items()
        }
        per_class.append({name: figure(counts) for name, figure in PER_CLASS.items()})
        if done < ranked:
            ranks.append(_areas(judged, drawn[:, : ranked - done]))
        done += drawn.shape[1]
    return _joined(overall) | _joined(ranks), _joined(per_class)


def _metrics(judged: _Judged, counts: Counts, draws: Draws) -> dict[str, Estimate]:
    values = {name: figure(counts, judged.positive) for name, figure in OF_LABELS.items()} | _areas(
        judged, judged.weights
    )
    values |= {
        name: figure(judged.y, judged.probabilities, judged.weights) for name, figure in OF_PROBABILITIES.items()
    }
    metrics = {name: _estimate(name, float(value), draws[name]) for name, value in values.items()}
    if judged.group is None:
        metrics |= {name: _share(float(values[name]), judged.effective(rows)) for name, rows in _shares(judged).items()}
        metrics |= {name: _mean_recall(judged, counts) for name in _mean_recalls(judged)}
    return metrics


def _shares(judged: _Judged) -> dict[str, np.ndarray]:
    """The figures that are shares of rows, and which rows."""
    shares = {"accuracy": np.ones(len(judged.y), dtype=bool)}
    if judged.positive is not None:
        positive = judged.y == judged.positive
        shares |= {
            "recall": positive,
            "sensitivity": positive,
            "specificity": ~positive,
            "precision": judged.predicted == judged.positive,
        }
    return shares


def _mean_recalls(judged: _Judged) -> tuple[str, ...]:
    return ("balanced_accuracy",) if judged.positive is not None else ("balanced_accuracy", "recall", "sensitivity")


def _mean_recall(judged: _Judged, counts: Counts) -> Estimate:
    """The mean of the recalls with the combination of their Wilson intervals."""
    present = np.flatnonzero(counts.support > 0)
    recalls = confusion.recall(counts)[present]
    low, high = uncertainty.mean_of_shares(recalls, np.array([judged.effective(judged.y == code) for code in present]))
    value = float(confusion.balanced_accuracy(counts))
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def _class_score(judged: _Judged, counts: Counts, draws: Draws, code: int, label: str) -> ClassScore:
    """One class's row of the table; `draws` are per class."""
    own = judged.y == code
    support = int(own.sum())
    unknown = Estimate(value=None)
    if support < 2 or counts.support[code] <= 0:
        note = "no test rows" if support == 0 else "too few rows to judge"
        return ClassScore(label=label, support=support, recall=unknown, precision=unknown, f1=unknown, note=note)
    found = {
        name: _estimate(name, float(figure(counts)[code]), draws[name][code]) for name, figure in PER_CLASS.items()
    }
    if judged.group is None:
        for name, rows in (("recall", own), ("precision", judged.predicted == code)):
            found[name] = _share(float(PER_CLASS[name](counts)[code]), judged.effective(rows))
    notes = ["too few rows to judge"] * (support < FEW_ROWS) + ["never predicted"] * bool(counts.predicted[code] <= 0)
    return ClassScore(label=label, support=support, note="; ".join(notes), **found)


def _estimate(name: str, value: float, draws: np.ndarray) -> Estimate:
    """A figure with its bootstrap interval; None where it is undefined."""
    if np.isnan(value):
        return Estimate(value=None)
    interval = uncertainty.reflected if name == "expected_calibration_error" else uncertainty.percentile
    low, high = interval(draws, value) or (None, None)
    return Estimate(value=value, low=low, high=high)


def _share(value: float, n: float) -> Estimate:
    """A share of `n` rows with Wilson's interval; None where it is undefined."""
    if np.isnan(value) or n <= 0:
        return Estimate(value=None)
    low, high = uncertainty.wilson(value, n)
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


def _areas(judged: _Judged, weight: np.ndarray) -> Draws:
    return dict(zip(OF_RANKING, ranking.areas(judged.y, judged.probabilities, weight, judged.positive), strict=True))


def _joined(parts: Sequence[Draws]) -> Draws:
    """The replicates of all parts, side by side."""
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}


def _curves(judged: _Judged, classes: Sequence[str]) -> dict[str, Any]:
    """Coordinates for the report's figures: the positive class's curve, or one for each of the first ten classes that
    have rows."""
    present = np.unique(judged.y)[:MOST_CURVES] if judged.positive is None else [judged.positive]
    curves = {
        classes[code]: ranking.precision_recall_curve(judged.y == code, judged.probabilities[:, code], judged.weights)
        for code in present
    }
    return {
        "reliability": reliability_curve(judged.y, judged.probabilities, judged.weights),
        "precision_recall": curves,
    }
