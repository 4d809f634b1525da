"""Which unlabeled rows an expert should label next: uncertain, of rare classes, and different from one another.

A row's score is its margin uncertainty (Scheffer, Decomain and Wrobel, "Active hidden Markov models", 2001) under equal
priors, so that rare classes count like common ones, raised by the probability that it is of a class of few rows. The
batch is chosen greedily: each next row has the largest product of its score and its distance to the rows chosen before
and to the nearest labeled rows (as in Citovsky et al., "Batch active learning at scale", NeurIPS 2021, which keeps
uncertain rows apart). Copies of labeled rows, and of one another, are never chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rarebird.metrics.two_sample import Components

# Only this many times the batch's rows, those of the largest scores, are looked at for a diverse batch; and how many
# at least.
CANDIDATES, FEWEST_CANDIDATES = 20, 500
# How much the score of a row grows that is surely of a class without rows.
RARE = 1.0
# Labeled rows whose distance counts, at most.
MOST_LABELED = 2_000
LEAST = 1e-12


@dataclass(frozen=True)
class Pool:
    """Unlabeled rows.

    Attributes:
        probabilities: ``(n, n_classes)`` under the natural prior; of a regression ``(n, n_models)`` predictions.
        counts: ``(n_classes,)`` labeled rows of each class; None for regression.
        features: ``(n, d)`` plain features.
        labeled: ``(m, d)`` those of labeled rows.
        copies: ``(n,)`` codes, equal for copies.
        is_known: ``(n,)`` whether a row copies a labeled one.
    """

    probabilities: np.ndarray
    counts: np.ndarray | None
    features: np.ndarray
    labeled: np.ndarray
    copies: np.ndarray
    is_known: np.ndarray


@dataclass(frozen=True)
class Scored:
    """What each row of the pool would tell.

    Attributes:
        score: ``(n,)`` uncertainty, raised for rare classes.
        margin: ``(n,)`` one minus the difference of the two largest probabilities under equal priors; for regression
            the standard deviation of the models, divided by the largest one.
        entropy: ``(n,)`` of these probabilities, divided by the largest possible one; NaN for regression.
        rare: ``(n,)`` probability of classes of few rows, weighted by how few they have; 0 for regression.
    """

    score: np.ndarray
    margin: np.ndarray
    entropy: np.ndarray
    rare: np.ndarray


def scored(pool: Pool) -> Scored:
    """The scores of all rows."""
    if pool.counts is None:
        spread = pool.probabilities.std(axis=1)
        margin = spread / max(float(spread.max(initial=0)), LEAST)
        none = np.zeros(len(margin))
        return Scored(margin, margin, np.full(len(margin), np.nan), none)
    prior = pool.counts / pool.counts.sum()
    ratio = pool.probabilities / np.where(prior > 0, prior, np.inf)
    equal = ratio / np.maximum(ratio.sum(axis=1, keepdims=True), LEAST)
    ordered = np.sort(equal, axis=1)
    margin = 1 - (ordered[:, -1] - ordered[:, -2])
    entropy = -(equal * np.log(np.maximum(equal, LEAST))).sum(axis=1) / np.log(equal.shape[1])
    rare = equal @ (1 - pool.counts / pool.counts.max())
    return Scored(margin * (1 + RARE * rare), margin, entropy, rare)


def chosen(pool: Pool, n: int, found: Scored | None = None) -> np.ndarray:
    """``(at most n,)`` positions of the rows to label, the most telling first.

    Args:
        pool: Unlabeled rows.
        n: Size of the batch.
        found: Their scores; None: those of `scored`.
    """
    score = (scored(pool) if found is None else found).score
    first = np.zeros(len(score), bool)
    first[np.unique(pool.copies, return_index=True)[1]] = True
    open_rows = np.flatnonzero(first & ~pool.is_known)
    open_rows = open_rows[np.argsort(-score[open_rows], kind="stable")][: max(CANDIDATES * n, FEWEST_CANDIDATES)]
    if not len(open_rows):
        return open_rows
    labeled = pool.labeled[:: max(1, len(pool.labeled) // MOST_LABELED)]
    fitted = Components.fit(np.concatenate([pool.features, labeled]))
    width = fitted.vectors.shape[1]
    points, known = (fitted.of(rows)[:, :width] for rows in (pool.features[open_rows], labeled))
    distance = _nearest(points, known)
    batch: list[int] = []
    for _ in range(min(n, len(open_rows))):
        value = score[open_rows] * distance
        value[batch] = -1
        best = int(value.argmax())
        batch.append(best)
        distance = np.minimum(distance, np.sqrt(np.square(points - points[best]).sum(axis=1)))
    return np.asarray(open_rows[batch])


def _nearest(points: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``(n,)`` distance of each point to the nearest known one; 1 without any, or without features."""
    if not len(known) or not points.shape[1]:
        return np.ones(len(points))
    found = np.empty(len(points))
    norms = np.square(known).sum(axis=1)
    for start in range(0, len(points), 1000):
        part = points[start : start + 1000]
        squares = np.square(part).sum(axis=1)[:, None] - 2 * part @ known.T + norms
        found[start : start + 1000] = np.sqrt(np.maximum(squares.min(axis=1), LEAST))
    return found
