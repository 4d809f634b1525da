"""Search the ranges of one recipe: trials on training rows only, then one run of the chosen recipe, whose test rows are
judged once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.executors.executor import Executor
from rarebird.executors.workers import Workers
from rarebird.experiment.run import run
from rarebird.experiment.setup import TEST_SHARE, separate
from rarebird.metrics import names
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.text import assigned, read_plain
from rarebird.runs import folder as run_folder
from rarebird.runs.request import DataSummary, Request, read_data, summarize
from rarebird.training.device import choose_device, threads
from rarebird.tuning import pruning, strategies
from rarebird.tuning.result import DIGITS, Found
from rarebird.tuning.space import Space, default_space
from rarebird.tuning.storage import DATABASE, FILES
from rarebird.tuning.study import Finished, Study
from rarebird.tuning.trial import Judging, trial
from rarebird.tuning.trial_loop import Driver, Tell

# Share of a budget for the trials, the rest trains the chosen recipe to its full length; and of the former for one
# trial at most.
TRIALS_SHARE, ONE_SHARE = 0.65, 0.1


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
        workers: Processes of this machine that trials run in; 1: this one.
        cluster: A Ray cluster's address, or ``auto``, in their place.
        pruner: Who ends a trial before its last part, one of `pruning.PRUNERS`.
    """

    strategy: str = "auto"
    trials: int | None = None
    startup: int = 10
    folds: int | None = None
    storage: str | None = None
    resume: bool = False
    workers: int = 1
    cluster: str | None = None
    pruner: str = "none"


def tune(request: Request, plan: Plan, clock: Clock, tell: Tell = lambda progress, what: False) -> Found:
    """Carry out a search; the run's folder holds the chosen recipe, its model and report, and the trials.

    Args:
        request: Data, folder, recipe and settings, as for `fitting.fit`.
        plan: How the search goes.
        clock: The budget; one without a limit where `plan.trials` says how many.
        tell: Told of the progress; True from it ends the trials early.

    Raises:
        DataError: The data, the space or the folder cannot serve, or no trial gave a value.
    """
    pruning.check(plan.pruner)
    _check_folder(request.out, plan)
    tell(0.0, "reading the data")
    data = read_data(request, None)
    known = summarize(data)
    deadline = None if clock.budget is None else clock.start + TRIALS_SHARE * clock.budget
    with threads(request.threads), _Search(request, plan, data, known) as search:
        search.run(deadline, lambda progress, what: tell(TRIALS_SHARE * progress, what))
        finished, pruned = search.finished(), search.study.pruned()
    best = search.best(finished)
    outcome = run(
        best.recipe.updated(threads=request.threads),
        search.splits,
        clock=clock,
        device=request.device,
        positive=request.positive,
        test_share=0,
        # The rows were looked through: those that copy another are in groups, and where there are no groups there are
        # no copies.
        duplicate_groups=np.arange(len(search.train)),
        report=lambda progress, what: tell(TRIALS_SHARE + (1 - TRIALS_SHARE) * progress, what),
    )
    found = Found(outcome, finished, best, search.why, search.metric, pruned, search.remarks)
    tried = f"{len(finished)} trials" + (f" and {pruned} that were pruned" if pruned else "")
    outcome.result.notes.append(
        f"Searched by {search.why} {tried}; {search.metric} {best.value:.{DIGITS}f} on held-out rows."
    )
    outcome.result.notes.extend(search.remarks)
    run_folder.write(request.out, outcome, known.fingerprint, known.profile, clock, kept=FILES)
    return found


