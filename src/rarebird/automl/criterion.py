"""The criterion that selection minimizes, a proper score of held-out predictions per row; and the test whether one
recipe is worse than another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from rarebird.data.dataset import Dataset
from rarebird.metrics import names
from rarebird.model.chain import LEAST

# For these metrics the criterion is the log loss under the natural prior; the others weight all classes equally.
NATURAL = ("accuracy", "log_loss", "brier_score", "expected_calibration_error", "roc_auc")
# A paired difference above this number of standard errors counts as real.
SURE = 2.0


@dataclass(frozen=True)
class Criterion:
    """A proper score of each held-out row's prediction; its mean is the loss that selection minimizes.

    For classes it is the log loss. If the metric weights all classes equally, it is the mean of the log loss and of the
    log loss under equal priors, in which all classes have the same weight; balanced accuracy itself would change only
    in steps of one rare row. A class without scored rows has no part in it: the probabilities are those among the other
    classes, so that a recipe gains nothing by never predicting it. For regression it is the squared error divided by
    the variance of the target.

    Attributes:
        y: ``(n,)`` codes or values of the scored rows.
        weight: ``(n,)`` sample weights.
        prior: ``(n_classes,)`` natural prior; empty for regression.
        balanced: Share of the balanced log loss.
        group: ``(n,)`` labels, equal for rows that are not independent: those of a group, and copies; None where each
            row is on its own.
    """

    y: np.ndarray
    weight: np.ndarray
    prior: np.ndarray
    balanced: float
    group: np.ndarray | None = None

    @classmethod
    def of(cls, scored: Dataset, prior: np.ndarray, metric: str) -> Criterion:
        """The criterion for a metric on given rows."""
        y = scored.y if scored.task == "regression" else scored.codes
        assert y is not None
        classes = scored.task != "regression"
        balanced = 0.5 if classes and names.metric(metric, scored.classes).name not in NATURAL else 0.0
        return cls(y, scored.weights, prior, balanced, scored.together)

    def where(self, rows: np.ndarray) -> Criterion:
        """The criterion on some of the rows, ``(n,)`` bool."""
        group = None if self.group is None else self.group[rows]
        return Criterion(self.y[rows], self.weight[rows], self.prior, self.balanced, group)

    def rows(self, predicted: np.ndarray) -> np.ndarray:
        """``(n,)`` losses of the rows, whose unweighted mean is the loss; NaN for rows without a prediction.

        Args:
            predicted: ``(n, n_classes)`` probabilities under the natural prior, or ``(n, 1)`` values.
        """
        share: np.ndarray = self.weight / self.weight.mean()
        if not len(self.prior):
            mean = np.average(self.y, weights=self.weight)
            variance = np.average((self.y - mean) ** 2, weights=self.weight)
            error: np.ndarray = share * (predicted[:, 0] - self.y) ** 2 / max(float(variance), LEAST)
            return error
        class_weight = np.bincount(self.y, weights=self.weight, minlength=len(self.prior))
        if not class_weight.all():
            predicted = _among(predicted, class_weight > 0)
        natural = _log_losses(predicted, self.y)
        if not self.balanced:
            weighted: np.ndarray = share * natural
            return weighted
        ratio = predicted / np.where(self.prior > 0, self.prior, np.inf)
        with np.errstate(invalid="ignore"):
            under_equal_priors = _log_losses(ratio / ratio.sum(axis=1, keepdims=True), self.y)
        balanced_share = self.weight * len(self.y) / (np.count_nonzero(class_weight) * class_weight[self.y])
        combined: np.ndarray = (
            1 - self.balanced
        ) * share * natural + self.balanced * balanced_share * under_equal_priors
        return combined


def _among(predicted: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The probabilities ``(n, n_classes)`` given that the class is one of `seen` ``(n_classes,)``."""
    kept = np.where(seen, predicted, 0.0)
    among: np.ndarray = kept / np.maximum(kept.sum(axis=1, keepdims=True), LEAST)
    return among


def loss(rows: np.ndarray) -> float:
    """The mean loss of the rows that have a prediction; infinite where none has."""
    known = rows[np.isfinite(rows)]
    return float(known.mean()) if len(known) else float("inf")


def is_worse(rows: np.ndarray, than: np.ndarray, group: np.ndarray | None, errors: float = SURE) -> bool:
    """Whether losses are above the losses `than` by more than `errors` standard errors of the paired difference.

    Args:
        rows, than: ``(n,)`` losses of two recipes; NaN for rows without a prediction.
        group: ``(n,)`` as in `Criterion`. Differences are summed by group first: rows of a group go wrong together, so
            that an error over rows is too small.
        errors: As for a normal distribution; few groups (or rows) need more of them, by Student's.
    """
    difference = rows - than
    mean, error, units = _mean_with_error(difference, group)
    if units < 2:
        return False
    return bool(mean > special.stdtrit(units - 1, special.ndtr(errors)) * error)


def interval(rows: np.ndarray, group: np.ndarray | None) -> tuple[float, float]:
    """The 95 % interval of a mean loss, by Student's distribution over independent units; NaN where there is one unit.

    Args:
        rows: ``(n,)`` losses; NaN for rows without a prediction.
        group: ``(n,)`` as in `Criterion`.
    """
    mean, error, units = _mean_with_error(rows, group)
    if units < 2:
        return np.nan, np.nan
    half = float(special.stdtrit(units - 1, 0.975)) * error
    return mean - half, mean + half


def standard_error(difference: np.ndarray, group: np.ndarray | None) -> float:
    """The standard error of a mean paired difference, from sums by group; 0 where there is one group or row."""
    return _mean_with_error(difference, group)[1]


def _mean_with_error(difference: np.ndarray, group: np.ndarray | None) -> tuple[float, float, int]:
    """The mean of the differences that are known, its standard error, and the number of independent units."""
    known = np.isfinite(difference)
    values = difference[known]
    if not len(values):
        return np.nan, 0.0, 0
    mean = float(values.mean())
    deviations = values - mean
    if group is not None:
        deviations = np.bincount(np.unique(group[known], return_inverse=True)[1], weights=deviations)
    units = len(deviations)
    error = np.sqrt(units / (units - 1) * np.square(deviations).sum()) / len(values) if units > 1 else 0.0
    return mean, float(error), units


def _log_losses(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(n,)`` minus the logarithm of the true class's probability."""
    losses: np.ndarray = -np.log(np.clip(probabilities[np.arange(len(y)), y], LEAST, None))
    return losses
