"""Adds synthetic rows to training rows, resamples them, and turns them into tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from rarebird.core import rng
from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Frame
from rarebird.data.prepare import Prepared
from rarebird.data.row_counts import counted
from rarebird.recipe.recipe import Recipe
from rarebird.training.batches import Rows
from rarebird.training.joining import Joined
from rarebird.training.prior_factor import resampling_factor
from rarebird.training.synthesis import synthesize

# On the CPU, and nobody is told.
AT_ONCE = Compute()


def prepared_rows(prepared: Prepared, rows: Dataset) -> Rows:
    """Training rows, whose weights are numbers of rows, as tensors with weights of mean 1."""
    counts = rows.weights
    weight = torch.from_numpy((counts / counts.mean()).astype(np.float32))
    parts = rows.source.parts_of(rows.index) if isinstance(rows.source, Frame) else None
    return Rows(prepared.inputs(rows), prepared.targets(rows), weight, None if (counts == 1).all() else counts, parts)


def learned_rows(
    recipe: Recipe, joined: Joined, fold: int, compute: Compute = AT_ONCE
) -> tuple[Dataset, np.ndarray | None, list[str]]:
    """The rows that a model learns from: after the recipe's synthesis and resampling.

    Args:
        recipe: Its `synthesis` and `resampling` are used.
        joined: Training rows of one part, with those of other sources.
        fold: The number of the part; it names the random stream.
        compute: Where a generator learns, and who is told.

    Returns:
        The rows with weights that are numbers of rows; ``(n_classes,)`` by which joining, synthesis and resampling
        multiplied each class's weighted count, None for regression; and sentences for the user.
    """
    made = synthesize(recipe, joined.rows, fold, compute)
    rows, factor = resample(recipe, made.rows, fold, joined.own)
    return rows, factor, list(made.notes)


def resample(
    recipe: Recipe, train: Dataset, fold: int, own: Dataset | None = None
) -> tuple[Dataset, np.ndarray | None]:
    """Training rows after the recipe's resampling.

    Args:
        recipe: Its `resampling` is used.
        train: Training rows, with those of other sources and synthetic ones.
        fold: The number of the part; it names the random stream.
        own: The part's own rows, whose class frequencies are the natural ones; None: all of `train`.

    Returns:
        The rows with weights that are numbers of rows, and ``(n_classes,)`` by which all that was added and resampling
        multiplied each class's weighted count; None for regression.
    """
    method: Any = recipe.resampling
    train = counted(train)
    rows = train if method is None else method(train, rng.stream(recipe.seed, "resampling", fold))
    if train.task == "regression":
        return rows, None
    natural = train if own is None else counted(own)
    return rows, resampling_factor(natural.weighted_counts, rows.weighted_counts)
