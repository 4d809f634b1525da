"""Search the ranges of one recipe: trials on training rows only, then one run of the chosen recipe, whose test rows are judged once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rarebird import experiment, fitting, run_folder
from rarebird.checks import DataError
from rarebird.clock import Clock
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.defaults import default_recipe
from rarebird.evaluation import cross_validate
from rarebird.metrics import names
from rarebird.networks import Parts
from rarebird.recipe import Recipe, assigned, read_plain
from rarebird.report.terminal import summary
from rarebird.search import strategies
from rarebird.search.space import Space, default_space
from rarebird.search.study import DATABASE, FILES, Finished, Study
from rarebird.training.device import choose_device, threads

# Share of a budget for the trials, the rest trains the chosen recipe to its full length; and of the former for one trial at most.
TRIALS_SHARE, ONE_SHARE = 0.65, 0.1
DIGITS = 4

Tell = Callable[[float, str], bool]


@dataclass(frozen=True)
class Plan:
    """How a search goes.

    Attributes:
        strategy: One of `strategies.STRATEGIES`, or ``auto``.
        trials: How many; None: as many as the budget allows. A grid has as many as it has points.
        startup: Trials that explore at random before a model is asked.
        folds: Parts of the training rows that judge a trial; 0 for a hold-out; None: as `data.split` decides.
        storage: A database's address in place of a file in the run's folder.
        resume: Whether trials that stand in the folder are gone on with.
    """

    strategy: str = "auto"
    trials: int | None = None
    startup: int = 10
    folds: int | None = None
    storage: str | None = None
    resume: bool = False


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        outcome: The run of the chosen recipe.
        trials: All finished trials.
        best: The chosen one of them.
        why: Who proposed, and why.
        metric: What was made best.
    """

    outcome: experiment.Outcome
    trials: Sequence[Finished]
    best: Finished
    why: str
    metric: str

    def for_machines(self) -> dict[str, Any]:
        """The run's own object, with the search beside it."""
        search = {"strategy": self.why, "metric": self.metric, "trials": len(self.trials), "best": self.best.number}
        return {**self.outcome.result.for_machines(), "search": {**search, "value": self.best.value, "values": dict(self.best.values)}}

    def summary(self) -> str:
        """The search and the run in some lines."""
        values = ", ".join(f"{name}={_short(value)}" for name, value in self.best.values.items())
        judged = f"{self.metric} {self.best.value:.{DIGITS}f} on held-out training rows"
        chosen = f"Trial {self.best.number} of {len(self.trials)} was best: {judged}."
        return "\n".join([f"Strategy {self.why}", chosen, f"  {values}", "", summary(self.outcome.result)])


def tune(request: fitting.Request, plan: Plan, clock: Clock, tell: Tell = lambda progress, what: False) -> Found:
    """Carry out a search; the run's folder holds the chosen recipe, its model and report, and the trials.

    Args:
        request: Data, folder, recipe and settings, as for `fitting.fit`.
        plan: How the search goes.
        clock: The budget; one without a limit where `plan.trials` says how many.
        tell: Told of the progress; True from it ends the trials early.

    Raises:
        DataError: The data, the space or the folder cannot serve, or no trial gave a value.
    """
    _check_folder(request.out, plan)
    tell(0.0, "reading the data")
    data = fitting.read(request, None)
    known = fitting.described(data)
    search = _Search(request, plan, data, known)
    deadline = None if clock.budget is None else clock.start + TRIALS_SHARE * clock.budget
    with threads(request.threads):
        search.run(deadline, lambda progress, what: tell(TRIALS_SHARE * progress, what))
    finished = search.finished()
    best = search.best(finished)
    outcome = experiment.run(
        best.recipe.updated(threads=request.threads),
        search.splits,
        clock=clock,
        device=request.device,
        positive=request.positive,
        test_share=0,
        # The rows were looked through: those that copy another are in groups, and where there are no groups there are no copies.
        duplicate_groups=np.arange(len(search.train)),
        report=lambda progress, what: tell(TRIALS_SHARE + (1 - TRIALS_SHARE) * progress, what),
    )
    found = Found(outcome, finished, best, search.why, search.metric)
    outcome.result.notes.append(
        f"Searched by {search.why} {len(finished)} trials; {search.metric} {best.value:.{DIGITS}f} on held-out rows."
    )
    run_folder.write(request.out, outcome, known.fingerprint, known.profile, clock, kept=FILES)
    return found


