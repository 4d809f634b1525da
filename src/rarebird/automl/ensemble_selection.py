"""Weights of an ensemble's members, from held-out predictions: greedy selection, drawn towards equal weights.

Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble Selection from Libraries of Models", ICML 2004: members are added
one at a time, with replacement, each the one that makes the ensemble's held-out loss least. On few rows that loss is
itself a draw, and greedy weights follow it; the mean with equal weights of all members that are not surely worse than
the best loses nothing and is calmer (measured in NOTES.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.metrics import names
from rarebird.model.chain import LEAST

MOST_PICKS = 20
# Metrics that the natural log loss alone serves; the others ask for every class alike.
NATURAL = ("accuracy", "log_loss", "brier_score", "expected_calibration_error", "roc_auc")
# Standard errors of a paired difference beyond which it is taken for sure.
SURE = 2.0


@dataclass(frozen=True)
class Criterion:
    """What selection looks at: a proper score of held-out predictions, row by row.

    For classes the log loss; where the metric asks for every class alike, the mean of it and of the log loss under
    equal priors, each class weighing the same: balanced accuracy itself moves in steps of one rare row. For regression
    the squared error over the target's variance.

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
    def of(cls, judged: Dataset, prior: np.ndarray, metric: str) -> Criterion:
        """The criterion that serves a metric on given rows."""
        y = judged.y if judged.task == "regression" else judged.codes
        assert y is not None
        balanced = 0.0 if judged.task == "regression" or names.metric(metric, judged.classes).name in NATURAL else 0.5
        return cls(y, judged.weights, prior, balanced)

    def rows(self, predicted: np.ndarray) -> np.ndarray:
        """``(n,)`` what each row adds to the loss; NaN where nothing was predicted. Their plain mean is the loss.

        Args:
            predicted: ``(n, n_classes)`` probabilities under the natural prior, or ``(n, 1)`` values.
        """
        share: np.ndarray = self.weight / self.weight.mean()
        if not len(self.prior):
            spread = np.average((self.y - np.average(self.y, weights=self.weight)) ** 2, weights=self.weight)
            error: np.ndarray = share * (predicted[:, 0] - self.y) ** 2 / max(float(spread), LEAST)
            return error
        natural = _surprise(predicted, self.y)
        if not self.balanced:
            plain: np.ndarray = share * natural
            return plain
        ratio = predicted / np.where(self.prior > 0, self.prior, np.inf)
        with np.errstate(invalid="ignore"):
            even = _surprise(ratio / ratio.sum(axis=1, keepdims=True), self.y)
        mass = np.bincount(self.y, weights=self.weight, minlength=len(self.prior))
        each = self.weight * len(self.y) / (np.count_nonzero(mass) * mass[self.y])
        mixed: np.ndarray = (1 - self.balanced) * share * natural + self.balanced * each * even
        return mixed


def loss(rows: np.ndarray) -> float:
    """The mean of what rows add, without those that nothing was predicted for; infinite where that are all."""
    known = rows[np.isfinite(rows)]
    return float(known.mean()) if len(known) else float("inf")


def is_worse(rows: np.ndarray, than: np.ndarray, errors: float = SURE) -> bool:
    """Whether one's losses are above another's by more than `errors` standard errors of their paired difference."""
    difference = rows - than
    known = difference[np.isfinite(difference)]
    return len(known) > 1 and bool(known.mean() > errors * known.std(ddof=1) / np.sqrt(len(known)))


def greedy(predicted: Sequence[np.ndarray], criterion: Criterion) -> np.ndarray:
    """``(members,)`` shares by greedy selection with replacement.

    Args:
        predicted: Per member ``(n, n_outputs)`` held-out probabilities or values.
        criterion: What is made least.
    """
    picks, total, best = np.zeros(len(predicted)), np.zeros_like(predicted[0]), np.inf
    for done in range(MOST_PICKS):
        losses = [loss(criterion.rows((total + one) / (done + 1))) for one in predicted]
        if (least := min(losses)) >= best:
            break
        place = losses.index(least)
        picks[place] += 1
        total, best = total + predicted[place], least
    shares: np.ndarray = picks / max(picks.sum(), 1.0)
    return shares if picks.any() else np.full(len(predicted), 1 / len(predicted))


def weights(predicted: Sequence[np.ndarray], criterion: Criterion) -> np.ndarray:
    """``(members,)`` shares: half by greedy selection, half equal among all that are not surely worse than the best; 0
    for the rest."""
    losses = [criterion.rows(one) for one in predicted]
    best = losses[int(np.argmin([loss(rows) for rows in losses]))]
    kept = np.array([not is_worse(rows, best) for rows in losses])
    mixed: np.ndarray = (greedy(predicted, criterion) + kept / kept.sum()) / 2
    return mixed


def _surprise(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(n,)`` minus the logarithm of the true class's probability."""
    surprise: np.ndarray = -np.log(np.clip(probabilities[np.arange(len(y)), y], LEAST, None))
    return surprise
