"""Searches for the offsets of log-probabilities at which a metric of labels is largest on given rows."""

from __future__ import annotations

import numpy as np

from rarebird.slots.decisions import Metric

# Powers of the prior that are tried.
SHARES = np.linspace(0, 1, 9)
# The kernel's width, as a share of the candidates' spread.
BANDWIDTH = 0.2
SMALLEST = 1e-12


class OffsetSearch:
    """One-dimensional searches over one class's offset at a time.

    Args:
        log_p: ``(n, n_searched)`` of the classes among which is decided.
        y: ``(n,)`` positions among these classes.
        metric: Higher is better.
        codes: ``(n_searched,)`` the codes of these classes, by which the metric knows them.
        n_candidates: Offsets that are tried for a class.
    """

    def __init__(
        self, log_p: np.ndarray, y: np.ndarray, metric: Metric, codes: np.ndarray, n_candidates: int = 128
    ) -> None:
        self.log_p, self.y, self.metric, self.codes, self.n_candidates = log_p, y, metric, codes, n_candidates
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
        values = smooth(
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
        value = float(self.metric(self.codes[true], self.codes[predicted], confusion[true, predicted]))
        return value if np.isfinite(value) else -np.inf


def _candidates(edge: np.ndarray, own: np.ndarray, most: int) -> np.ndarray:
    """Offsets between the edges of rows, equally many from the class's own rows and from the others, and one beyond
    each end."""
    shares = np.linspace(0, 1, most // 2)
    parts = [np.quantile(part, shares, method="nearest") for part in (edge[own], edge[~own]) if len(part)]
    edges = np.unique(np.concatenate(parts))
    return np.concatenate([edges[:1] - 1, (edges[1:] + edges[:-1]) / 2, edges[-1:] + 1])


def smooth(values: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The metric averaged over neighboring candidates by a Gaussian kernel, whose width is a fifth of the candidates'
    spread."""
    low, high = np.quantile(candidates, [0.16, 0.84])
    width = max(BANDWIDTH * (high - low) / 2, SMALLEST)
    kernel = np.exp(-0.5 * np.square((candidates[:, None] - candidates) / width))
    worst = values[np.isfinite(values)].min(initial=0.0)
    smooth: np.ndarray = kernel @ np.where(np.isfinite(values), values, worst) / kernel.sum(axis=1)
    return smooth
