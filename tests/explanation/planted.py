"""Rows in which a planted part decides the class, and small models of them: for identities of explanations a network
of any quality serves, and a few steps suffice where the plant must be learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Splits
from rarebird.experiment.run import run
from rarebird.model.model import Model
from rarebird.recipe.recipe import Recipe

CLASSES = ("common", "rare")


def labels(n: int) -> np.ndarray:
    return (np.arange(n) % 3 == 0).astype(np.int64)


def table(n: int = 120, seed: int = 0) -> Dataset:
    """Columns ``plant`` (decides), ``noise``, ``ward`` (a category), ``day`` (a date); some cells are missing."""
    rng = np.random.default_rng(seed)
    y = labels(n)
    frame = pd.DataFrame(
        {
            "noise": rng.normal(size=n),
            "plant": rng.normal(4 * y, 1),
            "ward": rng.choice(["a", "b", "c"], n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D"),
        }
    )
    frame.loc[::11, "noise"] = np.nan
    return _rows("table", Frame(frame), y)


def pictures(n: int = 60, side: int = 16, seed: int = 0) -> Dataset:
    """A bright 4 x 4 corner in each rare picture."""
    rng, y = np.random.default_rng(seed), labels(n)
    pixels = rng.integers(0, 90, (n, 2, side, side)).astype(np.uint8)
    pixels[y == 1, :, :4, :4] += 150
    return _rows("image", Pixels(pixels), y)


def series(n: int = 60, length: int = 32, seed: int = 0) -> Dataset:
    """A bump at the steps 8 to 12 of the first of two channels in each rare series; lengths differ."""
    rng, y = np.random.default_rng(seed), labels(n)
    values = rng.normal(size=(n, 2, length)).astype(np.float32)
    values[y == 1, 0, 8:12] += 4
    lengths = length - rng.integers(0, 6, n)
    values[np.broadcast_to((np.arange(length) >= lengths[:, None])[:, None], values.shape)] = np.nan
    return _rows("series", Curves(values, lengths), y)


def regression(n: int = 80) -> Dataset:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    y = 100 + 20 * frame.a.to_numpy()
    return Dataset("table", "regression", Frame(frame), np.arange(n), y, (), np.arange(n).astype(str))


def _rows(kind: Any, source: Any, y: np.ndarray) -> Dataset:
    n = len(y)
    return Dataset(kind, "classification", source, np.arange(n), y, CLASSES, np.arange(n).astype(str))


def model_of(data: Dataset, **recipe: Any) -> Model:
    """A model of a few steps: two networks of a cross-fit unless the recipe says otherwise."""
    plain = {"kind": data.kind, "steps": 3, "folds": 2, "batch_size": 32, "threads": 1}
    plain |= {"optimizer": {"name": "adamw", "learning_rate": 0.02}}
    plain |= {"loss": "mean_squared"} if data.task == "regression" else {}
    return run(Recipe(**{**plain, **recipe}), Splits(data), test_share=0).model
