"""Rows that a model is scored on, with its predictions for them: what the files of a run show row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.model.model import Model
from rarebird.training.cross_fit import CrossFit

TEST, VALIDATION, HOLD_OUT, FOLDS = "test", "validation", "hold-out", "folds"


@dataclass(frozen=True, eq=False)
class PredictedRows:
    """Rows with the predictions that their scores are made of.

    Attributes:
        rows: With their labels, in the model's classes.
        outputs: ``(n, n_classes)`` probabilities, or ``(n, 1)`` values.
        labels: ``(n,)`` decided class codes; the values for regression.
        part: ``(n,)`` text, the part of the data that each row belongs to: ``test``, ``validation`` (given rows),
            ``hold-out``, ``fold 1`` and so on, or ``folds`` where the members of an ensemble have folds of their own.
    """

    rows: Dataset
    outputs: np.ndarray
    labels: np.ndarray
    part: np.ndarray


def predicted_rows(model: Model, rows: Dataset, outputs: np.ndarray, part: str | np.ndarray) -> PredictedRows:
    """The rows with the model's decision for given outputs; one name of a part is that of all rows."""
    parts = np.full(len(rows), part, dtype=object) if isinstance(part, str) else part
    return PredictedRows(rows, outputs, model.labels(outputs), parts)


def held_out_rows(
    model: Model, scored: Dataset, outputs: np.ndarray, fits: Sequence[CrossFit], are_given: bool
) -> PredictedRows:
    """The held-out rows among `scored`, with their held-out outputs.

    Args:
        model: Its decision gives the labels.
        scored: The rows that the networks hold out, and perhaps others.
        outputs: ``(n, n_outputs)`` held-out outputs for `scored`, NaN for rows that were never held out.
        fits: The networks by recipe.
        are_given: Whether `scored` are given validation rows.
    """
    rows = np.flatnonzero(np.isfinite(outputs).all(axis=1))
    part: str | np.ndarray = VALIDATION if are_given else _folds(fits, len(scored))[rows]
    return predicted_rows(model, scored.take(rows), outputs[rows], part)


def _folds(fits: Sequence[CrossFit], n: int) -> np.ndarray:
    """``(n,)`` the name of the fold that holds each row out."""
    part = np.full(n, FOLDS, dtype=object)
    if all(len(models.held_rows) <= 1 for models in fits):
        part[:] = HOLD_OUT
        return part
    first = fits[0].held_rows
    shared = all(
        len(models.held_rows) == len(first) and all(map(np.array_equal, models.held_rows, first)) for models in fits
    )
    # Exact leave-one-out outputs make a network hold out all rows: then a row belongs to no single fold.
    if shared and sum(map(len, first)) <= n:
        for place, rows in enumerate(first):
            part[rows] = f"fold {place + 1}"
    return part
