"""`fit` as a search within a budget: reads a path and writes a run's folder.

Everything is decided on held-out training rows; the test rows are scored once, with the final model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rarebird.automl.pretrained import names_weights
from rarebird.automl.search import Search, SearchOptions
from rarebird.automl.trial_log import CANDIDATES, SEARCH_FILES, TrialLog, has_candidates
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock, timed
from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Dataset, Splits
from rarebird.diagnostics.label_issues import command as label_issues
from rarebird.diagnostics.label_issues import issues
from rarebird.evaluation.result import Result
from rarebird.experiment.identity import split_identity
from rarebird.experiment.joining import with_external
from rarebird.experiment.run import Outcome, finish
from rarebird.experiment.setup import TEST_SHARE, Setup, prepare_run
from rarebird.recipe.recipe import Recipe
from rarebird.report.pages import label_issues as label_issues_page
from rarebird.runs import folder
from rarebird.runs.new_rows_page import of_run, with_page
from rarebird.runs.output_folder import OutputFolder, owned_folder
from rarebird.runs.request import DataSummary, Request, read_recipe_and_data, summarize
from rarebird.runs.resumable_work import ResumableWork
from rarebird.training.cross_fit import CrossFit
from rarebird.training.device import threads
from rarebird.training.timing import usable_threads

# Version of the stored candidates; candidates of another version cannot be resumed.
FORMAT = 4
# All that a search leaves in its folder, besides its trials.
FILES = (*folder.FILES, *label_issues.FILES)
NOTHING_TO_RESUME = "No trial had finished, so that there was nothing to resume: the search started from the beginning."


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
        resume: Resume the killed search in the request's folder, if there is one.

    Raises:
        DataError: The data or the folder cannot be used; nothing has been written.
    """
    with search_folder(request, resume) as out:
        progress(0.0, "reading the data")
        base, data = read_recipe_and_data(request, clock)
        found = search(base, data, replace(request, out=out.path), clock, progress, options)
        return write(found, out, clock, progress, request)


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
    with threads(usable_threads(clock, request.threads)), ExitStack() as stack:
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
        outcome = replace(outcome, result=_with_search(outcome.result, searching, fits, base.seed))
    return SearchResult(outcome, summary, _label_issues(outcome, setup.scored_rows))


def _with_search(result: Result, searching: Search, fits: Sequence[CrossFit], seed: int) -> Result:
    """The result with what the search tells of rows of other sources, of generators, and of its trials."""
    result = with_external(result, searching.outside.result(searching.race, fits, seed))
    result = searching.synthetic.with_result(result, searching.race, fits)
    return result.model_copy(update={"search": searching.log.history(searching.restored > 0)})


def write(
    found: SearchResult,
    out: OutputFolder,
    clock: Clock,
    progress: Progress = silent,
    request: Request | None = None,
) -> Outcome:
    """Write the run's folder, and beside it the rows whose label is improbable; the outcome names its files."""
    progress(1.0, "writing the report")
    outcome, review = found.outcome, found.review
    shows_rows = request is None or not request.no_rows
    beside: dict[str, folder.Write] = dict(of_run(outcome, "auto")) if shows_rows else {}
    outcome = with_page(outcome, beside)
    if review is not None:
        outcome = replace(outcome, result=outcome.result.with_notes(_issues_note(outcome, review, shows_rows)))
        beside[label_issues_page.VALUES] = partial(label_issues.write_values, review, shows_rows)
    if review is not None and shows_rows:
        beside[label_issues.ROWS] = partial(label_issues.write_rows, review)
        beside[label_issues_page.PAGE] = partial(label_issues.write_page, review)
    outcome = folder.write(out, outcome, found.summary, clock, beside, request)
    out.remove([CANDIDATES, *(name for name in label_issues.FILES if name not in beside)])
    return outcome


def is_asked_for(request: Request) -> bool:
    """Whether a request leaves the recipe open: it has no recipe, no steps, and only settings of the run (threads,
    folds, image size, the metric, and decision and prior, which change no training) and those that name pretrained
    weights."""
    run_settings = set(Recipe.run_fields) - {"steps", "batch_size"} | {"metric", "decision", "prior"}
    others = tuple(one for one in request.settings if re.split(r"[.=]", one, maxsplit=1)[0].strip() not in run_settings)
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


def _issues_note(outcome: Outcome, review: label_issues.Review, shows_rows: bool) -> str:
    n_checked, found = int(review.found.judged.sum()), len(review.found.issues)
    all_rows = n_checked == len(review.train) == outcome.result.n_train
    more = "" if all_rows else " `rarebird label-issues` checks all training rows."
    where = f"; see {label_issues_page.PAGE}" if shows_rows else ""
    return f"The given label is improbable for {found} of {n_checked} held-out rows{where}.{more}"


@contextmanager
def search_folder(request: Request, resume: bool) -> Iterator[OutputFolder]:
    """The folder of a search, owned by this process; trials that finished stay in it, whatever ends the search.

    Raises:
        DataError: The folder cannot be used, or holds a search that has not ended and is not to be resumed.
    """
    with owned_folder(request, FILES, SEARCH_FILES, resume) as out:
        ResumableWork("search", SEARCH_FILES, has_candidates, NOTHING_TO_RESUME).begin(out, resume, request.force)
        out.announce(SEARCH_FILES, unfinished=True)
        try:
            yield out
        except BaseException as error:
            if has_candidates(out.path):
                if out.unfinished:
                    error.add_note(f"{out.path} keeps the recipes that have finished: --resume continues with them.")
            else:
                out.remove(SEARCH_FILES)
                out.finished()
            raise


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
        # The same recipe trains with any number of threads.
        "default recipe": base.updated(threads=None).to_toml(),
    }
