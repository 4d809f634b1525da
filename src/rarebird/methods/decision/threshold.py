"""Threshold: cut-offs that maximize any metric of labels on held-out rows.

``argmax_k log p_k + offset_k``; with two classes that is one threshold on the probability (Koyejo et al., "Consistent
binary classification with generalized performance metrics", NeurIPS 2014). With more classes, the offsets are searched
for one class after the other, repeatedly, from two starts: argmax and balanced.

*Helps when* the metric is neither accuracy (`argmax`) nor balanced accuracy (`balanced`): F1, Matthews correlation, a
class's own precision.

*Does not help when* a class has fewer than about ten held-out rows: then all cut-offs look alike.

Cost: some thousand evaluations of the metric on a confusion matrix; a second or two for any number of rows.

NOTE[DIFF]: the best cut-off on few rows is mostly luck. So the metric is averaged over neighboring cut-offs (a Gaussian
kernel), the search is repeated under random row weights (Bayesian bootstrap: Rubin, Annals of Statistics 1981), and the
offsets are averaged; then the offset of a class of n rows is n / (n + 10) times this average plus 10 / (n + 10) times
``-s log prior``, whose single number s in 0 (argmax) .. 1 (balanced) can be found from few rows. In simulations with
two classes and 8 to 400 rare rows, kernel and averaging halve the loss of the plain best cut-off on new rows; with
eight classes and 80 rows the last step adds .02 to .04 to any metric. The metric must depend only on the weighted
confusion matrix, as every metric of labels does.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from rarebird.core.checks import require
from rarebird.data.row_counts import rows_of
from rarebird.slots.methods import Fitted, Method
from rarebird.slots.protocols import Metric

KINDS = ("image", "table", "series")
EVALUATIONS = 10_000
BANDWIDTH = 0.2
ANCHOR_ROWS = 10
SHARES = np.linspace(0, 1, 9)
SMALLEST = 1e-12


class FittedThreshold(Fitted):
    """Offsets of the log-probabilities, one per class; their mean is 0."""

    offsets: tuple[float, ...]

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """``(n, n_classes) -> (n,)`` class codes; equal scores go to the class that comes first."""
        require(
            probabilities.shape[1] == len(self.offsets),
            "one offset per class",
            classes=probabilities.shape[1],
            offsets=len(self.offsets),
        )
        codes: np.ndarray = (logs(probabilities) + np.array(self.offsets)).argmax(axis=1)
        return codes


class Threshold(Method):
    """Offsets fitted to a metric; it has no settings."""

    fitted: ClassVar[type[Fitted]] = FittedThreshold

    def fit(
        self, probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray, metric: Metric, prior: np.ndarray
    ) -> FittedThreshold:
        """Search the offsets on held-out rows.

        Args:
            probabilities: ``(n, n_classes)`` under the natural prior.
            y: ``(n,)`` int class codes.
            weight: ``(n,)`` sample weights; whole numbers count rows.
            metric: ``(y, predicted, weight) -> float``; higher is better.
            prior: ``(n_classes,)`` natural prior of the training rows.
        """
        require(
            len(probabilities) == len(y) == len(weight),
            "one label and weight per row",
            rows=len(probabilities),
            y=len(y),
            weight=len(weight),
        )
        log_p, y, rows = merged(logs(probabilities), y, rows_of(weight))
        offsets = best_offsets(log_p, y, rows, metric, prior)
        return FittedThreshold(offsets=tuple((offsets - offsets.mean()).tolist()))


def logs(probabilities: np.ndarray) -> np.ndarray:
    """Log-probabilities in float64, at least ``log(SMALLEST)``."""
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))


def merged(log_p: np.ndarray, y: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct rows in the order of their first appearance, each counting for all of its copies: `log_p`, `y` and
    the number of rows, so that a row of weight k draws and cuts as k copies of it."""
    cells = np.column_stack([y, log_p])
    _, first, which = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return log_p[first[order]], y[first[order]], np.bincount(which.ravel(), rows, len(first))[order]


