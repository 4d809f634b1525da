"""How many steps a training takes: laid out before it, and replanned where the machine is slower or faster than
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
from typing import Any

import numpy as np

from rarebird.core.checks import require
from rarebird.data.dataset import Dataset
from rarebird.recipe.recipe import Recipe

DEFAULT_EPOCHS = 30.0
# Evaluations and irregular batches take their part of each second beside the measured steps.
STEPPING_SHARE = 0.93
# Looking at the clock is cheap, but a projection from a few steps is noise: it is looked at after each such share of
# the steps.
LOOK_EVERY = 0.02
TOLERANCE = 1.03
# Steps are added only where much time is left over, and not near the end, whose learning rates matter most.
MUCH = 1.15
GROWS_UNTIL = 0.7
# One slow moment must not cut the steps to nothing: the pace is the median of the last few.
LOOKS = 5


@dataclass(frozen=True)
class StepCounts:
    """How many steps a recipe asks for on given rows.

    Attributes:
        recipe: Whose steps or epochs are asked for.
        n_rows: Natural training rows.
        n_resampled: Rows after resampling.
        repetition: How often the rows of the most repeated class come in an epoch, at least 1.
    """

    recipe: Recipe
    n_rows: int
    n_resampled: int
    repetition: float = 1.0

    @property
    def own(self) -> int:
        """Steps that the recipe asks for where time is no matter."""
        return self.recipe.steps or self._of_epochs(
            DEFAULT_EPOCHS if self.recipe.epochs is None else self.recipe.epochs
        )

    @property
    def most(self) -> int:
        """Steps of the recipe's epochs; without a limit where it names none."""
        return sys.maxsize if self.recipe.epochs is None else self._of_epochs(self.recipe.epochs)

    def within(self, seconds: float, step_seconds: float) -> int:
        """As many steps as fit into a time, and no more than `most`."""
        return max(1, min(int(seconds * STEPPING_SHARE / step_seconds), self.most))

    def _of_epochs(self, epochs: float) -> int:
        """Steps of as many epochs over the natural rows, fewer where some rows come more than once in an epoch.

        Rows that come again and again are learned by heart: mammography with balanced batches has an out-of-fold log
        loss of .060 after 15 epochs, in which each rare row came 300 times, and of .049 after 3 to 5. The root is the
        balance between that and too few steps.
        """
        passes = epochs / math.sqrt(self.repetition)
        return max(1, round(passes * self.n_rows / min(self.recipe.batch_size, self.n_resampled)))


def repetition(recipe: Recipe, natural: Dataset, counts: np.ndarray | None) -> float:
    """How often the rows of the most repeated class come in an epoch of as many draws as there are natural rows.

    Args:
        recipe: Whose batch sampling repeats rows.
        natural: Training rows before resampling.
        counts: ``(n_classes,)`` rows of each class after resampling; None for regression.

    Returns:
        At least 1.
    """
    before = natural.class_counts
    if counts is None or before is None:
        return 1.0
    sampling: Any = recipe.batch_sampling
    factor = sampling.prior_factor(counts)
    draws = counts * (1.0 if factor is None else factor)
    distinct = np.minimum(counts, before)
    kept = distinct > 0
    return float(max(1.0, (len(natural) * draws[kept] / draws.sum() / distinct[kept]).max()))


class StepPlan:
    """The steps of one training, and how far it has come.

    Args:
        steps: Planned optimizer steps, at least 1.
        deadline: When the last step must have been taken, on the scale of `time.monotonic`; None: never replanned.
        changes: Recorded changes (step, new number of steps) to repeat; the clock is then not looked at.
        most: Number of steps that is never passed, however fast the machine; None: `steps`.
    """

    def __init__(
        self,
        steps: int,
        deadline: float | None = None,
        changes: Sequence[tuple[int, int]] = (),
        most: int | None = None,
    ) -> None:
        require(steps >= 1, "steps >= 1", steps=steps)
        self.step = 0
        self.steps = steps
        self.progress = 0.0
        self.changes: list[tuple[int, int]] = []
        self._most = steps if most is None else most
        self._deadline = deadline
        self._replayed = dict(changes)
        self._looked = (0, time.monotonic())
        self._paces: list[float] = []
        self._next_look = LOOK_EVERY

    @property
    def done(self) -> bool:
        """Whether the last step has been taken."""
        return self.step >= self.steps

    def advance(self) -> None:
        """One step has been taken."""
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
        """The step just taken is the last: an early stop, or the user's."""
        self._replan(self.step)
        self.progress = 1.0

    def _look(self, deadline: float) -> None:
        now = time.monotonic()
        step, then = self._looked
        self._looked = (self.step, now)
        self._paces = [*self._paces[1 - LOOKS :], (now - then) / (self.step - step)]
        pace = statistics.median(self._paces)
        if self.progress >= GROWS_UNTIL:
            # Near the end there is no time left to wait and see whether a slow spell lasts.
            pace = max(pace, statistics.mean(self._paces[-2:]))
        affordable = int(max(deadline - now, 0) / max(pace, 1e-9))
        left = self.steps - self.step
        if left > TOLERANCE * affordable + 1:
            self._replan(self.step + max(affordable, 1))
        elif (
            affordable > MUCH * left
            and self.progress < GROWS_UNTIL
            and len(self._paces) == LOOKS
            and self.steps < self._most
        ):
            self._replan(min(self.step + affordable, self._most))

    def _replan(self, total: int) -> None:
        if total != self.steps:
            self.steps = total
            self.changes.append((self.step, total))
