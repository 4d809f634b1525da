"""Methods that need all their rows in memory at once learn from a sample of a table that stays on disk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.data.dataset import Dataset, Frame
from rarebird.data.stored_frame import StoredFrame
from rarebird.recipe.recipe import Recipe
from rarebird.training.pretraining import learns
from rarebird.training.prior_factor import resampling_factor
from rarebird.training.trainer import Trained

# Slots whose methods look at all rows at once.
SLOTS = ("reference", "head", "resampling", "synthesis", "external")


def method_at_once(recipe: Recipe) -> str:
    """The name of a method of the recipe that needs all rows at once; empty if there is none."""
    for slot in SLOTS:
        if (method := getattr(recipe, slot)) is not None:
            return str(method.name)
    transfer: Any = recipe.transfer
    if learns(recipe):
        return str(transfer.name)
    network: Any = recipe.network
    return str(network.name) if getattr(network, "has_frozen_part", False) else ""


def is_sampled(recipe: Recipe, train: Dataset) -> bool:
    """Whether a model of the recipe learns from a sample of these rows."""
    return isinstance(train.source, StoredFrame) and method_at_once(recipe) != ""


def sampled(train: Dataset, seed: int) -> np.ndarray:
    """``(m,)`` positions of a sample of bounded size, in order: all rows of the rarer classes, and the same number of
    each more frequent class; for regression, rows at random."""
    assert isinstance(train.source, Frame)
    draw = rng.stream(seed, "rows at once")
    most = len(train.source.sampled(train.index))
    if train.task == "regression":
        return np.sort(draw.choice(len(train), most, replace=False, shuffle=False))
    codes = train.codes
    counts = np.bincount(codes, minlength=train.n_classes)
    wanted = counts.copy()
    left = most
    for place, code in enumerate(np.argsort(counts, kind="stable")):
        wanted[code] = min(counts[code], left // (len(counts) - place))
        left -= int(wanted[code])
    own = (np.flatnonzero(codes == code) for code in range(len(counts)))
    chosen = [draw.choice(rows, n, replace=False, shuffle=False) for rows, n in zip(own, wanted, strict=True) if n]
    return np.sort(np.concatenate(chosen))


def in_memory(rows: Dataset) -> Dataset:
    """The rows of a table, in memory."""
    return replace(rows, source=Frame(rows.raw()), index=np.arange(len(rows)))


def of_all_rows(trained: Trained, recipe: Recipe, train: Dataset, fit: np.ndarray, learned: np.ndarray) -> Trained:
    """A model that learned from a sample, with the factor by which the sample bends the prior, and a note; other models
    are not changed.

    Args:
        trained: The model.
        recipe: Its recipe.
        train: The training rows.
        fit, learned: Positions of the rows of the model's part, and of those that it learned from.
    """
    if len(learned) == len(fit) or not is_sampled(recipe, train):
        return trained
    train, sample = train.take(fit), train.take(learned)
    name = method_at_once(recipe)
    sizes = f"of the {len(train):,} training rows it learns from {len(sample):,}"
    note = f"{name} needs its rows in memory at once: {sizes}, which have all rows of the rarer classes."
    if train.task == "regression":
        note = f"{name} needs its rows in memory at once: {sizes}."
    factor = trained.prior_factor
    if factor is not None:
        factor = factor * resampling_factor(train.weighted_counts, sample.weighted_counts)
        factor = factor / factor.sum()
    return replace(trained, prior_factor=factor, notes=[*trained.notes, note])
