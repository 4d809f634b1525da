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
