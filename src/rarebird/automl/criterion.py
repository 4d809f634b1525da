"""The criterion that selection minimizes, a proper score of held-out predictions per row; and the test whether one
recipe is worse than another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    in steps of one rare row. For regression it is the squared error divided by the variance of the target.

    Attributes:
        y: ``(n,)`` codes or values of the scored rows.
        weight: ``(n,)`` sample weights.
        prior: ``(n_classes,)`` natural prior; empty for regression.
        balanced: Share of the balanced log loss.
    """

    y: np.ndarray
    weight: np.ndarray
    prior: np.ndarray
    balanced: float

    @classmethod
    def of(cls, scored: Dataset, prior: np.ndarray, metric: str) -> Criterion:
        """The criterion for a metric on given rows."""
        y = scored.y if scored.task == "regression" else scored.codes
        assert y is not None
        classes = scored.task != "regression"
        balanced = 0.5 if classes and names.metric(metric, scored.classes).name not in NATURAL else 0.0
        return cls(y, scored.weights, prior, balanced)

    def where(self, rows: np.ndarray) -> Criterion:
        """The criterion on some of the rows, ``(n,)`` bool."""
        return Criterion(self.y[rows], self.weight[rows], self.prior, self.balanced)

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
        natural = _log_losses(predicted, self.y)
        if not self.balanced:
            weighted: np.ndarray = share * natural
            return weighted
        ratio = predicted / np.where(self.prior > 0, self.prior, np.inf)
        with np.errstate(invalid="ignore"):
            under_equal_priors = _log_losses(ratio / ratio.sum(axis=1, keepdims=True), self.y)
        class_weight = np.bincount(self.y, weights=self.weight, minlength=len(self.prior))
        balanced_share = self.weight * len(self.y) / (np.count_nonzero(class_weight) * class_weight[self.y])
        combined: np.ndarray = (
            1 - self.balanced
        ) * share * natural + self.balanced * balanced_share * under_equal_priors
        return combined


def loss(rows: np.ndarray) -> float:
    """The mean loss of the rows that have a prediction; infinite where none has."""
    known = rows[np.isfinite(rows)]
    return float(known.mean()) if len(known) else float("inf")


def is_worse(rows: np.ndarray, than: np.ndarray, errors: float = SURE) -> bool:
    """Whether losses are above the losses `than` by more than `errors` standard errors of the paired difference."""
    difference = rows - than
    known = difference[np.isfinite(difference)]
    return len(known) > 1 and bool(known.mean() > errors * known.std(ddof=1) / np.sqrt(len(known)))


def _log_losses(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(n,)`` minus the logarithm of the true class's probability."""
    losses: np.ndarray = -np.log(np.clip(probabilities[np.arange(len(y)), y], LEAST, None))
    return losses
