"""Distil an ensemble to one network: a student that learns the members' probabilities beside the labels.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", NeurIPS workshop 2014; for tables Fakoor et
al., "Fast, accurate, and simple models for tabular data via augmented distillation", NeurIPS 2020. A row's target is
the mean of its label and of the members' prediction, out of fold wherever a member held the row out: a network that
learned the row repeats its label. The student trains on most of the rows; the others, with their labels alone,
calibrate it and fit its decision.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rarebird.core.compute import Compute
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.model.model import Member
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit, cross_fit_all

# Share of the label in a target, and of the rows that judge the student where no validation rows were given.
HARD_SHARE, JUDGING_SHARE = 0.5, 0.2


def student_rows(splits: Splits, fits: Sequence[CrossFit], members: Sequence[Member], device: str, seed: int) -> Splits:
    """Rows with the members' predictions in their targets, and rows that judge, with their labels.

    Args:
        splits: The run's rows.
        fits: The members' networks by recipe.
        members: The same networks in the same order, calibrated.
        device: Where they compute.
        seed: Decides which rows judge.
    """
    train = splits.train
    soft = replace(train, y=_mixed(train, teacher_predictions(splits, fits, members, device)))
    if splits.val is not None:
        return Splits(soft, splits.val, splits.test, splits.notes)
    held = split.hold_out(train, JUDGING_SHARE, seed, "student")
    return Splits(soft.take(~held), train.take(held), splits.test, splits.notes)


def teacher_predictions(splits: Splits, fits: Sequence[CrossFit], members: Sequence[Member], device: str) -> np.ndarray:
    """``(n, n_outputs)`` predictions for the training rows: by the networks that held a row out, or else by all."""
    train, place, total = splits.train, 0, sum(models.weight for models in fits)
    predicted = np.zeros((len(train), members[0].prepared.spec.n_outputs))
    for models in fits:
        own = members[place : place + len(models.trained)]
        place += len(models.trained)
        outputs = np.array([one.predict(train, device) for one in own])
        held = np.zeros((len(own), len(train)), dtype=bool)
        if splits.val is None:
            for network in range(len(own)):
                held[network, models.unseen_rows(network)] = True
        kept = np.where(held.any(axis=0), held, True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            mean = np.nanmean(np.where(kept[:, :, None], outputs, np.nan), axis=0)
        predicted += models.weight / total * mean
    return predicted


def train_student(student: Recipe, splits: Splits, compute: Compute) -> CrossFit:
    """The student's network, with its recipe as it was laid out.

    Args:
        student: What to train.
        splits: As `student_rows` gives them.
        compute: Device, deadline and progress.
    """
    parts = [(np.arange(len(splits.train)), np.zeros(0, dtype=np.int64))]
    return cross_fit_all(student.updated(folds=0, holdout=None), splits, parts, compute)


def _mixed(train: Dataset, predicted: np.ndarray) -> np.ndarray:
    """Targets between the labels and the members' predictions."""
    assert train.y is not None
    if train.task == "regression":
        values: np.ndarray = HARD_SHARE * train.y + (1 - HARD_SHARE) * predicted[:, 0]
        return values
    hard = np.eye(train.n_classes)[train.codes]
    mixed: np.ndarray = HARD_SHARE * hard + (1 - HARD_SHARE) * predicted
    return mixed
