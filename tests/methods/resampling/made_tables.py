"""Tables that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from rarebird.data.dataset import Dataset, Frame
from rarebird.methods.resampling._neighbors import Points


def dataset(frame: pd.DataFrame, y: np.ndarray, **known: Any) -> Dataset:
    """Rows of a table with class codes, or numbers, for targets."""
    n = len(frame)
    regression = y.dtype.kind == "f" and y.ndim == 1
    classes = (
        () if regression else tuple(f"class {code}" for code in range(y.shape[1] if y.ndim == 2 else int(y.max()) + 1))
    )
    task: Any = "regression" if regression else "classification"
    ids = np.array([f"row {place}" for place in range(n)])
    return Dataset("table", task, Frame(frame), np.arange(n), y, classes, ids, **known)


def line(*places: float) -> Points:
    """Points on a line."""
    return Points(np.array(places, dtype=np.float64)[:, None], np.zeros((len(places), 0), dtype=np.int64))


def plain(counts: tuple[int, ...] = (90, 30, 12), width: int = 3, seed: int = 0, apart: float = 1.2) -> Dataset:
    """Numbers alone: one normal cloud per class, overlapping, in random order."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    values = rng.normal(size=(len(y), width)) + apart * np.eye(len(counts), width)[y]
    return dataset(pd.DataFrame(values, columns=[f"x{place}" for place in range(width)]), y)


def mixed(counts: tuple[int, ...] = (80, 25, 9), seed: int = 0) -> Dataset:
    """Numbers with gaps, whole numbers, categories with gaps, truth values, dates; weights and groups."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    n = len(y)
    frame = pd.DataFrame(
        {
            "number": rng.normal(y, 1.0),
            "gaps": np.where(rng.random(n) < 0.2, np.nan, rng.normal(100 * y, 60)),
            "whole": rng.integers(0, 9, n),
            "city": rng.choice(np.array(["北京", "Zürich", None], dtype=object), n),
            "flag": rng.random(n) < 0.3 + 0.2 * y,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D"),
        }
    )
    return dataset(frame, y, weight=rng.uniform(0.5, 2, n), group=rng.integers(0, 7, n).astype(str))
