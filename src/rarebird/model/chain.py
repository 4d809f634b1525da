"""A chain of fitted calibrations: logits -> logits, and at its end probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rarebird.slots.protocols import FittedCalibration

# Fitted calibrations with their methods' names, in order.
Chain = Sequence[tuple[str, FittedCalibration]]
# Probabilities below this count as this where logarithms are taken.
LEAST = 1e-12


def probabilities(logits: np.ndarray, chain: Chain) -> np.ndarray:
    """``(n, n_classes)``: the softmax of logits after a chain of calibrations."""
    for _, calibration in chain:
        logits = calibration(logits)
    unscaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax: np.ndarray = unscaled / unscaled.sum(axis=1, keepdims=True)
    return softmax


def recalibrated(mean: np.ndarray, chain: Chain) -> np.ndarray:
    """``(n, n_classes)`` mean probabilities after a chain of calibrations that were fitted to their logarithm."""
    return probabilities(np.log(np.clip(mean, LEAST, None)), chain) if chain else mean
