"""A chain of fitted calibrations: each maps logits to logits; at the end they become probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rarebird.slots.protocols import FittedCalibration

# Fitted calibrations with their methods' names, in order.
Chain = Sequence[tuple[str, FittedCalibration]]
# Smaller probabilities are raised to this before their logarithm is taken.
LEAST = 1e-12


def probabilities(logits: np.ndarray, chain: Chain) -> np.ndarray:
    """``(n, n_classes)``: the softmax of the logits after a chain of calibrations."""
    for _, calibration in chain:
        logits = calibration(logits)
    unscaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax: np.ndarray = unscaled / unscaled.sum(axis=1, keepdims=True)
    return softmax


def apply_to_mean(mean: np.ndarray, chain: Chain) -> np.ndarray:
    """``(n, n_classes)`` mean probabilities after calibrations that were fitted to their logarithm."""
    return probabilities(np.log(np.clip(mean, LEAST, None)), chain) if chain else mean
