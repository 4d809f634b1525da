"""The number of steps of a training: planned before it starts, and replanned where the machine is slower or faster than
measured.

The learning rate follows `progress`, which always runs from 0 to 1: a schedule is never cut short. Where the clock
shows that the planned steps would overrun the deadline, or end well before it, the rest is replanned; each such change
is recorded, so that a replay makes it at the same step.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.core.checks import require
from rarebird.data.dataset import Dataset
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import BatchSampling
from rarebird.training import distributed
from rarebird.training.stage import merged

DEFAULT_EPOCHS = 30.0
# Share of the time for steps; evaluations and irregular batches take the rest.
STEPPING_SHARE = 0.93
# The clock is read after each such share of the steps: a forecast from fewer steps is mostly noise.
LOOK_EVERY = 0.02
# Steps are removed where the planned ones exceed the affordable ones by this factor.
TOLERANCE = 1.03
# Steps are added where the affordable ones exceed the planned ones by this factor, but only up to this progress: the
# learning rates near the end matter most.
SPARE_TIME, GROWS_UNTIL = 1.15, 0.7
# Seconds per step are the median of this number of looks at the clock, so that one slow moment does not remove nearly
# all steps.
LOOKS = 5


@dataclass(frozen=True)
class StepCounts:
    """The numbers of steps that a recipe asks for and allows on given rows.

    Attributes:
        recipe: Its steps or epochs are counted.
        n_rows: Training rows before resampling.
        n_resampled: Rows after resampling.
        repetition: How often the rows of the most repeated class come in an epoch, at least 1.
    """

    recipe: Recipe
    n_rows: int
    n_resampled: int
    repetition: float = 1.0

    @property
    def full(self) -> int:
        """Steps that the recipe asks for, without a time limit."""
        return self.recipe.steps or self._of_epochs(
            DEFAULT_EPOCHS if self.recipe.epochs is None else self.recipe.epochs
        )

    @property
    def maximum(self) -> int:
        """Steps of the recipe's epochs; practically unlimited where the recipe has no `epochs`."""
        return sys.maxsize if self.recipe.epochs is None else self._of_epochs(self.recipe.epochs)

    def within(self, seconds: float, step_seconds: float) -> int:
        """The steps that fit into a time, at most `maximum`."""
        return max(1, min(int(seconds * STEPPING_SHARE / step_seconds), self.maximum))

    def _of_epochs(self, epochs: float) -> int:
        """Steps of this number of epochs over the rows before resampling; fewer where an epoch repeats rows.

        Rows that are repeated very often are memorized: mammography with balanced batches has an out-of-fold log loss
        of .060 after 15 epochs, in which each rare row comes 300 times, and of .049 after 3 to 5. Dividing by the root
        of the repetition balances memorization against too few steps.
        """
        passes = epochs / math.sqrt(self.repetition)
        return max(1, round(passes * self.n_rows / min(self.recipe.batch_size, self.n_resampled)))


def repetition(recipe: Recipe, natural: Dataset, counts: np.ndarray | None) -> float:
    """How often the rows of the most repeated class come in an epoch of one draw for each row before resampling.

    Args:
        recipe: The batch sampling of its stages may repeat rows.
        natural: Training rows before resampling.
        counts: ``(n_classes,)`` rows of each class after resampling; None for regression.

    Returns:
        At least 1.
    """
    before = natural.class_counts
    if counts is None or before is None:
        return 1.0
    draws = np.sum(
        [stage.share * _drawn(merged(recipe, stage)["batch_sampling"], counts) for stage in recipe.stages], 0
    )
    distinct = np.minimum(counts, before)
    present = distinct > 0
    return float(max(1.0, (len(natural) * draws[present] / draws.sum() / distinct[present]).max()))


def _drawn(sampling: BatchSampling, counts: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` the share of the draws that each class gets."""
    factor = sampling.prior_factor(counts)
    draws = counts * (1.0 if factor is None else factor)
    shares: np.ndarray = draws / draws.sum()
    return shares


class StepPlan:
    """The steps of one training, and how far it has come.

    Args:
        steps: Planned optimizer steps, at least 1.
        deadline: When the last step must have been taken, on the scale of `time.monotonic`; None: never replanned.
        changes: Recorded changes (step, new number of steps) to repeat; the clock is then not read.
        max_steps: Replanning never goes beyond this number of steps; None: `steps`.
    """

    def __init__(
        self,
        steps: int,
        deadline: float | None = None,
        changes: Sequence[tuple[int, int]] = (),
        max_steps: int | None = None,
    ) -> None:
        require(steps >= 1, "steps >= 1", steps=steps)
        self.step = 0
        self.steps = steps
        self.progress = 0.0
        self.changes: list[tuple[int, int]] = []
        self._max_steps = steps if max_steps is None else max_steps
        self._deadline = None if changes else deadline
        self._replayed = dict(changes)
        # Of several ranks, the clock of the first one decides.
        self._last_look = (0, distributed.decided(time.monotonic()))
        self._step_seconds: list[float] = []
        self._next_look = LOOK_EVERY

    @property
    def done(self) -> bool:
        """Whether the last step has been taken."""
        return self.step >= self.steps

    def advance(self) -> None:
        """Count one step that was taken."""
        self.progress = (
            1.0 if self.step + 1 >= self.steps else self.progress + (1 - self.progress) / (self.steps - self.step)
        )
        self.step += 1
        if self.step in self._replayed:
            self._replan(self._replayed[self.step])
        elif self._deadline is not None and self.progress >= self._next_look and not self.done:
            self._next_look = self.progress + LOOK_EVERY
            self._look(self._deadline)

    def stop(self) -> None:
        """Make the step just taken the last one, for an early stop or for the user."""
        self._replan(self.step)
        self.progress = 1.0

    def _look(self, deadline: float) -> None:
        now, deadline = distributed.agreed((time.monotonic(), deadline))
        step, then = self._last_look
        self._last_look = (self.step, now)
        self._step_seconds = [*self._step_seconds[1 - LOOKS :], (now - then) / (self.step - step)]
        seconds = statistics.median(self._step_seconds)
        if self.progress >= GROWS_UNTIL:
            # Near the end there is no time to find out whether slow steps last.
            seconds = max(seconds, statistics.mean(self._step_seconds[-2:]))
        affordable = int(max(deadline - now, 0) / max(seconds, 1e-9))
        left = self.steps - self.step
        if left > TOLERANCE * affordable + 1:
            self._replan(self.step + max(affordable, 1))
        elif (
            affordable > SPARE_TIME * left
            and self.progress < GROWS_UNTIL
            and len(self._step_seconds) == LOOKS
            and self.steps < self._max_steps
        ):
            self._replan(min(self.step + affordable, self._max_steps))

    def _replan(self, total: int) -> None:
        if total != self.steps:
            self.steps = total
            self.changes.append((self.step, total))
