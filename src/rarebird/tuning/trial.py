"""One trial: a recipe trained on parts of the training rows and judged by the others. It runs wherever an executor
takes it."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Splits
from rarebird.evaluation import cross_validate
from rarebird.evaluation.cross_validate import Judged, Part
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import Parts, held_rows, train_in_turn
from rarebird.training.device import choose_device, threads


@dataclass(frozen=True)
class Judging:
    """What all trials of a search share.

    Attributes:
        train: Training rows; no test row is among them.
        val: Given validation rows, which judge in the place of held-out ones; None without.
        parts: Per network, the positions in `train` of the rows that it learns from and of those that judge it.
        metric: What a trial's value is.
        positive: Of two classes, the one that the metric speaks of.
        device: A torch device, or ``auto`` for what the trial finds where it runs.
        threads: CPU threads of a trial, at most.
    """

    train: Dataset
    val: Dataset | None
    parts: Parts
    metric: str
    positive: str | None
    device: str
    threads: int

    @property
    def judges(self) -> Dataset:
        """The rows among which those that judge are."""
        return self.train if self.val is None else self.val

    def values(self, judged: Judged) -> np.ndarray:
        """The metric of each part."""
        return judged.values(self.metric, self.judges, self.positive)


@dataclass(frozen=True)
class Task:
    """What is done in one trial.

    Attributes:
        recipe: What to train.
        seconds: For how long at most, from where it begins, since clocks of machines differ; None: the recipe's own
            steps or epochs.
        reports: Whether the value so far is told after each part but the last.
    """

    recipe: Recipe
    seconds: float | None = None
    reports: bool = False


def trial(judging: Judging, task: Task) -> Generator[tuple[int, float], None, tuple[float, dict[str, Any]]]:
    """Carry out a trial.

    Yields:
        How many parts are judged, and the mean of the metric over them; of the parts so far, each is calibrated and
        decided by the others.

    Returns:
        The mean of the metric over all parts, and what else is recorded of the trial.

    Raises:
        DataError: The recipe and the rows do not fit, the training diverged, or the metric is undefined.
    """
    start = time.monotonic()
    with threads(judging.threads):
        deadline = None if task.seconds is None else start + task.seconds
        device, held_out = choose_device(judging.device), list[Part]()
        recipe, rows = task.recipe, Splits(judging.train, judging.val)
        held = held_rows(rows, judging.parts)
        for laid_out, trained, _ in train_in_turn(
            recipe, rows, judging.parts, deadline, device, lambda progress, what: False
        ):
            held_out.append(cross_validate.part_of(trained[-1], judging.judges, held[len(held_out)], device))
            recipe = laid_out
            if task.reports and len(held_out) < len(judging.parts):
                value = _mean(judging.values(_assessed(recipe, judging, held_out)))
                if math.isfinite(value):
                    yield len(held_out), value
        judged = replace(_assessed(recipe, judging, held_out), seconds=time.monotonic() - start)
    values = judging.values(judged)
    value = _mean(values)
    if not math.isfinite(value):
        raise DataError(
            f"The metric {judging.metric!r} is undefined on the rows that judge; choose another with --metric."
        )
    return value, {"values": values.tolist(), "training_loss": judged.training, "seconds": round(judged.seconds, 3)}


def _assessed(recipe: Recipe, judging: Judging, held_out: list[Part]) -> Judged:
    return cross_validate.assess(recipe, judging.train, held_out, judging.positive, val=judging.val)


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
