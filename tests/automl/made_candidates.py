"""Candidates whose held-out predictions are made up, for tests of what is chosen among them."""

from __future__ import annotations

from typing import Any

import numpy as np

from rarebird.automl.candidate import Candidate
from rarebird.automl.criterion import Criterion
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit

N, CLASSES, PARTS = 200, 2, 5
Y = (np.random.default_rng(0).random(N) < 0.3).astype(np.int64)
PRIOR = np.bincount(Y) / N
CRITERION = Criterion(Y, np.ones(N), PRIOR, 0.5)
# Parts of the rows in turn, so that each has rows of both classes.
ROW_PARTS = np.arange(N) % PARTS
LOST = np.where(np.eye(CLASSES)[Y] > 0, 0.02, 0.98)


def good(strength: float, seed: int) -> np.ndarray:
    """``(N, CLASSES)`` probabilities that lean to the true class, each seed with errors of its own."""
    # Twice as sure as they may be: what averaging is good for.
    margin = 2 * (strength * (Y - 0.5) + np.random.default_rng(seed).normal(size=N))
    positive = 1 / (1 + np.exp(-margin))
    return np.stack([1 - positive, positive], axis=1)


def candidate(name: str, predicted: np.ndarray, *, seconds: float = 1.0, **recipe: Any) -> Candidate:
    models = CrossFit(Recipe(**{"kind": "table", "network": "mlp", "steps": 3} | recipe))
    return Candidate(name, models, predicted, CRITERION.rows(predicted), seconds, 1e-4)
