"""Distil an ensemble to one network: a student that learns the members' probabilities beside the labels.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", NeurIPS workshop 2014; for tables Fakoor et
al., "Fast, accurate, and simple models for tabular data via augmented distillation", NeurIPS 2020. A row's target is
the mean of its label and of what the members say of it, out of fold wherever a member held it out: a prediction by a
network that learned the row repeats its label. The student trains on most of the rows; the others, with their labels
alone, calibrate it and fit its decision.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.model.model import Member
from rarebird.recipe.ensemble import Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import Team, train_team

# Share of the label in a target, and of the rows that judge the student where no validation rows were given.
HARD_SHARE, JUDGING_SHARE = 0.5, 0.2


def student_rows(splits: Splits, teams: Sequence[Team], members: Sequence[Member], device: str, seed: int) -> Splits:
    """Rows with the members' probabilities in their targets, and rows that judge, with their labels.

    Args:
        splits: The run's rows.
        teams: The members' teams.
        members: Their networks in the same order, calibrated.
        device: Where they compute.
        seed: Of the split.
    """
    train = splits.train
    said = taught(splits, teams, members, device)
    soft = replace(train, y=_mixed(train, said))
    if splits.val is not None:
        return Splits(soft, splits.val, splits.test, splits.notes)
    held = split.hold_out(train, JUDGING_SHARE, seed, "student")
    return Splits(soft.take(~held), train.take(held), splits.test, splits.notes)


def taught(splits: Splits, teams: Sequence[Team], members: Sequence[Member], device: str) -> np.ndarray:
    """``(n, n_outputs)`` what the members say of the training rows: those that held a row out where there are some,
    else all of them."""
    train, place, total = splits.train, 0, sum(team.weight for team in teams)
    said = np.zeros((len(train), members[0].prepared.spec.n_outputs))
    for team in teams:
        mine = members[place : place + len(team.trained)]
        place += len(team.trained)
        every = np.array([one.predict(train, device) for one in mine])
        held = np.zeros((len(mine), len(train)), dtype=bool)
        if splits.val is None:
            for network, rows in enumerate(team.held_rows):
                held[network, rows] = True
        kept = np.where(held.any(axis=0), held, True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            said += team.weight / total * np.nanmean(np.where(kept[:, :, None], every, np.nan), axis=0)
    return said


def train_student(
    ensemble: Ensemble, splits: Splits, deadline: float | None, device: str, report: Callable[[float, str], bool]
) -> tuple[Recipe, Team]:
    """The student's recipe as it was laid out, and its network.

    Args:
        ensemble: Whose student it is.
        splits: As `student_rows` gives them.
        deadline: When it should be trained, on the scale of `time.monotonic`; None: its own steps or epochs.
        device: A torch device.
        report: Told of the progress; True from it ends the training early.
    """
    student = ensemble.student
    assert student is not None
    parts = [(np.arange(len(splits.train)), np.zeros(0, dtype=np.int64))]
    team = train_team(student.updated(folds=0, holdout=None), splits, parts, deadline, device, report)
    return team.recipe, team


def _mixed(train: Dataset, said: np.ndarray) -> np.ndarray:
    """Targets between the labels and what the members say."""
    assert train.y is not None
    if train.task == "regression":
        values: np.ndarray = HARD_SHARE * train.y + (1 - HARD_SHARE) * said[:, 0]
        return values
    hard = np.eye(train.n_classes)[train.codes]
    mixed: np.ndarray = HARD_SHARE * hard + (1 - HARD_SHARE) * said
    return mixed
