"""A small table whose overfitting a penalty can prevent, and a network that learns it in a moment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rarebird.data.dataset import Dataset, Frame
from rarebird.recipe.recipe import Recipe


def rows(n: int = 120, useless: int = 10, seed: int = 0) -> Dataset:
    """Two classes that one of many columns tells apart, not too well."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(np.int64)
    frame = pd.DataFrame(rng.normal(size=(n, 1 + useless)), columns=[f"x{place}" for place in range(1 + useless)])
    frame["x0"] += 1.5 * y
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def recipe(**changes: object) -> Recipe:
    plain: dict[str, object] = {
        "kind": "table",
        "network": {"name": "mlp", "width": 32, "depth": 1, "dropout": 0.0},
        "optimizer": {"name": "adamw", "learning_rate": 1e-2},
        "steps": 60,
        "batch_size": 32,
        "calibration": ["temperature"],
        "metric": "log_loss",
        "threads": 1,
    }
    return Recipe(**(plain | changes))
