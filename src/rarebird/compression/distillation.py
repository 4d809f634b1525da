"""Distils an ensemble to one network: a student that learns from the labels and from the members' probabilities.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", NeurIPS workshop 2014; for tables Fakoor et
al., "Fast, accurate, and simple models for tabular data via augmented distillation", NeurIPS 2020. A row's target is
the mean of its label and of the members' prediction. This prediction is out of fold if a member held the row out,
because a network that learned from the row repeats its label. Rows without labels may join, with the mean of all
members as their target. The student is trained on most of the rows; the others
keep their labels, and its calibration and decision are fitted on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data import split
from rarebird.data.concatenation import concat
from rarebird.data.dataset import Dataset, Splits
from rarebird.model.chain import probabilities
from rarebird.model.model import Member
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit, cross_fit_all

# Share of the rows that are held out for the student, if no validation rows are given.
HELD_OUT_SHARE = 0.2
# Smaller probabilities of a teacher are raised to this before they are softened.
LEAST = 1e-7
# Share of a standardized loss that is taken of the logits as they are, which tells their size.
LABEL_SIZE_SHARE = 0.5
# How many times as long as its recipe says a student is trained.
PATIENCE = 4
# Finds the natural prior on held-out rows.
CLASS_CALIBRATION = "class_scale_bias"


@dataclass(frozen=True)
class Teaching:
    """What a student learns from.

    Attributes:
        hard_share: Share of the label in a target; the rest is the members' prediction.
        temperature: The teachers' logits are divided by it, and in the loss the student's, too; 1: neither.
        balanced: Each class has as many draws as any other, and targets and loss are those of even classes; the prior
            of that is known, and corrected.
        standardized: The logits of teachers and student are standardized before the temperature (three classes or
            more): the student learns how classes compare, and the size of its logits from the labels alone.
    """

    hard_share: float = 0.5
    temperature: float = 1.0
    balanced: bool = False
    standardized: bool = False


AS_IS, BALANCED = Teaching(), Teaching(balanced=True)


def student_rows(
    splits: Splits,
    fits: Sequence[CrossFit],
    members: Sequence[Member],
    device: str,
    seed: int,
    teaching: Teaching = AS_IS,
) -> Splits:
    """Training rows whose targets contain the members' predictions, and held-out rows with their labels.

    Args:
        splits: The run's rows; rows without labels join the training rows.
        fits: The members' networks by recipe.
        members: The same networks in the same order, calibrated.
        device: Where they compute.
        seed: Decides which rows are held out.
        teaching: How labels and predictions become targets.

    Raises:
        DataError: Logits of fewer than three classes would be standardized.
    """
    train = splits.train
    if teaching.standardized and len(train.classes) < 3:
        raise DataError(
            "Standardized logits of fewer than three classes tell nothing but their order; leave out --standardize."
        )
    soft = replace(train, y=_soft_targets(train, teacher_predictions(splits, fits, members, device), teaching))
    learned, val = own_rows(splits, fits, seed)
    soft = soft.take(learned)
    if splits.unlabeled is not None:
        predicted = mean_predictions(splits.unlabeled.rows, fits, members, device)
        soft = concat([soft, labelled(splits.unlabeled.rows, predicted, train, teaching)])
    return replace(splits, train=soft, val=val, unlabeled=None)


def taught_evenly(student: Recipe, teaching: Teaching) -> bool:
    """Whether a student's classes are drawn equally often, and its targets are made for that: unless its recipe has
    draws of its own, or stages with another loss or other draws."""
    is_plain = student.batch_sampling.name in ("shuffled", "class_balanced") and not any(
        stage.class_weight or {"loss", "batch_sampling"} & set(stage.overrides) for stage in student.stages
    )
    return teaching.balanced and is_plain and "regression" not in student.loss.tasks


def even_factor(train: Dataset) -> np.ndarray:
    """``(n_classes,)`` by which equally many draws of each class multiply the natural prior; their sum is 1."""
    factor = 1 / np.maximum(train.weighted_counts, 1.0)
    even: np.ndarray = factor / factor.sum()
    return even


def own_rows(splits: Splits, fits: Sequence[CrossFit], seed: int) -> tuple[np.ndarray, Dataset]:
    """The positions among the training rows that a student learns from, and the rows that are held out from it.

    Where the members have one hold-out in common, it is the student's, too: the same rows calibrate both, and all of
    them judge what the student costs.
    """
    train = splits.train
    if splits.val is not None:
        return np.arange(len(train)), splits.val
    share = common_holdout(splits, fits, seed)
    if share is None:
        learned, held = split.sides(train, HELD_OUT_SHARE, seed, "student")
    else:
        learned, held = split.sides(train, share, seed)
    return learned.nonzero()[0], train.take(held)


def common_holdout(splits: Splits, fits: Sequence[CrossFit], seed: int) -> float | None:
    """The share of the training rows that is held out from all members, if it is the hold-out that `seed` gives; None
    where each of them holds out other rows."""
    share = fits[0].recipe.holdout
    if splits.val is not None or share is None:
        return None
    held = split.hold_out(splits.train, share, seed).nonzero()[0]
    each = [rows for models in fits for rows in models.held_rows]
    return share if all(np.array_equal(rows, held) for rows in each) else None


def teacher_predictions(
    splits: Splits,
    fits: Sequence[CrossFit],
    members: Sequence[Member],
    device: str,
) -> np.ndarray:
    """``(n, n_outputs)`` predictions for the training rows, each by the networks that held the row out, or by all
    networks if none did.

    Args:
        splits: The training rows.
        fits: The members' networks by recipe.
        members: The same networks in the same order, calibrated.
        device: Where they compute.
    """
    train, place, total = splits.train, 0, sum(models.weight for models in fits)
    predicted = np.zeros((len(train), members[0].prepared.spec.n_outputs))
    for models in fits:
        is_held = np.zeros((len(models.trained), len(train)), dtype=bool)
        for network in range(len(models.trained) if splits.val is None else 0):
            is_held[network, models.unseen_rows(network)] = True
        is_used = np.where(is_held.any(axis=0), is_held, True)
        share = models.weight / total / is_used.sum(axis=0)
        for own, member in zip(is_used, members[place:], strict=False):
            if own.any():
                predicted[own] += share[own, None] * member.predict(train.take(own.nonzero()[0]), device)
        place += len(models.trained)
    return predicted


def train_student(
    student: Recipe, splits: Splits, compute: Compute, prior_factor: np.ndarray | None = None
) -> CrossFit:
    """Train the student's network, and fill in the open fields of its recipe.

    Args:
        student: What to train.
        splits: The output of `student_rows`.
        compute: Device, deadline and progress.
        prior_factor: By which draws and targets multiply the natural prior; None: as the training tells it.
    """
    parts = [(np.arange(len(splits.train)), np.zeros(0, dtype=np.int64))]
    models = cross_fit_all(student, splits, parts, compute)
    if prior_factor is None:
        return models
    # The training takes its soft targets, which are those of even classes, for natural ones.
    known = [replace(one, prior_factor=None if one.prior_factor is None else prior_factor) for one in models.trained]
    return replace(models, trained=known)


def student_recipe(
    student: Recipe, teaching: Teaching, steps: int | None = None, holdout: float | None = None
) -> Recipe:
    """The recipe of a student that is taught so.

    Args:
        student: Its own recipe.
        teaching: Temperature and balance; balanced only where `taught_evenly` says so.
        steps: Optimizer steps; None: as many as the recipe has.
        holdout: The members' common hold-out, which is recorded; None: they have none.
    """
    changes: dict[str, object] = {"relaid": (), "reference": None, "head": None, "folds": 0, "holdout": holdout}
    if teaching.balanced:
        # Draws and targets are even: a loss that evens classes, too, would do so twice.
        changes |= {"batch_sampling": "class_balanced", "loss": "cross_entropy"}
        # Rows are drawn by their labels, but carry soft targets: the prior that the draws give is known only nearly.
        kept = [method for method in student.calibration if method.name != CLASS_CALIBRATION]
        changes["calibration"] = (*kept, CLASS_CALIBRATION)
    if teaching.temperature > 1:
        changes["loss"] = {"name": "distillation", "temperature": teaching.temperature}
    if teaching.standardized:
        size = {"hard_share": LABEL_SIZE_SHARE, "standardized": True}
        changes["loss"] = {"name": "distillation", "temperature": teaching.temperature, **size}
    if steps is not None:
        changes["steps"] = steps
    return student.updated(**changes)


def patient(student: Recipe) -> Recipe:
    """The recipe with `PATIENCE` times the steps (or, where these are open, passes over the rows).

    A student has more to learn of a row than its class, and learns less of it by heart: it gains from a training that
    is too long for labels (Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", CVPR
    2022).
    """
    if student.steps is not None:
        return student.updated(steps=PATIENCE * student.steps, relaid=())
    return student.updated(epochs=None if student.epochs is None else PATIENCE * student.epochs)


def _soft_targets(train: Dataset, predicted: np.ndarray, teaching: Teaching) -> np.ndarray:
    """The weighted mean of the labels and the members' predictions."""
    assert train.y is not None
    hard_share = teaching.hard_share
    if train.task == "regression":
        values: np.ndarray = hard_share * train.y + (1 - hard_share) * predicted[:, 0]
        return values
    hard = np.eye(train.n_classes)[train.codes]
    soft: np.ndarray = hard_share * hard + (1 - hard_share) * _softened(predicted, train, teaching)
    return soft


