"""Search the ranges of one recipe: trials on training rows only, then one run of the best recipe, which alone is scored
on the test rows, once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.core.progress import Progress, part_of, silent
from rarebird.data import split
from rarebird.data.dataset import Splits
from rarebird.evaluation.search_history import SearchHistory
from rarebird.executors.workers import Workers
from rarebird.experiment import joining, self_supervision
from rarebird.experiment.identity import split_identity
from rarebird.experiment.run import run
from rarebird.experiment.setup import TEST_SHARE, positive_class, separate
from rarebird.metrics import names
from rarebird.recipe import fine_tuning
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.text import assigned, read_plain
from rarebird.runs import folder as run_folder
from rarebird.runs.output_folder import OutputFolder
from rarebird.runs.request import DataSummary, Request, read_data, summarize
from rarebird.training.device import choose_device, threads
from rarebird.training.timing import usable_threads
from rarebird.tuning import database_address, strategies
from rarebird.tuning.result import DIGITS, TuningResult
from rarebird.tuning.space import Space, default_space
from rarebird.tuning.study import FinishedTrial, Study
from rarebird.tuning.trial import TrialContext, trial
from rarebird.tuning.trial_loop import TrialLoop
from rarebird.tuning.trials_folder import trials_folder

# Share of a budget for all trials (the rest trains the best recipe to its full length), and the share of the trials'
# time that one trial may take.
TRIALS_SHARE, ONE_SHARE = 0.65, 0.1
# Version of the stored trials; trials of another version cannot be continued.
FORMAT = 2


@dataclass(frozen=True)
class TuningPlan:
    """The options of a search.

    Attributes:
        strategy: One of `strategies.STRATEGIES`, or ``auto``.
        trials: The number of trials; None: as many as the budget allows. A grid has as many as it has points.
        startup: Number of random trials before a model proposes the next ones.
        folds: Parts of the training rows that score a trial; 0 for a hold-out; None: `data.split` decides.
        storage: A database's address in place of a file in the run's folder.
        resume: Whether the search continues with the trials in the folder.
        workers: Processes of this machine that run the trials; 1: this process.
        cluster: A Ray cluster's address, or ``auto``, instead of processes of this machine.
        pruner: Which trials end before their last part, one of `strategies.PRUNERS`.
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


@dataclass(frozen=True)
class TuningSetup:
    """All that is decided before the first trial.

    Attributes:
        request: Data, folder, recipe and settings.
        plan: The options of the search.
        space: The recipes to search.
        splits: All rows; the test rows are for the best recipe alone.
        context: What the trials share.
        larger_is_better: The metric's direction.
        strategy: Which sampler proposes the trials.
        why: Why this strategy.
        workers: Who runs the trials.
        identity: What must be equal for a search to be resumed.
    """

    request: Request
    plan: TuningPlan
    space: Space
    splits: Splits
    context: TrialContext
    larger_is_better: bool
    strategy: strategies.Strategy
    why: str
    workers: Workers
    identity: Mapping[str, Any]

    @property
    def prunes(self) -> bool:
        """Whether trials may end before their last part."""
        return strategies.can_prune(self.plan.pruner, len(self.context.parts))

    @property
    def remarks(self) -> list[str]:
        """Sentences for the user."""
        if self.plan.pruner == "none" or self.prunes:
            return []
        n = len(self.context.parts)
        why = "a hold-out has one part" if n == 1 else f"{n} parts are too few to end a trial after the first ones"
        return [f"Nothing is pruned: {why}."]

    def study(self) -> Study:
        """The study of the trials; whoever asks for it closes it."""
        return Study(
            self.plan.storage or self.request.out,
            self.space,
            larger_is_better=self.larger_is_better,
            strategy=self.strategy,
            seed=self.request.seed or 0,
            startup=self.plan.startup,
            identity=self.identity,
            pruner=self.plan.pruner,
        )


def tune(request: Request, plan: TuningPlan, clock: Clock, progress: Progress = silent) -> TuningResult:
    """Carry out a search; the run's folder holds the best recipe, its model and report, and the trials.

    Args:
        request: Data, folder, recipe and settings.
        plan: The options of the search.
        clock: The budget; without a limit if `plan.trials` gives a number.
        progress: Told of the share done; True from it ends the trials early.

    Raises:
        DataError: The data, the space or the folder cannot be used, or no trial gave a value.
    """
    strategies.check_pruner(plan.pruner)
    if plan.storage is not None:
        database_address.parsed(plan.storage)
    with trials_folder(request, plan.resume, plan.storage is not None) as out:
        return _tune(replace(request, out=out.path), out, plan, clock, progress)


