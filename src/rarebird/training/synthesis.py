"""Adds synthetic rows of rare classes to the training rows of one part: they are learned from, and judge nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.core.checks import some
from rarebird.core.compute import Compute
from rarebird.data.concatenation import concat
from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import counted, missing_rows
from rarebird.recipe.recipe import Recipe
from rarebird.slots.synthetic_rows import Generated

# Share of the time of all trainings that their generators may take.
SHARE = 0.4


@dataclass(frozen=True, eq=False)
class Filled:
    """Training rows with synthetic ones after them, with weights that are numbers of rows, and sentences on them."""

    rows: Dataset
    notes: tuple[str, ...] = ()


def synthesize(recipe: Recipe, train: Dataset, fold: int, compute: Compute) -> Filled:
    """The rows, with synthetic ones of the classes that have fewer rows than the recipe's `synthesis` asks for.

    Args:
        recipe: Without `synthesis`, rows stay as they are.
        train: Training rows of one part, the only ones that the generator sees.
        fold: The number of the part; it names the random stream.
        compute: Where the generator learns, and who is told.
    """
    method: Any = recipe.synthesis
    rows = counted(train)
    if method is None:
        return Filled(rows)
    draw = rng.stream(recipe.seed, "synthesis", fold)
    lack = lacking(method, rows) if train.task == "classification" else np.ones(1)
    if not lack.any():
        return Filled(rows)
    return filled(method.fit(rows, compute, draw), rows, lack, method.weight, draw)


def lacking(method: Any, rows: Dataset) -> np.ndarray:
    """``(n_classes,)`` rows that the classes lack which the method fills; it refuses other tasks itself.

    Args:
        method: Of the slot `synthesis`.
        rows: Training rows, whose weights are numbers of rows.
    """
    lack = np.zeros(rows.n_classes, np.int64)
    found = missing_rows(rows.codes, rows.weights, method.ratio)
    lack[: len(found)] = found
    if method.classes is not None:
        lack[[label not in method.classes for label in rows.classes]] = 0
    return lack


def filled(fitted: Generated, rows: Dataset, lack: np.ndarray, weight: float, draw: np.random.Generator) -> Filled:
    """The rows, with as many synthetic ones after them as each class lacks.

    Args:
        fitted: The generator.
        rows: Real rows, whose weights are numbers of rows.
        lack: ``(n_classes,)`` rows that each class lacks.
        weight: Of a synthetic row, relative to the mean weight of its class.
        draw: Decides the rows.
    """
    parts, unable = [], []
    for code in np.flatnonzero(lack):
        if not fitted.able[code]:
            unable.append(int(code))
            continue
        made = fitted.sample(int(code), int(lack[code]), draw)
        each = weight * float(rows.weights[rows.codes == code].mean())
        parts.append(replace(made, weight=np.full(len(made), each)))
    notes = [_note(fitted, unable)] if unable else []
    return Filled(concat([rows, *parts]) if parts else rows, tuple(notes))


def planned(recipe: Recipe, train: Dataset, compute: Compute, trainings: int, seconds: float) -> Recipe:
    """The recipe with as many steps of its generator as end within its share of the time.

    Args:
        recipe: Without `synthesis`, it stays as it is.
        train: Training rows of one part.
        compute: Where the generator learns.
        trainings: The number of trainings that share the time.
        seconds: The time for all of them.
    """
    method: Any = recipe.synthesis
    if method is None or train.task != "classification":
        return recipe
    return recipe.updated(synthesis=method.planned(counted(train), compute, SHARE * seconds / trainings))


def _note(fitted: Generated, unable: Sequence[int]) -> str:
    names = some(repr(fitted.like.classes[code]) for code in unable)
    return f"{fitted.name} makes no rows of {names}: it needs {fitted.least_rows} training rows of a class."
