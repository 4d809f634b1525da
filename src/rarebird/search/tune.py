"""Search the ranges of one recipe: trials on training rows only, then one run of the chosen recipe, whose test rows are judged once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rarebird import experiment
from rarebird.checks import DataError
from rarebird.clock import Clock
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.evaluation import cross_validate
from rarebird.metrics import names
from rarebird.networks import Parts
from rarebird.recipe import Recipe
from rarebird.search import strategies
from rarebird.search.space import Space
from rarebird.search.study import Finished, Study

# Share of a budget for the trials; the rest trains the chosen recipe to its full length and judges it.
TRIALS_SHARE = 0.65
# Without a limit of either kind.
DEFAULT_TRIALS = 30

Tell = Callable[[float, str], bool]


@dataclass(frozen=True)
class Plan:
    """How a search goes.

    Attributes:
        strategy: One of `strategies.STRATEGIES`, or ``auto``.
        trials: How many; None: as many as the budget allows.
        startup: Trials that explore at random before a model is asked.
        metric: What is made best; None: the recipe's.
        folds: Parts of the cross-validation; 0 for a hold-out; None: as `data.split` decides.
        seed: Of splits and proposals.
    """

    strategy: str = "auto"
    trials: int | None = None
    startup: int = 10
    metric: str | None = None
    folds: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        outcome: The run of the chosen recipe.
        trials: All finished trials.
        best: The chosen one of them.
        strategy: Who proposed, and why.
        metric: What was made best.
    """

    outcome: experiment.Outcome
    trials: Sequence[Finished]
    best: Finished
    strategy: str
    metric: str


@dataclass
class Search:
    """One search under way: its rows, its parts and its study.

    Args:
        space: What is searched.
        data: Rows; test rows are split off before anything is tried.
        plan: How the search goes.
        storage: Where the trials are kept: a folder, or a database's address.
        device: A torch device.
    """

    space: Space
    data: Splits
    plan: Plan
    storage: Path | str
    device: str = "cpu"
    positive: str | None = None
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = self.space.draw(lambda name, where: where.sample(np.random.default_rng(0)))
        self.metric = self.plan.metric or first.metric
        self.known = names.metric(self.metric, self.data.train.classes)
        self.splits = experiment.separate(self.data, first.updated(seed=self.plan.seed), experiment.TEST_SHARE, self.notes)
        protocol = split.decide(self.splits.train, self.splits.val, folds=self.plan.folds)
        self.train, self.parts = _judging_parts(self.splits, split.parts(self.splits.train, protocol, self.plan.seed))
        self.strategy, self.why = strategies.choose(self.plan.strategy, self.space, self.plan.trials)
        self.study = Study(
            self.storage,
            self.space,
            larger_is_better=self.known.larger_is_better,
            strategy=self.strategy,
            seed=self.plan.seed,
            startup=self.plan.startup,
            identity={
                "data": fingerprint(self.data.train),
                "metric": self.metric,
                "folds": len(self.parts),
                "seed": self.plan.seed,
                "strategy": self.strategy,
                "space": repr(self.space.tree),
            },
        )

    @property
    def most(self) -> int | None:
        """How many trials there will be; None: as many as the time allows."""
        return self.study.grid_size or self.plan.trials

    def run_trials(self, deadline: float | None, tell: Tell) -> list[Finished]:
        """Run trials until there are enough of them, or the time is over.

        Raises:
            DataError: Not one trial gave a value.
        """
        reason = ""
        while (self.most is None or self.study.begun() < self.most) and (deadline is None or time.monotonic() < deadline):
            done = self.study.begun()
            if tell(_progress(done, self.most, deadline), f"trial {done + 1}" + (f" of {self.most}" if self.most else "")):
                break
            asked = self.study.ask()
            try:
                value, notes = self._judged(asked.recipe, deadline)
            except DataError as error:
                # A recipe that diverges, or that these rows cannot serve, is a result of the search and not its end.
                reason = str(error)
                asked.fail(reason)
                continue
            asked.tell(value, notes)
        finished = self.study.finished()
        if not finished:
            raise DataError(f"No trial gave a value{': ' + reason if reason else '; give more time or trials.'}")
        return finished

    def best(self, finished: Sequence[Finished]) -> Finished:
        """The best trial; of equal ones the first."""
        sign = 1 if self.known.larger_is_better else -1
        return max(finished, key=lambda trial: (sign * trial.value, -trial.number))

    def _judged(self, recipe: Recipe, deadline: float | None) -> tuple[float, Mapping[str, Any]]:
        judged = cross_validate.judge(recipe, self.train, self.parts, positive=self.positive, deadline=deadline, device=self.device)
        values = judged.values(self.metric, self.train, self.positive)
        value = float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
        if not math.isfinite(value):
            raise DataError(f"The metric {self.metric!r} is undefined on the rows that judge; choose another with --metric.")
        return value, {"values": values.tolist(), "training_loss": judged.training, "seconds": round(judged.seconds, 3)}


def tune(search: Search, clock: Clock, tell: Tell = lambda progress, what: False) -> Found:
    """Search, then train the chosen recipe as `experiment.run` does, on the same training rows, and judge the test rows once."""
    limited = clock if search.most is None else Clock()
    deadline = None if limited.budget is None else limited.deadline(limited.budget * (1 - TRIALS_SHARE))
    finished = search.run_trials(deadline, lambda progress, what: tell(TRIALS_SHARE * progress, what))
    best = search.best(finished)
    outcome = experiment.run(
        best.recipe.updated(metric=search.metric if search.known.needs == "labels" else best.recipe.metric),
        Splits(search.splits.train, search.splits.val, search.splits.test, (*search.data.notes, *search.notes)),
        clock=limited if limited.budget is not None else None,
        device=search.device,
        positive=search.positive,
        test_share=0,
        report=lambda progress, what: tell(TRIALS_SHARE + (1 - TRIALS_SHARE) * progress, what),
    )
    return Found(outcome, finished, best, search.why, search.metric)


def _judging_parts(splits: Splits, parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Dataset, Parts]:
    """Rows and parts among which every network has rows that judge it: given validation rows stand behind the training rows."""
    if splits.val is None:
        return splits.train, parts
    raise DataError("A search judges on parts of the training rows; give the validation rows as training rows.")


def _progress(done: int, most: int | None, deadline: float | None) -> float:
    return min(1.0, done / most) if most else 0.5 if deadline is None else 0.0