def _softened(predicted: np.ndarray, train: Dataset, teaching: Teaching) -> np.ndarray:
    """Probabilities as the teaching has them: of even classes, at its temperature, of standardized logits."""
    if teaching.balanced:
        # Labels of rows that are drawn equally often for each class are those of even classes; so are predictions then.
        evened = predicted * even_factor(train)
        predicted = evened / evened.sum(axis=1, keepdims=True)
    if teaching.temperature == 1 and not teaching.standardized:
        return predicted
    logits = np.log(np.clip(predicted, LEAST, None))
    if teaching.standardized:
        logits = logits - logits.mean(axis=1, keepdims=True)
        logits = logits / np.maximum(logits.std(axis=1, keepdims=True), LEAST)
    return probabilities(logits / teaching.temperature, ())


def mean_predictions(rows: Dataset, fits: Sequence[CrossFit], members: Sequence[Member], device: str) -> np.ndarray:
    """``(n, n_outputs)`` the weighted mean of all members, for rows that none of them learned from."""
    weights = [models.weight / len(models.trained) for models in fits for _ in models.trained]
    mean: np.ndarray = np.average([one.predict(rows, device) for one in members], axis=0, weights=weights)
    return mean


def labelled(rows: Dataset, predicted: np.ndarray, train: Dataset, teaching: Teaching) -> Dataset:
    """Rows whose targets are predictions alone.

    Args:
        rows: Without labels.
        predicted: ``(n, n_outputs)`` predictions for them.
        train: The labelled training rows.
        teaching: How predictions become targets.
    """
    targets = predicted[:, 0] if rows.task == "regression" else _softened(predicted, train, teaching)
    return replace(rows, y=targets)
