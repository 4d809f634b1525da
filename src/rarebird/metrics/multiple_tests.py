"""Several tests at once: p-values corrected so that any false alarm among them has at most the stated probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm_adjusted(p_values: Sequence[float]) -> np.ndarray:
    """``(n,)`` p-values after the step-down correction of Holm (1979), in the order given, at most 1."""
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    steps = np.minimum(values[order] * np.arange(len(values), 0, -1), 1.0)
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(steps) if len(values) else steps
    return adjusted


def min_p_adjusted(p_values: Sequence[float], random: np.ndarray) -> np.ndarray:
    """``(k,)`` p-values after the step-down correction of Westfall and Young (1993), in the order given.

    Tests that are alike, or that can hardly reject, cost less than with Holm's: the smallest p-value is compared with
    the smallest ones under equality.

    Args:
        p_values: Of k tests of the same rows.
        random: ``(m, k)`` p-values of the same tests after each of m random changes, under equality.
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    # The smallest p-value of a test and of all that come after it.
    least = np.minimum.accumulate(np.asarray(random)[:, order[::-1]], axis=1)[:, ::-1]
    steps = (1 + (least <= values[order] + 1e-12).sum(axis=0)) / (1 + len(least))
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(steps) if len(values) else steps
    return adjusted
