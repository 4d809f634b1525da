"""A small table of two classes, and a recipe that trains on it in a moment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rarebird.data.dataset import Dataset, Frame
from rarebird.recipe.recipe import Recipe


def rows(n: int = 400, share: float = 0.15, seed: int = 0) -> Dataset:
    """Rows of two classes that one column tells apart a little."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(1.5 * y, 1), "b": rng.normal(size=n)})
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def recipe(**changes: object) -> Recipe:
    """A small network on one thread."""
    plain: dict[str, object] = {
        "kind": "table",
        "network": {"name": "mlp", "width": 8, "depth": 1},
        "steps": 5,
        "batch_size": 64,
        "threads": 1,
    }
    return Recipe(**(plain | changes))
