"""Held-out rows that a calibration is fitted on: their check, and their weights as numbers of rows."""

from __future__ import annotations

import numpy as np

from rarebird.core.checks import require
from rarebird.data.row_counts import rows_of


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
