"""Trains a reference in a network's place: the same rows, preparation and resampling; a boosting round counts as a
step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from rarebird.core import rng
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Dataset, Outside
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import Inputs
from rarebird.training.inference import logits
from rarebird.training.joining import join
from rarebird.training.preparation import prepared
from rarebird.training.timing import affine_seconds
from rarebird.training.trainer import StepProgress, Trained, TrainingPlan
from rarebird.training.training_rows import learned_rows, prepared_rows

# Rounds of the longest measured fit, and rows whose prediction is measured.
MEASURED_ROUNDS, MEASURED_ROWS = 16, 2_000
# Fewer rows where these are long: 2,000 series of 100,000 steps take minutes. At least a few in any case.
MEASURED_VALUES, FEWEST_MEASURED_ROWS = 2_000_000, 8
# Measured fits start while they will probably take at most this share of the time.
MEASURING_SHARE = 0.1
# Or this number of seconds, however little time is left: a shorter measurement measures what is done only once.
SHORT = 1.0
# Share of the time that is planned; the rest is a reserve, because the speed of a shared machine varies.
PLANNED_SHARE = 0.8


class ReferenceTrainer:
    """One reference's training, planned and run like that of a `NetworkTrainer`; a boosting round counts as a step.

    Args:
        recipe: What to train; its `reference` is given.
        learned: Training rows, before resampling.
        fold: The number of the part; it names the random streams.
        outside: Rows of other sources, which join `learned` if the recipe says so.
        progress: Told while a generator of synthetic rows learns.
    """

    shared_seconds = 0.0

    def __init__(
        self,
        recipe: Recipe,
        learned: Dataset,
        fold: int,
        outside: Sequence[Outside] = (),
        progress: Progress = silent,
    ) -> None:
        self.recipe, self.fold = recipe, fold
        self._reference: Any = recipe.reference
        self._learned = learned
        self.prepared, notes = prepared(learned, recipe.seed)
        self.notes: list[str] = [*notes, *getattr(self._reference, "notes", tuple)()]
        self.joined = join(recipe, learned, outside, self.prepared, fold)
        rows, self._factor, notes = learned_rows(recipe, self.joined, fold, Compute(progress=progress))
        self.notes += notes
        self.rows = prepared_rows(self.prepared, rows)
        reference: Any = recipe.reference
        if hasattr(reference, "prepared"):
            # Before the fits: those that are measured and the final one share it.
            inputs = reference.prepared(self.rows.inputs, self.prepared.spec)
            self.rows = replace(self.rows, inputs=inputs)
        self._measured: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def own_steps(self) -> int:
        """Rounds that the recipe asks for, without a time limit."""
        rounds: int = self.recipe.steps or self._reference.rounds
        return rounds

    def plan(self, deadline: float | None, trainings: int) -> Recipe:
        """The recipe with its rounds as `steps`: the reference's own, or as many as fit before the deadline."""
        rounds = self.own_steps
        if deadline is not None:
            once, each = self._measure(deadline)
            left = PLANNED_SHARE * max(deadline - time.monotonic(), 0.0) / trainings  # seconds of one training
            rounds = max(1, min(rounds, int((left - once[0]) / each[0])))
        reference = self._reference.recorded() if hasattr(self._reference, "recorded") else self._reference
        if rounds < self.own_steps and self.recipe.steps is None and hasattr(reference, "in_fewer_rounds"):
            reference = reference.in_fewer_rounds(self.own_steps, rounds)
        return self.recipe.updated(steps=rounds, precision="float32", reference=reference)

    def seconds_per_row(self, deadline: float | None = None) -> float:
        """About how long the prediction of one row takes with all rounds: measured on few rows and rounds."""
        once, each = self._measure(deadline)
        return float(once[1] + each[1] * self.own_steps) / self._measured_rows

    def fits(self, deadline: float | None, trainings: int) -> bool:
        """True: fewer rounds fit into any time."""
        return True

    def least_seconds(self, deadline: float) -> float:
        """Seconds of one round, and of what is done once."""
        once, each = self._measure(deadline)
        return float(once[0] + each[0])

    def run(self, plan: TrainingPlan, on_step: StepProgress) -> Trained:
        """Train as planned, and end after the round after which the next one would be late; a replay repeats the early
        end that the plan's changes record, and does not read the clock."""
        planned = plan.recipe.steps
        assert planned is not None
        self._reference = plan.recipe.reference
        rounds = plan.changes[-1][1] if plan.changes else planned
        deadline = None if plan.changes else plan.deadline
        start, done, late = time.monotonic(), 0, False

        def after_round(progress: float) -> bool:
            nonlocal done, late
            done += 1
            now = time.monotonic()
            late = deadline is not None and now + (now - start) / done > deadline
            return on_step(progress) or late

        trees = self._fit(rounds, after_round)
        changes: list[tuple[int, int]] = [(done, done)] if done < planned else []
        is_whole = not changes and rounds >= self._reference.rounds
        cause = "epochs" if is_whole else "stop" if changes and not late else "clock"
        factor, sources = self._prior_factor(), self.joined.reports
        return Trained(trees.eval(), self.prepared, factor, [], changes, self.notes, cause, sources=sources)

    @property
    def _measured_rows(self) -> int:
        values = sum(part[0].numel() for part in self.rows.inputs.values())  # of one row
        affordable = max(MEASURED_VALUES // max(values, 1), FEWEST_MEASURED_ROWS)
        return min(len(self._learned), MEASURED_ROWS, affordable)

    def _measure(self, deadline: float | None) -> tuple[np.ndarray, np.ndarray]:
        """Seconds once and seconds per round, each of a fit and of the prediction of the measured rows."""
        if self._measured is None:
            inputs = self.prepared.inputs(self._learned.take(np.arange(self._measured_rows)))
            allowed = np.inf if deadline is None else max(MEASURING_SHARE * (deadline - time.monotonic()), SHORT)
            self._measured = affine_seconds(lambda rounds: self._seconds(rounds, inputs), MEASURED_ROUNDS, allowed)
        return self._measured

    def _seconds(self, rounds: int, inputs: Inputs) -> tuple[float, float]:
        """Seconds to fit `rounds` rounds, and to predict the inputs with them."""
        start = time.monotonic()
        trees = self._fit(rounds, lambda progress: False)
        fitted = time.monotonic()
        logits(trees, inputs)
        return fitted - start, time.monotonic() - fitted

    def _fit(self, rounds: int, on_round: StepProgress) -> nn.Module:
        trees: nn.Module = self._reference.fit(
            self.rows.inputs,
            self.rows.y,
            self.rows.weight,
            self.prepared.spec,
            rounds=rounds,
            seed=rng.torch_seed(self.recipe.seed, "reference", self.fold) % 2**31,
            threads=self.recipe.threads or torch.get_num_threads(),
            progress=on_round,
        )
        return trees

    def _prior_factor(self) -> np.ndarray | None:
        """``(n_classes,)`` of sum 1 by which resampling multiplied the natural prior: trees learn the prior of their
        rows."""
        if self._factor is None:
            return None
        normalized: np.ndarray = self._factor / self._factor.sum()
        return normalized
