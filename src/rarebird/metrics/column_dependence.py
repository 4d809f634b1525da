"""Whether columns of new rows depend on each other as those of real rows do, with the ranges of `synthetic_rows`:
`dependence` finds columns that depend on each other otherwise than they should, and the mean of `dependence_scores`
whether dependence is lost."""

from __future__ import annotations

import numpy as np

from rarebird.metrics.synthetic_rows import Figure, Sides, judged

# Columns whose dependence is compared, at most.
MOST_PAIRED = 20
# Standard errors of a correlation that count as chance.
CHANCE = 1.5


def dependence(points: np.ndarray, sides: Sides) -> Figure:
    """The root mean square difference of the rank correlations of columns ``(n, d)``, of made and of held rows."""
    ranks = _ranks(points[:, np.ptp(points, axis=0) > 0][:, :MOST_PAIRED])
    d = ranks.shape[1]
    first, second = np.triu_indices(d, 1)
    products = np.concatenate([ranks, ranks**2, ranks[:, first] * ranks[:, second]], axis=1)

    def correlations(side: np.ndarray) -> np.ndarray:
        means = side @ products / side.sum(axis=1, keepdims=True)
        center, spread = means[:, :d], np.sqrt(np.maximum(means[:, d : 2 * d] - means[:, :d] ** 2, 1e-12))
        covariance = means[:, 2 * d :] - center[:, first] * center[:, second]
        return np.asarray(covariance / (spread[:, first] * spread[:, second]))

    def statistic(made: np.ndarray) -> np.ndarray:
        if d < 2:
            return np.zeros(len(made))
        apart = correlations(made.astype(float)) - correlations((~made).astype(float))
        return np.asarray(np.sqrt((np.clip(apart, -2, 2) ** 2).mean(axis=1)))

    return judged("dependence", statistic, sides)


def dependence_scores(known: np.ndarray, points: np.ndarray) -> np.ndarray:
    """``(n,)`` how much the columns of each row depend on each other as those of known rows do: 1 on average for real
    rows, and 0 for independent columns with the same distributions.

    With z the normal scores of a row by the ranks of the known rows ``(m, d)``, r their correlations in these, and w
    those less what chance gives (`CHANCE` standard errors, toward 0), the score is ``sum_ij w_ij z_i z_j / sum_ij w_ij
    r_ij`` over pairs of columns. So pairs that do not depend on each other add no noise.
    """
    columns = np.flatnonzero(np.ptp(known, axis=0) > 0)
    columns = columns[:: -(-len(columns) // MOST_PAIRED)] if len(columns) else columns
    if len(columns) < 2 or len(known) < 3:
        return np.zeros(len(points))
    own, others = (_scores_by(known[:, columns], part[:, columns]) for part in (known, points))
    related = np.corrcoef(own, rowvar=False)
    np.fill_diagonal(related, 0.0)
    related = np.nan_to_num(related)
    weight = np.sign(related) * np.maximum(np.abs(related) - CHANCE / np.sqrt(len(known) - 1), 0.0)
    spread = np.maximum(own.std(axis=0), 1e-9)
    scaled = (others - own.mean(axis=0)) / spread
    return np.asarray(((scaled @ weight) * scaled).sum(axis=1) / max(float((weight * related).sum()), 1e-9))


def _scores_by(known: np.ndarray, points: np.ndarray) -> np.ndarray:
    """``(n, d)`` normal scores of points by the ranks of known rows."""
    from scipy.special import ndtri

    found = np.empty(points.shape)
    for place, (column, own) in enumerate(zip(points.T, known.T, strict=True)):
        ordered = np.sort(own)
        below = np.searchsorted(ordered, column, "left") + np.searchsorted(ordered, column, "right")
        found[:, place] = ndtri((below / 2 + 0.5) / (len(ordered) + 1))
    return found


def _ranks(points: np.ndarray) -> np.ndarray:
    """``(n, d)`` mean ranks of each column, from 0 to 1."""
    ranked = np.empty(points.shape)
    for place, column in enumerate(points.T):
        _, which, counts = np.unique(column, return_inverse=True, return_counts=True)
        ranked[:, place] = (counts.cumsum() - (counts + 1) / 2)[which] / max(len(column) - 1, 1)
    return ranked
