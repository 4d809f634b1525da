"""Which of a network's own rows are set aside for scores by which a method decides while the network trains."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rarebird.core import rng
from rarebird.data import split
from rarebird.data.dataset import Dataset
from rarebird.recipe.recipe import Recipe

# Methods that decide by scores while a network trains, and the share of its training rows that is set aside for these
# scores.
WATCHING = (("regularization", "early_stopping"), ("schedule", "reduce_on_plateau"))
WATCHED_SHARE = 0.1
# Rows of a learning curve by which nothing is decided.
MOST_OF_CURVE = 100_000


def split_off_watched(recipe: Recipe, train: Dataset, fit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions to learn from, and positions to watch during training: none where no method decides by scores.

    A method that decides by scores during training has used the rows of these scores, so that the network cannot be
    scored on them afterwards.
    """
    if not any(used in WATCHING for used in _used(recipe)):
        return fit, fit[:0]
    fewest = split.FEWEST_BESIDE_WATCHED
    learned, watched = split.sides(train.take(fit), WATCHED_SHARE, recipe.seed, "watched", fewest)
    return fit[learned], fit[watched]


def some(rows: Dataset, seed: int) -> Dataset:
    """At most `MOST_OF_CURVE` of the rows, at random."""
    if len(rows) <= MOST_OF_CURVE:
        return rows
    draw = rng.stream(seed, "learning curve")
    return rows.take(np.sort(draw.choice(len(rows), MOST_OF_CURVE, replace=False, shuffle=False)))


def _used(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """The slot and the name of each method of the recipe and of its stages."""
    yield from ((slot, type(method).name) for slot, method in recipe.methods())
    for stage in recipe.stages:
        for slot, value in stage.overrides.items():
            yield from ((slot, one["name"]) for one in (value if isinstance(value, list) else [value]))