def best_offsets(log_p: np.ndarray, y: np.ndarray, weight: np.ndarray, metric: Metric, prior: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` offsets: searched from two starts, averaged over bootstrap weights, and pulled towards the best
    power of the prior.

    Args:
        log_p: ``(n, n_classes)``.
        y: ``(n,)``.
        weight: ``(n,)`` how many rows each row counts for.
        metric: Higher is better.
        prior: ``(n_classes,)``.
    """
    n_classes = log_p.shape[1]
    # The offsets of the decision `balanced`; a class without training rows is never predicted.
    balanced: np.ndarray = np.where(prior > 0, -np.log(np.maximum(prior, SMALLEST)), np.log(SMALLEST))
    if not len(y) or not weight.any():
        return np.zeros(n_classes)
    # With two classes one offset is enough, and its search does not depend on the start.
    order = [1] if n_classes == 2 else list(np.lexsort((log_p.sum(axis=0), prior)))
    repeats, rounds = (32, 1) if n_classes == 2 else (int(np.clip(160 // n_classes, 4, 16)), 3)
    n_candidates = int(np.clip(EVALUATIONS // (len(order) * (repeats + 2 * rounds)), 12, 128))
    search = _Search(log_p, y, metric, n_candidates)
    best = max(
        (search.climb(start, weight, order, rounds) for start in (0 * balanced, balanced)),
        key=lambda at: search.value(at, weight),
    )
    rng = np.random.default_rng(0)
    # A row that counts for k rows gets the sum of k exponential weights, as k copies of it would.
    weights = [rng.standard_gamma(weight) for _ in range(repeats)]
    climbed: np.ndarray = np.mean([search.climb(best, each, order, 1) for each in weights], axis=0)
    anchor = balanced * np.mean([search.power(balanced, each) for each in weights])
    rows: np.ndarray = np.bincount(y, weight, n_classes)
    # A constant added to all offsets changes nothing. With a mean of 0 over the rows, the offsets of common classes
    # stay near 0 and those of rare ones move.
    offsets: np.ndarray = anchor + rows / (rows + ANCHOR_ROWS) * (_centered(climbed, rows) - _centered(anchor, rows))
    return never_chosen(offsets, prior <= 0)


def never_chosen(offsets: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """The offsets, with those of the classes `absent` ``(n_classes,)`` so low that no probability makes up for it."""
    if not absent.any() or absent.all():
        return offsets
    return np.where(absent, offsets[~absent].min() + 2 * np.log(SMALLEST), offsets)


def _centered(offsets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return offsets - float(offsets @ rows) / float(rows.sum())


class _Search:
    """One-dimensional searches over one class's offset at a time."""

    def __init__(self, log_p: np.ndarray, y: np.ndarray, metric: Metric, n_candidates: int) -> None:
        self.log_p, self.y, self.metric, self.n_candidates = log_p, y, metric, n_candidates
        self.n_classes = log_p.shape[1]

    def value(self, offsets: np.ndarray, weight: np.ndarray) -> float:
        """The metric at these offsets."""
        cells = np.bincount(self.y * self.n_classes + (self.log_p + offsets).argmax(axis=1), weight, self.n_classes**2)
        return self._metric(cells.reshape(self.n_classes, self.n_classes))

    def power(self, balanced: np.ndarray, weight: np.ndarray) -> float:
        """The factor of `balanced`, from 0 for argmax to 1, at which the metric is largest; the mean of ties."""
        values = np.array([self.value(share * balanced, weight) for share in SHARES])
        return float(SHARES[values >= values.max() - 1e-12].mean())

    def climb(self, offsets: np.ndarray, weight: np.ndarray, order: list[int], rounds: int) -> np.ndarray:
        """Set the offset of one class after the other to its best value, until none changes or for `rounds` rounds."""
        offsets = offsets.copy()
        for _ in range(rounds):
            before = offsets.copy()
            for code in order:
                offsets[code] = self._best(offsets, code, weight)
            if np.array_equal(offsets, before):
                break
        return offsets

    def _best(self, offsets: np.ndarray, code: int, weight: np.ndarray) -> float:
        """The offset of class `code` at which the smoothed metric is largest, with the other offsets fixed."""
        others = self.log_p + offsets
        others[:, code] = -np.inf
        rival = others.argmax(axis=1)
        # A row is predicted as `code` if the offset is above the row's edge.
        edge = others[np.arange(len(rival)), rival] - self.log_p[:, code]
        candidates = _candidates(edge, self.y == code, self.n_candidates)
        values = _smooth(
            np.array([self._metric(cells) for cells in self._confusions(edge, rival, code, candidates, weight)]),
            candidates,
        )
        tied = np.flatnonzero(values >= values.max() - 1e-12)
        # The middle of equally good offsets, counted from both ends, so that the order of two classes does not matter.
        return float((candidates[tied[(len(tied) - 1) // 2]] + candidates[tied[len(tied) // 2]]) / 2)

    def _confusions(
        self, edge: np.ndarray, rival: np.ndarray, code: int, candidates: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """``(n_candidates, n_classes, n_classes)`` weighted confusion matrices, true classes in rows, in one pass over
        the rows."""
        k = self.n_classes
        first = np.searchsorted(candidates, edge, side="right")
        cells = np.bincount((first * k + self.y) * k + rival, weight, (len(candidates) + 1) * k * k).reshape(-1, k, k)
        taken = cells.cumsum(axis=0)
        confusions: np.ndarray = taken[-1] - taken[:-1]
        confusions[:, :, code] += taken[:-1].sum(axis=2)
        return confusions

    def _metric(self, confusion: np.ndarray) -> float:
        true, predicted = np.nonzero(confusion > SMALLEST * confusion.sum())
        value = float(self.metric(true, predicted, confusion[true, predicted]))
        return value if np.isfinite(value) else -np.inf


def _candidates(edge: np.ndarray, own: np.ndarray, most: int) -> np.ndarray:
    """Offsets between the edges of rows, equally many from the class's own rows and from the others, and one beyond
    each end."""
    shares = np.linspace(0, 1, most // 2)
    parts = [np.quantile(part, shares, method="nearest") for part in (edge[own], edge[~own]) if len(part)]
    edges = np.unique(np.concatenate(parts))
    return np.concatenate([edges[:1] - 1, (edges[1:] + edges[:-1]) / 2, edges[-1:] + 1])


def _smooth(values: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The metric averaged over neighboring candidates by a Gaussian kernel, whose width is a fifth of the candidates'
    spread."""
    low, high = np.quantile(candidates, [0.16, 0.84])
    width = max(BANDWIDTH * (high - low) / 2, SMALLEST)
    kernel = np.exp(-0.5 * np.square((candidates[:, None] - candidates) / width))
    worst = values[np.isfinite(values)].min(initial=0.0)
    smooth: np.ndarray = kernel @ np.where(np.isfinite(values), values, worst) / kernel.sum(axis=1)
    return smooth
