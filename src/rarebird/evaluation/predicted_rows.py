"""Rows that a model is scored on, with its predictions for them: what the files of a run show row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.evaluation.complete import Completed
from rarebird.model.model import Model
from rarebird.training.cross_fit import CrossFit

TEST, VALIDATION, HOLD_OUT, LEFT_OUT, FOLDS = "test", "validation", "hold-out", "left out", "folds"


@dataclass(frozen=True, eq=False)
class PredictedRows:
    """Rows with the predictions that their scores are made of.

    Attributes:
        rows: With their labels, in the model's classes.
        outputs: ``(n, n_classes)`` probabilities, or ``(n, 1)`` values.
        labels: ``(n,)`` decided class codes; the values for regression.
        part: ``(n,)`` text, the part of the data that each row belongs to: ``test``, ``validation`` (given rows),
            ``hold-out``, ``fold 1`` and so on, ``left out`` where each row is judged by an output without it, or
            ``folds`` where the members of an ensemble have folds of their own.
        left: ``(n,)`` bool, the rows that are left to a person.
    """

    rows: Dataset
    outputs: np.ndarray
    labels: np.ndarray
    part: np.ndarray
    left: np.ndarray


def predicted_rows(model: Model, rows: Dataset, outputs: np.ndarray, part: str) -> PredictedRows:
    """Rows of one part with the model's decision for given outputs."""
    parts = np.full(len(rows), part, dtype=object)
    return PredictedRows(rows, outputs, model.labels(outputs, rows), parts, model.left(outputs))


def held_out_rows(completed: Completed, scored: Dataset, fits: Sequence[CrossFit], are_given: bool) -> PredictedRows:
    """The held-out rows among `scored`, with predictions by calibrations and a decision of other rows.

    Args:
        completed: The held-out predictions.
        scored: The rows that the networks hold out, and perhaps others.
        fits: The networks by recipe.
        are_given: Whether `scored` are given validation rows.
    """
    rows = np.flatnonzero(np.isfinite(completed.outputs).all(axis=1))
    part = np.full(len(rows), VALIDATION, dtype=object) if are_given else _folds(fits, len(scored))[rows]
    outputs = completed.outputs[rows]
    return PredictedRows(scored.take(rows), outputs, completed.labels[rows], part, completed.model.left(outputs))


def _folds(fits: Sequence[CrossFit], n: int) -> np.ndarray:
    """``(n,)`` the name of the fold that holds each row out."""
    part = np.full(n, FOLDS, dtype=object)
    if all(one.own_outputs is not None for models in fits for one in models.trained):
        part[:] = LEFT_OUT
        return part
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
