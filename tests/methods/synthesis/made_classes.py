"""Tables whose distribution is known, for generators: clusters of two classes, and columns that depend on another."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rarebird.data.dataset import Dataset, Frame


def dataset(frame: pd.DataFrame, y: np.ndarray, **known: object) -> Dataset:
    classes = tuple("abcdefgh"[: int(y.max()) + 1])
    ids = np.arange(len(y)).astype(str)
    return Dataset("table", "classification", Frame(frame), np.arange(len(y)), y, classes, ids, **known)  # type: ignore[arg-type]


def clusters(counts: tuple[int, ...] = (200, 60), seed: int = 0) -> Dataset:
    """Each class has two clusters apart from each other and from those of the other class, and a category that tells
    which cluster it is."""
    rng, y = np.random.default_rng(seed), np.repeat(np.arange(len(counts)), counts)
    side = rng.integers(0, 2, len(y))
    frame = pd.DataFrame(
        {
            "x": 10.0 * side + rng.normal(0, 0.5, len(y)),
            "y": 10.0 * y + 3.0 * side + rng.normal(0, 0.5, len(y)),
            "side": np.array(["left", "right"], dtype=object)[side],
        }
    )
    return dataset(frame, y)


def ellipses(counts: tuple[int, ...] = (300, 80), slope: float = 0.95, seed: int = 0) -> Dataset:
    """Two numbers that depend on each other, in the other direction in the second class; and a whole number."""
    rng, y = np.random.default_rng(seed), np.repeat(np.arange(len(counts)), counts)
    first = rng.normal(size=len(y))
    sign = np.where(y == 0, 1, -1)
    second = slope * sign * first + np.sqrt(1 - slope**2) * rng.normal(size=len(y)) + y
    frame = pd.DataFrame({"first": first, "second": second, "count": rng.poisson(2 + 3 * y)})
    return dataset(frame, y)
