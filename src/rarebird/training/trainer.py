"""What trains one model on given rows: a network, or a reference in its place. Both are planned and run alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from torch import nn

from rarebird.data.prepare import Prepared
from rarebird.recipe.recipe import Recipe

# Told of the progress 0..1 after each step; True from it makes that step the last.
StepProgress = Callable[[float], bool]


@dataclass(frozen=True)
class TrainingPlan:
    """One training as it is to be run.

    Attributes:
        recipe: With steps, precision, memory layout and threads laid out.
        deadline: When it must have ended, on the scale of `time.monotonic`; None: the recipe's steps, whatever they
            take.
        changes: Changes ``(step, new number of steps)`` of an earlier run, to repeat it; the clock then plays no part.
    """

    recipe: Recipe
    deadline: float | None = None
    changes: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class Trained:
    """The result of one training.

    Attributes:
        network: In evaluation mode, on its device.
        prepared: Raw rows -> its inputs.
        prior_factor: ``(n_classes,)`` by which the training multiplied the natural prior; None where the logits answer
            to no prior.
        history: One entry per evaluation.
        changes: Changes ``(step, new number of steps)`` that the clock or an early stop made, for the recipe.
        notes: Sentences on what was left out or done.
        ended: What ended it: the recipe's ``epochs``, a ``stop`` by a hook or the user, or the ``clock``.
        own_outputs: ``(n_learned, n_outputs)`` raw outputs for the rows that it learned from, in their order, each as
            of a training without that row: an exact leave-one-out. None where the method has none.
    """

    network: nn.Module
    prepared: Prepared
    prior_factor: np.ndarray | None
    history: list[dict[str, float]]
    changes: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ended: str = "clock"
    own_outputs: np.ndarray | None = None


class Trainer(Protocol):
    """One training on given rows, prepared and ready to be planned and run.

    Attributes:
        own_steps: Steps (or rounds of trees) that the recipe asks for where time is no matter.
    """

    @property
    def own_steps(self) -> int: ...

    def plan(self, deadline: float | None, trainings: int) -> Recipe:
        """The recipe with everything laid out, by a short measurement where there is a deadline.

        Args:
            deadline: When all `trainings` must have ended, on the scale of `time.monotonic`; None: no limit.
            trainings: How many trainings share the time.
        """
        ...

    def run(self, plan: TrainingPlan, on_step: StepProgress) -> Trained:
        """Train as planned; True from `on_step` ends the training early."""
        ...

    def seconds_per_row(self) -> float:
        """About how long the prediction of one row takes."""
        ...
