"""Distances of rows as points, and how near rows of one set are to each other."""

from __future__ import annotations

import numpy as np

# Neighbors whose distance is the radius of a row's ball.
NEIGHBORS = 5


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """``(n, m)`` Euclidean distances of points ``(n, d)`` from points ``(m, d)``."""
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
    found: np.ndarray = np.sqrt(np.maximum(squares, 0))
    # Rounding errors of equal points are no distance.
    return np.where(found < 1e-6 * np.sqrt(max(float((first**2).sum(axis=1).max(initial=0)), 1e-12)), 0.0, found)


def radius(known: np.ndarray) -> np.ndarray:
    """``(m,)`` the distance of each known row ``(m, d)`` to its fifth neighbor: the radius of its ball."""
    among = distances(known, known)
    k = min(NEIGHBORS, len(known) - 1)
    found: np.ndarray = np.partition(among, k, axis=1)[:, k]
    return found


def near(known: np.ndarray, share: float) -> float:
    """The distance within which this share of known rows ``(m, d)`` have another one; 0 for a single row."""
    if len(known) < 2:
        return 0.0
    return float(np.quantile(np.partition(distances(known, known), 1, axis=1)[:, 1], share))