class _Search:
    """A search under way: its rows, the parts that judge, and its trials."""

    def __init__(self, request: fitting.Request, plan: Plan, data: Splits, known: fitting.Described) -> None:
        seed = request.seed or 0
        self.space = _space(request, data.train, seed)
        first = self.space.draw(lambda name, where: where.sample(np.random.default_rng(0)))
        self.metric = request.metric or first.metric
        self.larger_is_better = names.metric(self.metric, data.train.classes).larger_is_better
        if data.val is not None:
            # Given validation rows judge every trial; they are no part of any training.
            raise DataError(
                "A search judges trials on parts of the training rows, so it takes no validation rows; give them as training rows."
            )
        notes = list(data.notes)
        separated = experiment.separate(data, first.updated(seed=seed), experiment.TEST_SHARE, notes, known.duplicate_groups)
        self.splits = Splits(separated.train, None, separated.test, tuple(notes))
        protocol = split.decide(self.train, folds=plan.folds)
        self.parts: Parts = split.parts(self.train, protocol, seed)
        self.positive, self.device = request.positive, choose_device(request.device)
        strategy, self.why = strategies.choose(plan.strategy, self.space, plan.trials)
        identity = {"data": known.fingerprint, "metric": self.metric, "folds": len(self.parts), "seed": seed, "strategy": strategy}
        self.study = Study(
            plan.storage or request.out,
            self.space,
            larger_is_better=self.larger_is_better,
            strategy=strategy,
            seed=seed,
            startup=plan.startup,
            identity={**identity, "space": repr(self.space.tree)},
        )
        self.most = self.study.grid_size or plan.trials

    @property
    def train(self) -> Dataset:
        """Training rows, without any test row."""
        return self.splits.train

    def run(self, deadline: float | None, tell: Tell) -> None:
        """Trials until there are enough of them, the time is over, or `tell` ends them."""
        begun = time.monotonic()
        longest = None if deadline is None else ONE_SHARE * (deadline - begun)
        while (done := self.study.begun()) < (self.most or math.inf):
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return
            share = done / self.most if self.most else (now - begun) / max(1e-9, (deadline or math.inf) - begun)
            if tell(share, f"trial {done + 1}" + (f" of {self.most}" if self.most else "")):
                return
            asked = self.study.ask()
            try:
                asked.tell(*self._judged(asked.recipe, None if longest is None else now + longest))
            except DataError as error:
                # A recipe that diverges, or that these rows cannot serve, is a result of the search and not its end.
                asked.fail(str(error))

    def finished(self) -> list[Finished]:
        """The finished trials.

        Raises:
            DataError: There are none.
        """
        finished = self.study.finished()
        if not finished:
            raise DataError(f"No trial gave a value. {self.study.last_reason() or 'Give more time.'}")
        return finished

    def best(self, finished: Sequence[Finished]) -> Finished:
        """The best trial; of equal ones the first."""
        sign = 1 if self.larger_is_better else -1
        return max(finished, key=lambda trial: (sign * trial.value, -trial.number))

    def _judged(self, recipe: Recipe, deadline: float | None) -> tuple[float, Mapping[str, Any]]:
        judged = cross_validate.judge(recipe, self.train, self.parts, positive=self.positive, deadline=deadline, device=self.device)
        values = judged.values(self.metric, self.train, self.positive)
        value = float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
        if not math.isfinite(value):
            raise DataError(f"The metric {self.metric!r} is undefined on the rows that judge; choose another with --metric.")
        return value, {"values": values.tolist(), "training_loss": judged.training, "seconds": round(judged.seconds, 3)}


def _space(request: fitting.Request, train: Dataset, seed: int) -> Space:
    """The ranges of the recipe file and of the settings; the usual ones around the default recipe where neither has any."""
    plain = read_plain(request.recipe) if request.recipe else default_recipe(train, request.metric, seed).plain()
    plain = assigned(plain, request.settings)
    plain |= {"seed": seed} | ({"metric": request.metric} if request.metric else {})
    space = Space.of(plain)
    return space if space.dimensions() else default_space(Recipe(**plain))


def _check_folder(folder: Path, plan: Plan) -> None:
    """A new search needs a free folder; one that is gone on with needs its trials.

    Raises:
        DataError: The folder cannot serve.
    """
    standing = (folder / DATABASE).is_file()
    if standing and not plan.resume:
        raise DataError(f"{folder} holds the trials of an earlier search; go on with --resume, or give another folder with --out.")
    if plan.resume and not standing and plan.storage is None:
        raise DataError(f"{folder} holds no trials to go on with; leave out --resume, or give the search's folder with --out.")
    run_folder.check_free(folder, kept=FILES)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
