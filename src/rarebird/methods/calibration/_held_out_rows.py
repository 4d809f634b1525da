"""Held-out rows that a calibration is fitted on: their check, their weights as numbers of rows, and the classes that
they show."""

from __future__ import annotations

import numpy as np

from rarebird.core.checks import require
from rarebird.data.row_counts import rows_of, seen_classes


def row_weights(logits: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n,)`` how many rows each row counts for, beside a prior that is worth a number of rows.

    Args:
        logits: ``(n, n_classes)``.
        y: ``(n,)`` int class codes.
        weight: ``(n,)`` sample weights: whole numbers count rows, others may have any scale.

    Raises:
        ValueError: The arrays differ in their number of rows.
    """
    sizes = {"logits": len(logits), "y": len(y), "weight": len(weight)}
    require(len(set(sizes.values())) == 1, "one label and weight per row", **sizes)
    return rows_of(weight)


def among_seen(
    logits: np.ndarray, y: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The rows with weight and their classes alone: what rows of some classes show about these, whatever is predicted
    for the other classes.

    Args:
        logits: ``(n, n_classes)``.
        y: ``(n,)`` int class codes.
        weight: ``(n,)`` weights, in rows.

    Returns:
        The logits of the classes with weight, ``y`` as positions among these, the weights, and ``(n_classes,)`` bool,
        which classes they are. All as given where every class has weight.
    """
    seen = seen_classes(y, weight, logits.shape[1])
    if seen.all():
        return logits, y, weight, seen
    rows = seen[y]
    return np.ascontiguousarray(logits[rows][:, seen]), (np.cumsum(seen) - 1)[y[rows]], weight[rows], seen
