"""Made pictures and series of classes that are easy to tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from rarebird.data.dataset import Curves, Dataset, Pixels, Source


def dataset(kind: Any, source: Source, codes: np.ndarray, n_classes: int = 2) -> Dataset:
    ids = np.array([f"row {place}" for place in range(len(codes))], dtype=object)
    classes = tuple("abcdef"[:n_classes])
    return Dataset(kind, "classification", source, np.arange(len(codes)), codes, classes, ids)


def pictures(counts: tuple[int, ...], sides: tuple[int, int] = (8, 8), channels: int = 1) -> Dataset:
    """Bytes; each class has its own brightness, and each picture a bright column at a random place."""
    draw = np.random.default_rng(0)
    codes = np.repeat(np.arange(len(counts)), counts)
    array = (40 + 150 * codes / max(len(counts) - 1, 1))[:, None, None, None] + draw.normal(
        0, 8, (len(codes), channels, *sides)
    )
    for row, column in enumerate(draw.integers(0, sides[1], len(codes))):
        array[row, :, :, column] += 40
    return dataset("image", Pixels(array.clip(0, 255).astype(np.uint8)), codes, len(counts))


def series(counts: tuple[int, ...], steps: int = 24, unequal: bool = False, gaps: float = 0.0) -> Dataset:
    """Two channels, a wave and whole numbers; each class has its own level."""
    draw = np.random.default_rng(1)
    codes = np.repeat(np.arange(len(counts)), counts)
    times = np.linspace(0, 6, steps)
    wave = np.sin(times + draw.uniform(0, 1, (len(codes), 1))) + 4.0 * codes[:, None]
    whole = np.rint(10 * wave + draw.normal(0, 2, wave.shape))
    values = np.stack([wave, whole], axis=1).astype(np.float32)
    lengths = steps - 5 * codes if unequal else np.full(len(codes), steps)
    values[draw.random(values.shape) < gaps] = np.nan
    values[np.broadcast_to(np.arange(steps) >= lengths[:, None, None], values.shape)] = np.nan
    return dataset("series", Curves(values, lengths.astype(np.int64)), codes, len(counts))
