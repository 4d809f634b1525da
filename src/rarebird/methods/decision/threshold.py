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

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rarebird.core.checks import require
from rarebird.data.row_counts import rows_of, seen_classes
from rarebird.methods.decision._offset_search import SHARES, SMALLEST, OffsetSearch
from rarebird.metrics import names
from rarebird.slots.decisions import DecisionRows, Metric
from rarebird.slots.methods import Fitted, Method

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("image", "table", "series")
EVALUATIONS = 10_000
ANCHOR_ROWS = 10


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

    def on_tensors(self, probabilities: Tensor) -> Tensor:
        """The same decision in torch, for an exported graph."""
        logarithms = probabilities.double().clamp(min=SMALLEST).log()
        return (logarithms + logarithms.new_tensor(self.offsets)).argmax(dim=1)


class Threshold(Method):
    """Offsets fitted to a metric; it has no settings."""

    fitted: ClassVar[type[Fitted]] = FittedThreshold

    def check(self, metric: str, classes: Sequence[str]) -> None:
        """Refuse a metric that one label for all rows maximizes.

        Raises:
            DataError: It is one.
        """
        names.check_needs_no_floor(metric, classes)

    def fit(self, rows: DecisionRows) -> FittedThreshold:
        """Search the offsets on held-out rows."""
        sizes = {"rows": len(rows.probabilities), "y": len(rows.y), "weight": len(rows.weight)}
        require(len(set(sizes.values())) == 1, "one label and weight per row", **sizes)
        log_p, y, counts = merged(logs(rows.probabilities), rows.y, rows_of(rows.weight))
        offsets = best_offsets(log_p, y, counts, rows.metric, rows.prior)
        return FittedThreshold(offsets=tuple((offsets - offsets.mean()).tolist()))


def logs(probabilities: np.ndarray) -> np.ndarray:
    """Log-probabilities in float64, at least ``log(SMALLEST)``."""
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))


def merged(log_p: np.ndarray, y: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct rows with weight in the order of their first appearance, each counting for all of its copies:
    `log_p`, `y` and the number of rows, so that a row of weight k draws and cuts as k copies of it."""
    log_p, y, rows = log_p[rows > 0], y[rows > 0], rows[rows > 0]
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

    Returns:
        Those of the classes with weight decide among these classes as the rows show. A class that no row shows gets the
        power of the prior alone.
    """
    # The offsets of the decision `balanced`; a class without training rows is never predicted.
    balanced: np.ndarray = np.where(prior > 0, -np.log(np.maximum(prior, SMALLEST)), np.log(SMALLEST))
    if not len(y) or not weight.any():
        return np.zeros(len(prior))
    seen = seen_classes(y, weight, len(prior))
    if np.count_nonzero(seen) < 2:
        # Rows of one class do not tell one power from another.
        return never_chosen(SHARES.mean() * balanced, prior <= 0)
    rows, codes = seen[y], np.flatnonzero(seen)
    search = OffsetSearch(np.ascontiguousarray(log_p[rows][:, seen]), np.searchsorted(codes, y[rows]), metric, codes)
    offsets, share = _fitted_offsets(search, weight[rows], balanced[seen], prior[seen])
    found = share * balanced
    found[seen] = offsets
    return never_chosen(found, prior <= 0)


def _fitted_offsets(
    search: OffsetSearch, weight: np.ndarray, balanced: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, float]:
    """The offsets of the classes that the search knows, and the power of the prior towards which they were pulled."""
    log_p, n_classes = search.log_p, search.n_classes
    # With two classes one offset is enough, and its search does not depend on the start.
    order = [1] if n_classes == 2 else list(np.lexsort((log_p.sum(axis=0), prior)))
    repeats, rounds = (32, 1) if n_classes == 2 else (int(np.clip(160 // n_classes, 4, 16)), 3)
    search.n_candidates = int(np.clip(EVALUATIONS // (len(order) * (repeats + 2 * rounds)), 12, 128))
    best = max(
        (search.climb(start, weight, order, rounds) for start in (0 * balanced, balanced)),
        key=lambda at: search.value(at, weight),
    )
    rng = np.random.default_rng(0)
    # A row that counts for k rows gets the sum of k exponential weights, as k copies of it would.
    weights = [rng.standard_gamma(weight) for _ in range(repeats)]
    climbed: np.ndarray = np.mean([search.climb(best, each, order, 1) for each in weights], axis=0)
    share = float(np.mean([search.power(balanced, each) for each in weights]))
    anchor = balanced * share
    rows: np.ndarray = np.bincount(search.y, weight, n_classes)
    # A constant added to all offsets changes nothing. With a mean of 0 over the rows, the offsets of common classes
    # stay near 0 and those of rare ones move.
    offsets: np.ndarray = anchor + rows / (rows + ANCHOR_ROWS) * (_centered(climbed, rows) - _centered(anchor, rows))
    return offsets, share


def never_chosen(offsets: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """The offsets, with those of the classes `absent` ``(n_classes,)`` so low that no probability makes up for it."""
    if not absent.any() or absent.all():
        return offsets
    return np.where(absent, offsets[~absent].min() + 2 * np.log(SMALLEST), offsets)


def _centered(offsets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return offsets - float(offsets @ rows) / float(rows.sum())
