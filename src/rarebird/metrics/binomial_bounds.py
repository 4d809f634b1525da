"""One-sided bounds of a share that hold with a stated confidence on any number of rows (Clopper and Pearson 1934)."""

from __future__ import annotations

import numpy as np


def lower_bound(hits: np.ndarray | float, n: np.ndarray | float, confidence: float) -> np.ndarray:
    """The largest share that is refuted from below: the true share is above it with this confidence, exactly.

    Args:
        hits: Rows that are a hit, 0..n; may be fractional where rows are weighted or grouped.
        n: Rows; 0 shows nothing.
        confidence: 0..1.
    """
    from scipy.special import betaincinv

    hits, n = np.asarray(hits, dtype=float), np.asarray(n, dtype=float)
    bound = betaincinv(np.maximum(hits, 1e-12), np.maximum(n - hits, 0.0) + 1, 1 - confidence)
    return np.where(hits > 0, bound, 0.0)


def upper_bound(hits: np.ndarray | float, n: np.ndarray | float, confidence: float) -> np.ndarray:
    """The smallest share that is refuted from above; arguments as for `lower_bound`."""
    bound: np.ndarray = 1 - lower_bound(np.asarray(n, dtype=float) - hits, n, confidence)
    return bound


def p_value_above(hits: np.ndarray | float, n: np.ndarray | float, share: float) -> np.ndarray:
    """How probable as many hits are, or more, if the true share is `share` at most; small values show that it is above.

    Args:
        hits: Rows that are a hit, 0..n; may be fractional.
        n: Rows; 0 shows nothing.
        share: 0..1.
    """
    from scipy.special import betainc

    hits, n = np.asarray(hits, dtype=float), np.asarray(n, dtype=float)
    tail = betainc(np.maximum(hits, 1e-12), np.maximum(n - hits, 0.0) + 1, share)
    return np.where(hits > 0, tail, 1.0)
