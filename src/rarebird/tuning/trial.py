"""One trial: a recipe is trained on parts of the training rows and scored on the rows that each part holds out."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Splits
from rarebird.evaluation import held_outputs
from rarebird.evaluation.cross_validate import CrossValidated, assess
from rarebird.evaluation.held_outputs import HeldOut
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit, Parts, cross_fit
from rarebird.training.device import choose_device, threads


@dataclass(frozen=True)
class TrialContext:
    """What all trials of a search share.

    Attributes:
        splits: Training rows and, if they were given, validation rows, which are then scored in place of held-out
            training rows. Test rows are not among them: they must not reach a trial.
        parts: Per model, the positions of the training rows that it learns from and of those that it holds out.
        metric: The metric that is a trial's value.
        positive: Of two classes, the one that the metric is for; None for more classes and for regression.
        device: A torch device, or ``auto`` for the one that is found where the trial runs.
        threads: CPU threads of a trial, at most.
    """

    splits: Splits
    parts: Parts
    metric: str
    positive: str | None
    device: str
    threads: int

    @property
    def judging_rows(self) -> Dataset:
        """The rows of which models hold some out: the validation rows if there are any, else the training rows."""
        return self.splits.train if self.splits.val is None else self.splits.val

    def values(self, found: CrossValidated) -> np.ndarray:
        """The metric of each part."""
        return found.values(self.metric, self.judging_rows, self.positive)


@dataclass(frozen=True)
class TrialTask:
    """What a worker gets for one trial.

    Attributes:
        recipe: What to train.
        seconds: How long the trial may take from its begin (clocks of machines differ, so this is no deadline); None:
            as long as the recipe's own steps or epochs take.
        reports: Whether the value so far is reported after each part but the last.
    """

    recipe: Recipe
    seconds: float | None = None
    reports: bool = False


def trial(context: TrialContext, task: TrialTask) -> Generator[tuple[int, float], None, tuple[float, dict[str, Any]]]:
    """Carry out a trial, on whatever machine an executor has chosen.

    Yields:
        The number of parts that are done, and the mean of the metric over them; each of these parts is calibrated and
        decided with the others.

    Returns:
        The mean of the metric over all parts, and what else is recorded of the trial.

    Raises:
        DataError: The recipe and the rows do not fit, the training diverged, or the metric is undefined.
    """
    start = time.monotonic()
    held: list[HeldOut] = []
    with threads(context.threads):
        deadline = None if task.seconds is None else start + task.seconds
        compute = Compute(choose_device(context.device), deadline)
        for models in cross_fit(task.recipe, context.splits, context.parts, compute):
            held.append(held_outputs.predict_one(models, len(held), context.judging_rows, compute.device))
            if task.reports and len(held) < len(context.parts):
                value = _mean(context.values(_assess(models, held, context)))
                if math.isfinite(value):
                    yield len(held), value
        found = _assess(models, held, context)
        seconds = time.monotonic() - start
    values = context.values(found)
    value = _mean(values)
    if not math.isfinite(value):
        raise DataError(
            f"The metric {context.metric!r} is undefined on the held-out rows; choose another with --metric."
        )
    return value, {"values": values.tolist(), "training_loss": found.training_loss, "seconds": round(seconds, 3)}


def _assess(models: CrossFit, held: Sequence[HeldOut], context: TrialContext) -> CrossValidated:
    return assess(models, held_outputs.join(held), context.splits, context.positive)


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
