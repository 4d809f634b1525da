"""`fit` as a search within a budget, from outside: a path in, a run's folder out.

Everything is decided on held-out training rows; the test rows are judged once, by what ships.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rarebird.automl.search import Search, Tell
from rarebird.automl.trial_log import KEPT, TrialLog, is_unfinished
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset
from rarebird.diagnostics.label_issues import issues as label_issues
from rarebird.diagnostics.label_issues import label_files
from rarebird.diagnostics.label_issues.command import Review
from rarebird.executors.workers import ONE, Workers
from rarebird.experiment.run import Outcome, conclude
from rarebird.experiment.setup import TEST_SHARE, Ground, lay_ground, timed
from rarebird.recipe.recipe import Recipe
from rarebird.runs import folder as run_folder
from rarebird.runs.request import Request, read_recipe_and_data, summarize
from rarebird.training.device import threads


def fit(
    request: Request,
    clock: Clock,
    tell: Tell = lambda progress, what: False,
    *,
    references: bool = True,
    single: bool = False,
    resume: bool = False,
    workers: Workers = ONE,
) -> Outcome:
    """Carry out a request as a search; the outcome's result names the model and the report.

    Args:
        request: What is asked for, without a recipe file; settings hold for every candidate.
        clock: The budget.
        tell: Told of the progress; True from it ends the search early, keeping what there is.
        references: Whether boosted trees and random kernels compete.
        single: Whether what is best is distilled to one network.
        resume: Whether a search that was killed is gone on with, in its folder.
        workers: Where candidates train.

    Raises:
        DataError: The data or the folder cannot serve; nothing has been written.
    """
    _check_folder(request.out, resume)
    tell(0.0, "reading the data")
    base, data = read_recipe_and_data(request)
    tell(0.0, "profiling the data")
    known = summarize(data)
    with threads(request.threads), ExitStack() as stack:
        ground = lay_ground(base, data, request.device, request.positive, TEST_SHARE, known.duplicate_groups)
        base = base.updated(folds=ground.protocol.folds, holdout=ground.protocol.holdout or None)
        log = TrialLog(request.out, base.seed, ground.splits.train, _identity(base, ground, known.fingerprint))
        stack.callback(log.close)
        search = stack.enter_context(Search(base, ground, clock, log, tell, single, workers, request.device))
        with timed(ground.timings, "search"):
            search.run(references)
        recipe, teams = search.shipped()
        ground.notes += search.notes()
        outcome = conclude(recipe, ground, teams, tell, clock)
        outcome.result.tried = search.tried()
    tell(1.0, "writing the report")
    issues = _label_issues(outcome, ground.judged)
    run_folder.write(request.out, outcome, known.fingerprint, known.profile, clock, kept=KEPT, beside=issues)
    return outcome


def is_asked_for(request: Request) -> bool:
    """Whether a request leaves the recipe open: it gives none, no steps, and settings of the run alone (threads, folds,
    image size)."""
    of_run = set(Recipe.run_fields) - {"steps", "batch_size"}
    settings = {setting.partition("=")[0].strip() for setting in request.settings}
    return request.recipe is None and request.steps is None and settings <= of_run


def _label_issues(outcome: Outcome, judged: Dataset) -> Callable[[Path], object]:
    """Writes the held-out rows whose given label is improbable, where there are some; the result gets a note on
    them."""
    probabilities = outcome.out_of_fold
    if judged.task == "regression" or probabilities is None:
        return lambda building: None
    try:
        found = label_issues.find(judged, probabilities)
    except DataError:  # no class has rows enough to judge its labels by
        return lambda building: None
    if not found.issues:
        return lambda building: None
    looked = int(found.judged.sum())
    every = (
        ""
        if looked == len(judged) == outcome.result.n_train
        else " `rarebird label-issues` looks through all training rows."
    )
    outcome.result.notes.append(
        f"Of {looked} held-out rows {len(found.issues)} bear a label that is improbable; they are shown in {label_files.PAGE}.{every}"
    )
    return lambda building: label_files.write(Review(judged, found, probabilities, outcome.recipe), building)


def _check_folder(folder: Path, resume: bool) -> None:
    """A new search needs a free folder; one that is gone on with needs its trials.

    Raises:
        DataError: The folder cannot serve.
    """
    standing = is_unfinished(folder)
    if standing and not resume:
        raise DataError(
            f"{folder} holds a search that did not end; go on with --resume, or give another folder with --out."
        )
    if resume and not standing:
        raise DataError(
            f"{folder} holds no search to go on with; leave out --resume, or give the search's folder with --out."
        )
    run_folder.check_free(folder, kept=KEPT)


def _identity(base: Recipe, ground: Ground, data: str) -> dict[str, Any]:
    """What must be the same for candidates of two processes to be comparable."""
    rows = {
        "training rows": len(ground.splits.train),
        "validation rows": 0 if ground.splits.val is None else len(ground.splits.val),
    }
    return {"data": data, **rows, "metric": base.metric, "seed": base.seed, "default recipe": base.to_toml()}