def _tune(request: Request, out: OutputFolder, plan: TuningPlan, clock: Clock, progress: Progress) -> TuningResult:
    progress(0.0, "reading the data")
    data = read_data(request, clock)
    summary = summarize(data, request.keep_copies)
    with threads(usable_threads(clock, request.threads)):
        setup = prepare(request, plan, data, summary)
        deadline = None if clock.budget is None else clock.start + TRIALS_SHARE * clock.budget
        finished, pruned, remarks, history = _run_trials(setup, deadline, part_of(progress, 0.0, TRIALS_SHARE))
    best = _best(finished, setup.larger_is_better)
    recipe, _ = joining.with_sources(best.recipe.updated(threads=request.threads), setup.splits, False)
    recipe, _ = self_supervision.with_pool(recipe, setup.splits, False)
    outcome = run(
        recipe,
        setup.splits,
        clock=clock,
        device=request.device,
        positive=setup.context.positive,
        test_share=0,
        copies=None,
        progress=part_of(progress, TRIALS_SHARE, 1 - TRIALS_SHARE),
    )
    metric, remarks = setup.context.metric, [*setup.remarks, *remarks]
    tried = f"{len(finished)} trials" + (f" and {pruned} that were pruned" if pruned else "")
    note = f"Searched by {setup.why} {tried}; {metric} {best.value:.{DIGITS}f} on held-out rows."
    result = outcome.result.with_notes(note, *remarks).model_copy(update={"search": history})
    outcome = replace(outcome, result=result)
    outcome = run_folder.write(out, outcome, summary, clock, request=request)
    return TuningResult(outcome, finished, best, setup.why, metric, pruned, remarks)


def prepare(request: Request, plan: TuningPlan, data: Splits, summary: DataSummary) -> TuningSetup:
    """Decide all that must be known before the first trial.

    Raises:
        DataError: The data, the space, the metric or the positive class cannot be used.
    """
    seed, train = request.seed or 0, data.train
    space = _space(request, data, seed)
    first = space.draw(lambda name, where: where.sample(np.random.default_rng(0)))
    metric = request.metric or first.metric
    larger_is_better = names.metric_for_task(metric, train.task, train.classes).larger_is_better
    splits = separate(data, first.updated(seed=seed), TEST_SHARE, summary.copies)
    parts = split.parts(splits.train, split.decide(splits.train, splits.val, folds=plan.folds), seed)
    workers = Workers(plan.workers, plan.cluster)
    strategy, why = strategies.choose(plan.strategy, space, plan.trials)
    positive = positive_class(splits.train, request.positive)
    same = {"data": summary.fingerprint, "metric": metric, "folds": len(parts), "seed": seed, "strategy": strategy}
    same_rows = split_identity(data, TEST_SHARE, splits, parts, request.keep_copies)
    return TuningSetup(
        request=request,
        plan=plan,
        space=space,
        splits=splits,
        context=TrialContext(
            splits=Splits(splits.train, splits.val, outside=splits.outside, unlabeled=splits.unlabeled),
            parts=parts,
            metric=metric,
            positive=positive,
            # Each machine of a cluster finds its own device for "auto".
            device=request.device if plan.cluster else choose_device(request.device),
            threads=workers.threads(request.threads),
        ),
        larger_is_better=larger_is_better,
        strategy=strategy,
        why=why,
        workers=workers,
        identity={"format": FORMAT, **same, "positive class": positive, **same_rows, "space": _text_of(space)},
    )


def _run_trials(
    setup: TuningSetup, deadline: float | None, progress: Progress
) -> tuple[Sequence[FinishedTrial], int, list[str], SearchHistory | None]:
    """Run trials until there are enough of them, the time is over, or `progress` ends them.

    Returns:
        All finished trials of the study, the number of pruned ones, sentences for the user, and the trials for the
        report.

    Raises:
        DataError: No trial gave a value.
    """
    plan, context = setup.plan, setup.context
    # The executor is opened first, so that a cluster that does not answer leaves no folder behind.
    with (
        setup.workers.executor(trial, context, context.threads, context.device) as executor,
        closing(setup.study()) as study,
    ):
        longest = None if deadline is None else ONE_SHARE * (deadline - time.monotonic())
        most = study.grid_size or plan.trials
        TrialLoop(study, executor, most, deadline, longest, setup.prunes, progress).run()
        finished = study.finished()
        if not finished:
            raise DataError(f"No trial gave a value. {study.last_reason() or 'Give more time.'}")
        history = study.history(context.metric, plan.resume or plan.storage is not None)
        return finished, study.pruned(), study.remarks(), history


def _best(finished: Sequence[FinishedTrial], larger_is_better: bool) -> FinishedTrial:
    """The best trial; of equal ones the first."""
    return max(finished, key=lambda trial: (trial.value if larger_is_better else -trial.value, -trial.number))


def _text_of(space: Space) -> str:
    """A space as text; the same recipe trains with any number of threads."""
    return repr({name: value for name, value in space.tree.items() if name != "threads" or not isinstance(value, int)})


def _space(request: Request, data: Splits, seed: int) -> Space:
    """The ranges of the recipe file and of the settings; if neither has any, the usual ranges around the recipe."""
    if request.recipe is None:
        plain = fine_tuning.with_settings(default_recipe(data.train, request.metric, seed), request.settings)
    else:
        plain = assigned(read_plain(request.recipe), request.settings, Recipe.model_fields)
    plain |= {"seed": seed} | ({"metric": request.metric} if request.metric else {})
    if data.outside and (request.recipe is None or "external" in plain):
        plain.setdefault("external", {"name": joining.METHOD})
    if data.unlabeled is not None and request.recipe is None and not plain.get("reference"):
        plain.setdefault("transfer", {"name": self_supervision.METHOD})
    space = Space.of(plain)
    return space if space.dimensions() else default_space(Recipe(**plain))
