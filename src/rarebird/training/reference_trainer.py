"""Train a reference in a network's place: the same rows, preparation and resampling, but trees instead of steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from rarebird.core import rng
from rarebird.data import prepare
from rarebird.data.dataset import Dataset
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import Inputs
from rarebird.training.inference import logits
from rarebird.training.network_trainer import Trained, prepared_rows, resampled

MEASURED_ROUNDS, MEASURED_ROWS = 11, 2_000
# Later trees look at the same rows as the first, but the clock of a shared machine wavers.
SHARE = 0.8


class ReferenceBench:
    """One reference's training; it is used as `member.Bench` is, with a boosting round for a step.

    Args:
        recipe: What to train; its `reference` is given.
        fit_rows: Natural training rows.
        fold: Which part of the cross-fitting this is; it names the random streams.
    """

    def __init__(self, recipe: Recipe, fit_rows: Dataset, fold: int) -> None:
        self.recipe, self.fold = recipe, fold
        self.prepared, self.notes = prepare.fit(fit_rows, recipe.seed)
        rows, self._factor = resampled(recipe, fit_rows, fold)
        self._fit_rows = fit_rows
        self.rows = prepared_rows(self.prepared, rows)

    def lay_out(self, deadline: float | None, networks: int) -> Recipe:
        """The recipe with its rounds laid out as `steps`: the reference's own, or as many as fit where there is a
        deadline to meet."""
        rounds = self.own_steps
        if deadline is not None:
            seconds, _ = self._measured
            rounds = max(1, min(rounds, int(SHARE * max(deadline - time.monotonic(), 0.0) / networks / seconds)))
        return self.recipe.updated(steps=rounds, precision="float32")

    @property
    def own_steps(self) -> int:
        """Rounds that the recipe asks for where time is no matter."""
        reference: Any = self.recipe.reference
        rounds: int = self.recipe.steps or reference.rounds
        return rounds

    def seconds_per_row(self) -> float:
        """About how long the prediction of one row takes with all rounds, by that of a few rows with a few."""
        return self._measured[1] * self.own_steps

    def run(
        self, deadline: float | None, changes: Sequence[tuple[int, int]], report: Callable[[float], bool]
    ) -> Trained:
        """Train as the laid-out recipe says; a replay repeats the early end that `changes` recorded."""
        rounds = changes[-1][1] if changes else self.recipe.steps
        assert rounds is not None
        done = 0

        def told(progress: float) -> bool:
            nonlocal done
            done += 1
            return report(progress)

        trees = self._fit(rounds, told)
        ended: list[tuple[int, int]] = [(done, done)] if done < (self.recipe.steps or rounds) else []
        reference: Any = self.recipe.reference
        reason = "stop" if ended else "epochs" if rounds >= reference.rounds else "clock"
        return Trained(trees.eval(), self.prepared, self._prior_factor(), [], ended, self.notes, reason)

    @cached_property
    def _measured(self) -> tuple[float, float]:
        """Seconds that a round takes, and the prediction of one row with one round, by what some rounds take more than
        one."""
        some = self.prepared.inputs(self._fit_rows.take(np.arange(min(len(self._fit_rows), MEASURED_ROWS))))
        self._timed(1, some)  # what is done once, imports among it, is no round's
        (one, of_one), (all_, of_all) = self._timed(1, some), self._timed(MEASURED_ROUNDS, some)
        rows, more = min(len(self._fit_rows), MEASURED_ROWS), MEASURED_ROUNDS - 1
        # On a shared machine the difference of two short times may come out as nothing.
        return max((all_ - one) / more, all_ / MEASURED_ROUNDS**2), max(
            (of_all - of_one) / more, of_all / MEASURED_ROUNDS**2
        ) / rows

    def _timed(self, rounds: int, some: Inputs) -> tuple[float, float]:
        """Seconds of the growing of so many rounds, and of their prediction of some rows."""
        start = time.monotonic()
        trees = self._fit(rounds, lambda progress: False)
        grown = time.monotonic()
        logits(trees, some)
        return grown - start, time.monotonic() - grown

    def _fit(self, rounds: int, told: Callable[[float], bool]) -> nn.Module:
        reference: Any = self.recipe.reference
        seed = rng.torch_seed(self.recipe.seed, "reference", self.fold) % 2**31
        rows, threads = self.rows, self.recipe.threads or torch.get_num_threads()
        trees: nn.Module = reference.fit(
            rows.inputs, rows.y, rows.weight, self.prepared.spec, rounds=rounds, seed=seed, threads=threads, told=told
        )
        return trees

    def _prior_factor(self) -> np.ndarray | None:
        """What the resampling multiplied the natural prior by: the trees answer to the rows they saw."""
        if self._factor is None:
            return None
        normalized: np.ndarray = self._factor / self._factor.sum()
        return normalized
