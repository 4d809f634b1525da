"""Background rows: what explained rows are compared with."""

from __future__ import annotations

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.model.model import Model


def background_rows(model: Model, data: Dataset, n: int) -> Dataset:
    """Up to `n` rows that stand for all: evenly spaced in the order of what the model predicts for them, so that each
    class has about its own share of them, and the same rows come each time.

    Args:
        model: It predicts the rows.
        data: Rows to choose from.
        n: How many at most.
    """
    if len(data) <= n:
        return data
    some = data.take(np.unique(np.linspace(0, len(data) - 1, min(len(data), 50 * n)).astype(np.int64)))
    outputs = model.outputs(some)
    surest = outputs.argmax(axis=1) if model.classes else np.zeros(len(some), dtype=np.int64)
    strength = outputs.max(axis=1)
    order = np.lexsort((strength, surest))
    places = order[((np.arange(n) + 0.5) / n * len(order)).astype(np.int64)]
    return some.take(np.sort(places))
