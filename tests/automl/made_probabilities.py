"""Labels of three skewed classes, a criterion on them, and probabilities that are good, at random, or wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from rarebird.automl.criterion import Criterion

N, CLASSES = 120, 3
RNG = np.random.default_rng(0)
Y = RNG.choice(CLASSES, N, p=[0.7, 0.2, 0.1])
PRIOR = np.bincount(Y) / N
GUESS = RNG.dirichlet(np.ones(CLASSES), N)


def criterion(balanced: float = 0.5, **changes: Any) -> Criterion:
    return Criterion(**{"y": Y, "weight": np.ones(N), "prior": PRIOR, "balanced": balanced} | changes)


# Sure of a wrong class.
LOST = 0.98 * np.eye(CLASSES)[(Y + 1) % CLASSES] + 0.01 * np.eye(CLASSES)[Y] + 0.01 * np.eye(CLASSES)[(Y + 2) % CLASSES]


def good(strength: float, seed: int, y: np.ndarray = Y) -> np.ndarray:
    """Probabilities that lean to the true class, each seed with errors of its own."""
    logits = strength * np.eye(CLASSES)[y] + np.random.default_rng(seed).normal(size=(len(y), CLASSES))
    unscaled = np.exp(logits)
    return unscaled / unscaled.sum(axis=1, keepdims=True)
