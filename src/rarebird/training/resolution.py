"""The size of the pictures that a pretrained network sees, chosen by the time and by their own size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from rarebird.data.dataset import Splits
from rarebird.data.sources import Pixels
from rarebird.recipe.recipe import Recipe
from rarebird.training.trainer import Trainer

# Share of the time that all passes of the network may take; the rest is a reserve for a shared machine and the head.
SHARE = 0.6
# Where the body learns, this number of passes over the rows must fit, each of which takes this number of predictions.
PASSES, PREDICTIONS = 8.0, 3.0
# Pictures are enlarged by at most this factor: what is between pixels is guessed, and beyond some size the body's first
# layers see only smooth surfaces. Of pictures of 32 px the leave-one-out loss is .56 at 128 px and .94 at 224.
LARGEST_FACTOR = 4


def at_largest_size(recipe: Recipe, splits: Splits) -> Recipe:
    """The recipe with the largest size of its network's pictures that does not enlarge small ones too much; unchanged
    where the network has no choice of sizes, or the recipe names one."""
    return _at(recipe, _sizes(recipe, splits))


def at_affordable_size(
    recipe: Recipe,
    trainer: Trainer,
    splits: Splits,
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
    deadline: float,
) -> Recipe:
    """The recipe with the largest size, of those of `at_largest_size`, that leaves enough passes within the time.

    Args:
        recipe: What to train.
        trainer: Of the first part, whose prediction of a row is measured at the network's own size.
        splits: The test rows are predicted, too.
        parts: Per model, the rows that it learns from and those that it holds out.
        deadline: On the scale of `time.monotonic`.
    """
    sizes = _sizes(recipe, splits)
    if not sizes:
        return recipe
    network: Any = recipe.network
    seconds = trainer.seconds_per_row(deadline) * _rows_passed(recipe, splits, parts)
    left = SHARE * max(deadline - time.monotonic(), 0.0)
    all_sizes = network.sizes()
    return _at(recipe, [one for one in sizes if seconds * (one / all_sizes[0]) ** 2 <= left] or all_sizes[-1:])


def _sizes(recipe: Recipe, splits: Splits) -> list[int]:
    """The sizes that do not enlarge small pictures too much, the largest first; none where there is no choice."""
    network: Any = recipe.network
    if recipe.reference is not None or not hasattr(network, "sizes") or network.size is not None:
        return []
    pictures = splits.train.source
    assert isinstance(pictures, Pixels)
    largest = LARGEST_FACTOR * max(pictures.array.shape[2:])
    sizes: list[int] = network.sizes()
    return [size for size in sizes if size <= largest] or sizes[-1:]


def _at(recipe: Recipe, sizes: list[int]) -> Recipe:
    """The recipe at the first of these sizes."""
    if not sizes:
        return recipe
    return recipe.updated(network=recipe.network.model_copy(update={"size": sizes[0]}))


def _rows_passed(recipe: Recipe, splits: Splits, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """How many rows all networks of the recipe predict; a row that the body learns from counts several times."""
    frozen = all(stage.trainable == "head" for stage in recipe.stages)
    learned, held = sum(len(one) for one, _ in parts), sum(len(one) for _, one in parts)
    test = 0 if splits.test is None else len(parts) * len(splits.test)
    own = 0 if recipe.head is not None else held if splits.val is None else len(parts) * len(splits.val)
    return (learned if frozen else PASSES * PREDICTIONS * learned) + own + test
