"""Trains a recipe on parts of the training rows and scores it on the others; search and comparison decide by these
scores.

Calibration and decision are scored too, so they must not be fitted on the rows that score them. For the rows of one
part they are fitted on the held-out rows of all other parts; a single hold-out is halved, and each half is predicted by
a fit on the other. As in all cross-fitting, the networks of the other parts may have learned from the scored rows.
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
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.model import Member
from rarebird.recipe.recipe import Recipe
from rarebird.slots.decisions import FittedDecision
from rarebird.training.cross_fit import CrossFit, Parts, cross_fit_all


@dataclass(frozen=True)
class Predicted:
    """Predictions by the networks of all parts.

    Attributes:
        rows: ``(n,)`` positions of the rows.
        part: ``(n,)`` the part whose network predicts the row.
        outputs: ``(n, n_classes)`` calibrated probabilities under the natural prior, or ``(n, 1)`` values in the
            target's own unit.
        labels: ``(n,)`` decided codes; for regression the predicted values.
    """

    rows: np.ndarray
    part: np.ndarray
    outputs: np.ndarray
    labels: np.ndarray

    def value(self, metric: str, data: Dataset, positive: str | None = None, part: int | None = None) -> float:
        """A metric on all rows, or on the rows of one part; NaN where it is undefined.

        Without `positive`, two-class figures are of the rarer class of `data`, the same for all parts.
        """
        if positive is None and data.task == "classification" and data.n_classes == 2:
            positive = data.classes[int(data.weighted_counts.argmin())]
        chosen = np.ones(len(self.rows), dtype=bool) if part is None else self.part == part
        scored = data.take(self.rows[chosen])
        y = scored.y if scored.task == "regression" else scored.codes
        assert y is not None
        return names.value(metric, y, self.outputs[chosen], self.labels[chosen], scored.weights, data.classes, positive)

    def values(self, metric: str, data: Dataset, positive: str | None = None) -> np.ndarray:
        """The metric of each part that has rows."""
        return np.array([self.value(metric, data, positive, part) for part in np.unique(self.part)])


@dataclass(frozen=True)
class CrossValidated(Predicted):
    """Predictions for held-out rows, each by a network that never saw the row.

    Attributes:
        recipe: The recipe with every open field filled in.
        training_loss: Mean training loss at the end, over the networks.
        learned: Predictions for the rows that each network learned from, if they were asked for; only rows of the
            classes that also occur among its held-out rows. The difference in scores shows what the network memorized.
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
    """Train one network per part and predict the held-out rows of the part.

    Args:
        recipe: What to train.
        train: Training rows, without any test row.
        parts: Per network, the positions of the rows that it learns from, and of the rows that it holds out.
        compute: Device, deadline and progress.
        positive: The class that a two-class metric of the decision is for.
        learned: Whether each network also predicts the rows that it learned from.

    Raises:
        DataError: The recipe and the rows do not fit, or the training diverged.
    """
    start = time.monotonic()
    if not any(len(held) for _, held in parts):
        raise DataError(f"{train.name} leaves no row to score on.")
    models = cross_fit_all(recipe, Splits(train), parts, compute)
    held = held_outputs.predict(models, train, compute.device)
    learned_outputs = _outputs_for_learned_rows(models, train, parts, compute.device) if learned else None
    validated = assess(models, held, Splits(train), positive, learned_outputs)
    return replace(validated, seconds=time.monotonic() - start)


def assess(
    models: CrossFit, held: HeldOut, splits: Splits, positive: str | None = None, learned: HeldOut | None = None
) -> CrossValidated:
    """Calibrated predictions and decided labels for the rows of each part, by fits on all other parts; `seconds` is 0.

    Args:
        models: The trained networks.
        held: Their raw outputs for held-out rows.
        splits: Training rows, and validation rows if `held` is for these.
        positive: The class that a two-class metric of the decision is for.
        learned: Raw outputs for rows that the networks learned from, if these are to be predicted, too.
    """
    if splits.train.task == "regression":
        predicted, on_learned = _values(held), None if learned is None else _values(learned)
    else:
        predicted = _calibrate_and_decide(models, held, splits, positive)
        on_learned = None if learned is None else _calibrate_and_decide(models, held, splits, positive, learned)
    losses = [one.history[-1]["train_loss"] for one in models.trained if one.history]
    losses = [loss for loss in losses if np.isfinite(loss)]
    loss = float(np.mean(losses)) if losses else float("nan")
    return CrossValidated(
        predicted.rows, predicted.part, predicted.outputs, predicted.labels, models.recipe, loss, on_learned
    )


def _outputs_for_learned_rows(models: CrossFit, train: Dataset, parts: Parts, device: str) -> HeldOut:
    """Raw outputs of each network for the rows that it learned from, of the classes that its part holds out.

    A part may hold out no row of a rare class, which would then count only among the learned rows.
    """
    outputs = []
    for place, (one, (fit, held)) in enumerate(zip(models.trained, parts, strict=False)):
        rows = fit if train.task == "regression" else fit[np.isin(train.codes[fit], train.codes[held])]
        member = Member.of(models.recipe, one)
        outputs.append(
            held_outputs.of_rows(train, rows, held_outputs.outputs_of(member, train.take(rows), device), place)
        )
    return held_outputs.join(outputs)


def _values(held: HeldOut) -> Predicted:
    """Predictions of numbers, which need no calibration and no decision."""
    return Predicted(held.rows, held.network, held.outputs, held.outputs[:, 0])


def _calibrate_and_decide(
    models: CrossFit, held: HeldOut, splits: Splits, positive: str | None, learned: HeldOut | None = None
) -> Predicted:
    """Probabilities and labels for the held-out rows of each part, by calibrations and decisions fitted on all others.

    Given `learned`, the predictions are for these rows instead, which each network learned from; they go through the
    same calibration and decision as that network's held-out rows.
    """
    train, recipe = splits.train, models.recipe
    scored = train if splits.val is None else splits.val
    held_rows = scored.take(held.rows)
    parts = held.network if len(models.trained) > 1 else halves(held_rows, recipe.seed)

    def fit_decision(others: HeldOut, probabilities: np.ndarray) -> FittedDecision:
        rows = HeldOutRows(probabilities, others.y, others.weight, scored.take(others.rows).together)
        return decide(recipe, rows, train.prior, train.classes, positive)[1]

    target = None if learned is None else (learned, _calibration_parts(learned, parts, models.trained))
    crossed = cross_predict(recipe, held, held_outputs.prior_factors(models), parts, fit_decision, target)
    predicted = held if learned is None else learned
    assert crossed.labels is not None
    return Predicted(predicted.rows, predicted.network, crossed.outputs, crossed.labels)


def _calibration_parts(learned: HeldOut, parts: np.ndarray, trained: Sequence[object]) -> np.ndarray:
    """``(n,)`` the part whose calibrations each learned row goes through; for one hold-out, the halves alternate."""
    return learned.network if len(trained) > 1 else np.resize(np.unique(parts), len(learned.y))