class _Search:
    """A search under way: its rows, the parts that judge, and its trials."""

    def __init__(self, request: Request, plan: Plan, data: Splits, known: DataSummary) -> None:
        seed = request.seed or 0
        self.space = _space(request, data.train, seed)
        first = self.space.draw(lambda name, where: where.sample(np.random.default_rng(0)))
        self.metric = request.metric or first.metric
        self.larger_is_better = names.metric(self.metric, data.train.classes).larger_is_better
        notes = list(data.notes)
        separated = separate(data, first.updated(seed=seed), TEST_SHARE, notes, known.duplicate_groups)
        self.splits = Splits(separated.train, separated.val, separated.test, tuple(notes))
        protocol = split.decide(self.train, self.splits.val, folds=plan.folds)
        self.workers = Workers(plan.workers, plan.cluster)
        self.judging = Judging(
            train=self.train,
            val=self.splits.val,
            parts=split.parts(self.train, protocol, seed),
            metric=self.metric,
            positive=request.positive,
            device=_device(request.device, plan),
            threads=self.workers.threads(request.threads),
        )
        self.request, self.plan, self.known = request, plan, known
        self.remarks = _remarks(plan, len(self.judging.parts))
        self.strategy, self.why = strategies.choose(plan.strategy, self.space, plan.trials)
        self.executor: Executor
        self.study: Study

    def __enter__(self) -> Self:
        """Opens what trials need; the executor first, so that a cluster that does not answer leaves no folder
        behind."""
        with ExitStack() as stack:
            self.executor = stack.enter_context(
                self.workers.executor(trial, self.judging, self.judging.threads, self.judging.device)
            )
            self.study = self._study()
            stack.callback(self.study.close)
            if self.plan.storage is None and self.study.is_shared():
                raise DataError(
                    f"Another process is at the trials in {self.request.out}; give both the same --storage, and each its own --out."
                )
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def train(self) -> Dataset:
        """Training rows, without any test row."""
        return self.splits.train

    def run(self, deadline: float | None, tell: Tell) -> None:
        """Trials until there are enough of them, the time is over, or `tell` ends them."""
        longest = None if deadline is None else ONE_SHARE * (deadline - time.monotonic())
        prunes = pruning.applies(self.plan.pruner, len(self.judging.parts))
        Driver(self.study, self.executor, self.study.grid_size or self.plan.trials, deadline, longest, prunes).run(tell)

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

    def _study(self) -> Study:
        seed, val = self.request.seed or 0, self.splits.val
        same = {"data": self.known.fingerprint, "metric": self.metric, "folds": len(self.judging.parts), "seed": seed}
        validation = {} if val is None else {"validation rows": fingerprint(val)}
        return Study(
            self.plan.storage or self.request.out,
            self.space,
            larger_is_better=self.larger_is_better,
            strategy=self.strategy,
            seed=seed,
            startup=self.plan.startup,
            identity={**same, "strategy": self.strategy, **validation, "space": repr(self.space.tree)},
            pruner=self.plan.pruner,
        )


def _device(wanted: str, plan: Plan) -> str:
    """A device of this machine; on a cluster ``auto`` is left to each machine."""
    chosen = choose_device(wanted)
    return wanted if plan.cluster else chosen


def _remarks(plan: Plan, parts: int) -> list[str]:
    if plan.pruner == "none" or pruning.applies(plan.pruner, parts):
        return []
    what = "a hold-out has one part" if parts == 1 else f"{parts} parts are too few to end a trial by the first"
    return [f"Nothing is pruned: {what}."]


def _space(request: Request, train: Dataset, seed: int) -> Space:
    """The ranges of the recipe file and of the settings; the usual ones around the default recipe where neither has
    any."""
    plain = read_plain(request.recipe) if request.recipe else default_recipe(train, request.metric, seed).plain()
    plain = assigned(plain, request.settings, Recipe.model_fields)
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
        raise DataError(
            f"{folder} holds the trials of an earlier search; go on with --resume, or give another folder with --out."
        )
    if plan.resume and not standing and plan.storage is None:
        raise DataError(
            f"{folder} holds no trials to go on with; leave out --resume, or give the search's folder with --out."
        )
    run_folder.check_free(folder, kept=FILES)
