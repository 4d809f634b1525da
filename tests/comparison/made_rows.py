"""Small skewed tables and a network that learns them in some hundredths of a second."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rarebird.data.dataset import Dataset, Frame
from rarebird.recipe.recipe import Recipe


def rows(n: int = 300, share: float = 0.1, shuffled: bool = False, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(1.5 * y, 1), "b": rng.normal(size=n)})
    y = rng.permutation(y) if shuffled else y
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def baseline(**changes: object) -> Recipe:
    plain: dict[str, object] = {
        "kind": "table",
        "network": {"name": "mlp", "width": 8, "depth": 1},
        "optimizer": {"name": "adamw", "learning_rate": 1e-2},
        "steps": 40,
        "batch_size": 32,
        "decision": "argmax",
        "calibration": [],
        "threads": 1,
    }
    return Recipe(**(plain | changes))
