"""`fit` as a search within a budget: reads a path and writes a run's folder.

Everything is decided on held-out training rows; the test rows are scored once, with the final model.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rarebird.automl.pretrained import names_weights
from rarebird.automl.search import Search, SearchOptions
from rarebird.automl.trial_log import KEPT, TrialLog, is_unfinished
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock, timed
from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Dataset, Splits
from rarebird.diagnostics.label_issues import command as label_issues
from rarebird.diagnostics.label_issues import issues
from rarebird.experiment.identity import split_identity
from rarebird.experiment.joining import with_external
from rarebird.experiment.run import Outcome, finish
from rarebird.experiment.setup import TEST_SHARE, Setup, prepare_run
from rarebird.recipe.recipe import Recipe
from rarebird.runs import folder
from rarebird.runs.request import DataSummary, Request, read_recipe_and_data, summarize
from rarebird.training.device import threads

# Version of the stored candidates; candidates of another version cannot be resumed.
FORMAT = 3


@dataclass(frozen=True)
class SearchResult:
    """What a search gives, before anything is written.

    Attributes:
        outcome: Model, result and recipe.
        summary: Fingerprint and profile of the data.
        review: Held-out rows whose given label is improbable; None without any.
    """

    outcome: Outcome
    summary: DataSummary
    review: label_issues.Review | None


def fit(
    request: Request,
    clock: Clock,
    progress: Progress = silent,
    options: SearchOptions | None = None,
    resume: bool = False,
) -> Outcome:
    """Carry out a request as a search; the outcome's result names the model and the report.

    Args:
        request: A request without a recipe file; its settings hold for every candidate.
        clock: The budget.
        progress: Called with the share done; if it returns True, the search ends early with the results so far.
        options: What the search tries, and where.
        resume: Resume the killed search in the request's folder.

    Raises:
        DataError: The data or the folder cannot be used; nothing has been written.
    """
    check_folder(request.out, resume)
    progress(0.0, "reading the data")
    base, data = read_recipe_and_data(request)
    return write(search(base, data, request, clock, progress, options), request.out, clock, progress)


def search(
    base: Recipe,
    data: Splits,
    request: Request,
    clock: Clock,
    progress: Progress = silent,
    options: SearchOptions | None = None,
    test_share: float = TEST_SHARE,
) -> SearchResult:
    """Search around a default recipe, on rows that were read.

    Args:
        base: The default recipe.
        data: Rows, with validation and test rows where the data came so.
        request: Its folder (for the trials), positive class, threads and device hold.
        clock: The budget.
        progress: Told of the share done; True from it ends the search early.
        options: How the search goes.
        test_share: Share held out for the test where `data` has none; 0 for no test.
    """
    options = options or SearchOptions()
    progress(0.0, "profiling the data")
    summary = summarize(data, request.keep_copies, clock)
    timings: dict[str, float] = {}
    with threads(request.threads), ExitStack() as stack:
        with timed(timings, "split"):
            setup = prepare_run(
                base,
                data,
                device=request.device,
                positive=request.positive,
                test_share=test_share,
                copies=summary.copies,
            )
        base = setup.settled(base)
        split = split_identity(data, test_share, setup.splits, setup.parts(base.seed), request.keep_copies)
        log = TrialLog(request.out, base.seed, setup.splits.train, _identity(base, setup, summary, split))
        stack.callback(log.close)
        # On a cluster each machine chooses its device for ``auto``.
        shared = replace(setup, device=request.device) if options.workers.cluster else setup
        searching = stack.enter_context(Search(base, shared, clock, log, progress, options))
        with timed(timings, "search"):
            searching.run(setup.device)
        recipe, fits = searching.shipped()
        outcome = finish(
            recipe, setup, fits, clock, progress, timings=timings, notes=searching.notes(), tried=searching.tried()
        )
        external = searching.outside.result(searching.race, fits, base.seed)
        outcome = replace(outcome, result=with_external(outcome.result, external))
    return SearchResult(outcome, summary, _label_issues(outcome, setup.scored_rows))


def write(found: SearchResult, out: Path, clock: Clock, progress: Progress = silent) -> Outcome:
    """Write the run's folder, and beside it the rows whose label is improbable; the outcome names its files."""
    progress(1.0, "writing the report")
    outcome, review = found.outcome, found.review
    if review is None:
        return folder.write(out, outcome, found.summary, clock, kept=KEPT)
    outcome = replace(outcome, result=outcome.result.with_notes(_issues_note(outcome, review)))
    beside = partial(label_issues.write, review)
    return folder.write(out, outcome, found.summary, clock, kept=KEPT, beside=beside)


def is_asked_for(request: Request) -> bool:
    """Whether a request leaves the recipe open: it has no recipe, no steps, and only settings of the run (threads,
    folds, image size) and those that name pretrained weights."""
    run_settings = set(Recipe.run_fields) - {"steps", "batch_size"}
    others = tuple(one for one in request.settings if one.partition("=")[0].strip() not in run_settings)
    return request.recipe is None and request.steps is None and (not others or names_weights(others))


def _label_issues(outcome: Outcome, scored: Dataset) -> label_issues.Review | None:
    """The held-out rows whose given label is improbable; None if there are none."""
    probabilities = outcome.out_of_fold
    if scored.task == "regression" or probabilities is None:
        return None
    try:
        found = issues.find(scored, probabilities)
    except DataError:  # no class has enough rows to find improbable labels
        return None
    return label_issues.Review(scored, found, probabilities, outcome.recipe) if found.issues else None


def _issues_note(outcome: Outcome, review: label_issues.Review) -> str:
    n_checked, found = int(review.found.judged.sum()), len(review.found.issues)
    all_rows = n_checked == len(review.train) == outcome.result.n_train
    more = "" if all_rows else " `rarebird label-issues` checks all training rows."
    return f"The given label is improbable for {found} of {n_checked} held-out rows; see {label_issues.PAGE}.{more}"


def check_folder(out: Path, resume: bool) -> None:
    """A new search needs a free folder; a resumed one needs its trials.

    Raises:
        DataError: The folder cannot be used.
    """
    unfinished = is_unfinished(out)
    if unfinished and not resume:
        raise DataError(f"{out} holds a search that did not end; resume it with --resume, or give another --out.")
    if resume and not unfinished:
        raise DataError(f"{out} holds no search to resume; leave out --resume, or give the search's folder with --out.")
    folder.check_free(out, kept=KEPT)


def _identity(base: Recipe, setup: Setup, summary: DataSummary, split: dict[str, Any]) -> dict[str, Any]:
    """Values that must be equal for the candidates of two processes to be comparable; the first that differs is named
    to the user."""
    return {
        "format": FORMAT,
        "data": summary.fingerprint,
        "metric": base.metric,
        "positive class": setup.positive,
        "seed": base.seed,
        **split,
        "default recipe": base.to_toml(),
    }
