"""A trainer trains one model on given rows: a network, or a reference in its place. Both are planned and run alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from torch import nn

from rarebird.core.clock import end_of_share
from rarebird.data.prepare import Prepared
from rarebird.recipe.recipe import Recipe
from rarebird.slots.external_rows import SourceReport
from rarebird.slots.starting_weights import StartingWeights
from rarebird.training.checkpoint import Checkpoint

# Called with the progress 0..1 after each step; if it returns True, that step is the last.
StepProgress = Callable[[float], bool]


@dataclass(frozen=True)
class TrainingPlan:
    """The plan of one training.

    Attributes:
        recipe: Its steps, precision, memory layout and threads are filled in.
        deadline: When the training must have ended, on the scale of `time.monotonic`; None: the recipe's steps,
            however long they take.
        changes: Changes ``(step, new number of steps)`` of an earlier run, which are repeated; the clock is not read.
        max_steps: A fast machine adds no steps beyond this number; None: the steps of the recipe's epochs.
        checkpoint: Where the state of the training is kept; None: nowhere.
        on_pretraining: Called with the progress 0..1 of a pretraining, which comes before the first step; True from it
            ends the pretraining.
    """

    recipe: Recipe
    deadline: float | None = None
    changes: Sequence[tuple[int, int]] = ()
    max_steps: int | None = None
    checkpoint: Checkpoint | None = None
    on_pretraining: StepProgress = lambda progress: False


@dataclass(frozen=True)
class Trained:
    """The result of one training.

    Attributes:
        network: In evaluation mode, on its device.
        prepared: Raw rows -> inputs of the network.
        prior_factor: ``(n_classes,)`` by which the training multiplied the natural prior; None where the prior of the
            logits is unknown.
        history: One entry per evaluation.
        changes: Changes ``(step, new number of steps)`` by the clock or an early stop, to be recorded in the recipe.
        notes: Sentences for the user.
        ended: What ended the training: the recipe's ``epochs``, a ``stop`` by a hook or the user, the ``clock``, or
            ``solved`` for a head in closed form.
        own_outputs: ``(n_learned, n_outputs)`` raw outputs for the rows that it learned from, in their order. Each is
            the output of a training without that row: an exact leave-one-out. None where the method has none.
        started: Where the initial weights come from; None where they were newly drawn.
        sources: What was found about each source of other rows; empty if none could join.
    """

    network: nn.Module
    prepared: Prepared
    prior_factor: np.ndarray | None
    history: list[dict[str, float]]
    changes: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ended: str = "clock"
    own_outputs: np.ndarray | None = None
    started: StartingWeights | None = None
    sources: tuple[SourceReport, ...] = ()


class Trainer(Protocol):
    """One training on given rows, ready to be planned and run.

    Attributes:
        own_steps: Steps (or rounds of trees) that the recipe asks for, without a time limit.
        shared_seconds: Planned seconds of what the first training does for all others, too: a pretraining on a pool.
    """

    @property
    def own_steps(self) -> int: ...

    @property
    def shared_seconds(self) -> float: ...

    def plan(self, deadline: float | None, trainings: int) -> Recipe:
        """The recipe with its open fields filled in, by a short measurement where there is a deadline.

        Args:
            deadline: When all `trainings` must have ended, on the scale of `time.monotonic`; None: no limit.
            trainings: The number of trainings that share the time.
        """
        ...

    def fits(self, deadline: float | None, trainings: int) -> bool:
        """False for trainings that cannot be shortened and take longer than the time; arguments as for `plan`."""
        ...

    def least_seconds(self, deadline: float) -> float:
        """About how long the shortest training takes: one step or round, and what must be computed before it."""
        ...

    def run(self, plan: TrainingPlan, on_step: StepProgress) -> Trained:
        """Train as planned; if `on_step` returns True, the training ends early."""
        ...

    def seconds_per_row(self, deadline: float | None = None) -> float:
        """About how long the prediction of one row takes, by a measurement that starts small: it grows only while it
        takes a small share of the time until the deadline."""
        ...


def part_deadline_of(deadline: float | None, trainer: Trainer, now: float, left: int) -> float | None:
    """When a training must have ended, of `left` ones that share the time; what it does for all of them, too, comes on
    top of its share."""
    once = trainer.shared_seconds
    return None if deadline is None else (end_of_share(deadline - once, now, left) or 0.0) + once
