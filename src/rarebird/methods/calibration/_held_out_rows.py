"""Held-out rows that a calibration is fitted on: their check, and weights that sum to the effective number of rows."""

from __future__ import annotations

import numpy as np

from rarebird.core.checks import require


def effective_weights(logits: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n,)`` weights scaled to sum to Kish's effective number of rows, ``(sum w)^2 / sum w^2``.

    Args:
        logits: ``(n, n_classes)``.
        y: ``(n,)`` int class codes.
        weight: ``(n,)`` sample weights on any scale; they stay zeros where all of them are 0.

    Raises:
        ValueError: The arrays differ in their number of rows.
    """
    sizes = {"logits": len(logits), "y": len(y), "weight": len(weight)}
    require(len(set(sizes.values())) == 1, "one label and weight per row", **sizes)
    scaled: np.ndarray = weight * (weight.sum() / max(np.square(weight).sum(), np.finfo(float).tiny))
    return scaled
