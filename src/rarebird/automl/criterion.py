"""What selection minimizes: a proper score of held-out predictions, row by row, and when one recipe is worse than
another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.metrics import names
from rarebird.model.chain import LEAST

# Metrics that the natural log loss alone serves; the others ask for every class alike.
NATURAL = ("accuracy", "log_loss", "brier_score", "expected_calibration_error", "roc_auc")
# Standard errors of a paired difference beyond which it is taken to be real.
SURE = 2.0


@dataclass(frozen=True)
class Criterion:
    """A proper score of held-out predictions, row by row; its mean is the loss that selection minimizes.

    For classes the log loss. Where the metric asks for every class alike, the mean of it and of the log loss under
    equal priors, in which each class weighs the same: balanced accuracy itself moves in steps of one rare row. For
    regression the squared error over the target's variance.

    Attributes:
        y: ``(n,)`` codes or values of the rows that judge.
        weight: ``(n,)`` sample weights.
        prior: ``(n_classes,)`` natural prior; empty for regression.
        balanced: Share of the balanced log loss.
    """

    y: np.ndarray
    weight: np.ndarray
    prior: np.ndarray
    balanced: float

    @classmethod
    def of(cls, judging: Dataset, prior: np.ndarray, metric: str) -> Criterion:
        """The criterion that serves a metric on given rows."""
        y = judging.y if judging.task == "regression" else judging.codes
        assert y is not None
        classes = judging.task != "regression"
        balanced = 0.5 if classes and names.metric(metric, judging.classes).name not in NATURAL else 0.0
        return cls(y, judging.weights, prior, balanced)

    def where(self, rows: np.ndarray) -> Criterion:
        """The criterion on some of the rows, ``(n,)`` bool."""
        return Criterion(self.y[rows], self.weight[rows], self.prior, self.balanced)

    def rows(self, predicted: np.ndarray) -> np.ndarray:
        """``(n,)`` losses of the rows, whose plain mean is the loss; NaN where nothing was predicted.

        Args:
            predicted: ``(n, n_classes)`` probabilities under the natural prior, or ``(n, 1)`` values.
        """
        share: np.ndarray = self.weight / self.weight.mean()
        if not len(self.prior):
            mean = np.average(self.y, weights=self.weight)
            spread = np.average((self.y - mean) ** 2, weights=self.weight)
            error: np.ndarray = share * (predicted[:, 0] - self.y) ** 2 / max(float(spread), LEAST)
            return error
        natural = _log_losses(predicted, self.y)
        if not self.balanced:
            plain: np.ndarray = share * natural
            return plain
        ratio = predicted / np.where(self.prior > 0, self.prior, np.inf)
        with np.errstate(invalid="ignore"):
            even = _log_losses(ratio / ratio.sum(axis=1, keepdims=True), self.y)
        mass = np.bincount(self.y, weights=self.weight, minlength=len(self.prior))
        each = self.weight * len(self.y) / (np.count_nonzero(mass) * mass[self.y])
        mixed: np.ndarray = (1 - self.balanced) * share * natural + self.balanced * each * even
        return mixed


def loss(rows: np.ndarray) -> float:
    """The mean of rows' losses, without rows that nothing was predicted for; infinite where none is left."""
    known = rows[np.isfinite(rows)]
    return float(known.mean()) if len(known) else float("inf")


def is_worse(rows: np.ndarray, than: np.ndarray, errors: float = SURE) -> bool:
    """Whether losses are above others by more than `errors` standard errors of their paired difference."""
    difference = rows - than
    known = difference[np.isfinite(difference)]
    return len(known) > 1 and bool(known.mean() > errors * known.std(ddof=1) / np.sqrt(len(known)))


def _log_losses(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(n,)`` minus the logarithm of the true class's probability."""
    losses: np.ndarray = -np.log(np.clip(probabilities[np.arange(len(y)), y], LEAST, None))
    return losses
