"""Trains a recipe on parts of the training rows and scores it on the others: what search and comparison decide by.

Calibration and decision are part of what is scored, so they too never see the rows that score them: for the rows of one
part they are fitted on the held-out rows of all others (for one hold-out, on its other half). As in all cross-fitting,
the networks of those others may have learned from them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.split import halves
from rarebird.evaluation import held_outputs
from rarebird.evaluation.held_out import cross_predict, decide
from rarebird.evaluation.held_outputs import HeldOut
from rarebird.metrics import names
from rarebird.model.model import Member
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import FittedDecision
from rarebird.training.cross_fit import CrossFit, Parts, cross_fit_all


@dataclass(frozen=True)
class Predicted:
    """Predictions of the networks of all parts.

    Attributes:
        rows: ``(n,)`` positions of the rows.
        part: ``(n,)`` which part's network predicts each.
        outputs: ``(n, n_classes)`` calibrated probabilities under the natural prior, or ``(n, 1)`` values in the
            target's own unit.
        labels: ``(n,)`` decided codes; the values themselves for regression.
    """

    rows: np.ndarray
    part: np.ndarray
    outputs: np.ndarray
    labels: np.ndarray

    def value(self, metric: str, data: Dataset, positive: str | None = None, part: int | None = None) -> float:
        """A metric on all of the rows, or on those of one part; NaN where it is undefined."""
        mine = np.ones(len(self.rows), dtype=bool) if part is None else self.part == part
        here = data.take(self.rows[mine])
        y = here.y if here.task == "regression" else here.codes
        assert y is not None
        return names.value(metric, y, self.outputs[mine], self.labels[mine], here.weights, data.classes, positive)

    def values(self, metric: str, data: Dataset, positive: str | None = None) -> np.ndarray:
        """The metric of each part that has rows."""
        return np.array([self.value(metric, data, positive, part) for part in np.unique(self.part)])


@dataclass(frozen=True)
class CrossValidated(Predicted):
    """Predictions for held-out rows, each by the network that never saw it.

    Attributes:
        recipe: The recipe with everything laid out.
        training_loss: Mean training loss at the end, over the networks.
        learned: The same for the rows that each network learned from, of the classes that its held-out rows show, where
            they were asked for: what it knows by heart.
        seconds: Wall-clock time of the training and the scoring.
    """

    recipe: Recipe
    training_loss: float
    learned: Predicted | None = None
    seconds: float = 0.0


def cross_validate(
    recipe: Recipe,
    train: Dataset,
    parts: Parts,
    compute: Compute,
    *,
    positive: str | None = None,
    learned: bool = False,
) -> CrossValidated:
    """Train a network per part and predict the part's held-out rows.

    Args:
        recipe: What to train.
        train: Training rows; no test row is among them.
        parts: Per network, the positions that it learns from and those that it holds out.
        compute: Device, deadline and progress.
        positive: Of two classes, the one that the decision's metric is for.
        learned: Whether each network also predicts the rows that it learned from.

    Raises:
        DataError: The recipe and the rows do not fit, or the training diverged.
    """
    start = time.monotonic()
    if not any(len(held) for _, held in parts):
        raise DataError(f"{train.name} leaves no row to judge by.")
    models = cross_fit_all(recipe, Splits(train), parts, compute)
    held = held_outputs.predict(models, train, compute.device)
    seen = _of_learned_rows(models, train, parts, compute.device) if learned else None
    found = assess(models, held, Splits(train), positive, seen)
    return replace(found, seconds=time.monotonic() - start)


def assess(
    models: CrossFit, held: HeldOut, splits: Splits, positive: str | None = None, seen: HeldOut | None = None
) -> CrossValidated:
    """Calibrate and decide each part's rows by the others'; `seconds` are left at 0.

    Args:
        models: The trained networks.
        held: Their raw outputs for held-out rows.
        splits: Training rows, and validation rows where `held` is for these.
        positive: Of two classes, the one that the decision's metric is for.
        seen: Raw outputs for rows that the networks learned from, where they are asked for.
    """
    found, learned = _plain(held), None if seen is None else _plain(seen)
    if splits.train.task == "classification":
        found = _decided(models, held, splits, positive)
        learned = None if seen is None else _decided(models, held, splits, positive, seen)
    losses = [one.history[-1]["train_loss"] for one in models.trained if one.history]
    losses = [loss for loss in losses if np.isfinite(loss)]
    loss = float(np.mean(losses)) if losses else float("nan")
    return CrossValidated(found.rows, found.part, found.outputs, found.labels, models.recipe, loss, learned)


def _of_learned_rows(models: CrossFit, train: Dataset, parts: Parts, device: str) -> HeldOut:
    """Raw outputs of each network for the rows that it learned from, of the classes that its part holds out.

    A part may lack a rare class, which would count on one side alone.
    """
    outputs = []
    for place, (one, (fit, held)) in enumerate(zip(models.trained, parts, strict=False)):
        rows = fit if train.task == "regression" else fit[np.isin(train.codes[fit], train.codes[held])]
        member = Member.of(models.recipe, one)
        outputs.append(
            held_outputs.of_rows(train, rows, held_outputs.outputs_of(member, train.take(rows), device), place)
        )
    return held_outputs.join(outputs)


def _plain(held: HeldOut) -> Predicted:
    return Predicted(held.rows, held.network, held.outputs, held.outputs[:, 0])


def _decided(
    models: CrossFit, held: HeldOut, splits: Splits, positive: str | None, seen: HeldOut | None = None
) -> Predicted:
    """Probabilities and labels of held-out rows, from calibrations and decisions fitted on the others of them.

    Given `seen`, those of the rows that each network learned from, under the calibration and decision of that network's
    own held-out rows: the difference is what the network knows by heart.
    """
    train, recipe = splits.train, models.recipe
    judging = (train if splits.val is None else splits.val).take(held.rows)
    parts = held.network if len(models.trained) > 1 else halves(judging, recipe.seed)

    def decided_by(others: HeldOut, known: np.ndarray) -> FittedDecision:
        return decide(recipe, known, others.y, others.weight, train.prior, train.classes, positive)[1]

    asked = None if seen is None else (seen, _turns(seen, parts, models.trained))
    found = cross_predict(recipe, held, held_outputs.prior_factors(models), parts, decided_by, asked)
    rows = held if seen is None else seen
    assert found.labels is not None
    return Predicted(rows.rows, rows.network, found.outputs, found.labels)


def _turns(seen: HeldOut, parts: np.ndarray, trained: Sequence[object]) -> np.ndarray:
    """By which part's calibrations each seen row is predicted; for one hold-out, both halves' in turn."""
    return seen.network if len(trained) > 1 else np.resize(np.unique(parts), len(seen.y))
