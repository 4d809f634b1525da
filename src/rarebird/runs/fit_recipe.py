"""Train one recipe: a path in, a run's folder out."""

from __future__ import annotations

from dataclasses import replace

from rarebird.core.clock import Clock, timed
from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Splits
from rarebird.experiment.agreement import agree
from rarebird.experiment.joining import with_sources
from rarebird.experiment.run import Outcome, run_in
from rarebird.experiment.self_supervision import with_pool
from rarebird.experiment.setup import prepare_run
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.runs import folder
from rarebird.runs.checkpoints import has_any, opened, training_folder
from rarebird.runs.new_rows_page import of_run, with_page
from rarebird.runs.output_folder import OutputFolder
from rarebird.runs.request import Request, read_any_recipe_and_data, summarize
from rarebird.training import distributed
from rarebird.training.device import threads
from rarebird.training.timing import usable_threads


def fit_recipe(request: Request, clock: Clock, progress: Progress = silent, resume: bool = False) -> Outcome:
    """Read the data, train the requested recipe or ensemble without a search, and write the run's folder.

    Args:
        request: Data, recipe and folder.
        clock: The budget.
        progress: Called as the work proceeds; True from it ends the training early.
        resume: Continue the training in the request's folder that was killed, for as many steps as were planned.

    Returns:
        The outcome; its result holds the paths of the model and the report.

    Raises:
        DataError: The data, the recipe or the folder cannot be used; nothing has been written.
    """
    with training_folder(request, resume) as out:
        clock = Clock(start=clock.start) if resume and has_any(out.path) else clock
        progress(0.0, "reading the data")
        return fit_recipe_on(*read_any_recipe_and_data(request, clock), request, out, clock, progress, keeps=True)


def fit_recipe_on(
    recipe: AnyRecipe,
    data: Splits,
    request: Request,
    out: OutputFolder,
    clock: Clock,
    progress: Progress = silent,
    keeps: bool = False,
) -> Outcome:
    """Train a recipe or ensemble on rows that were read, and write the run's folder.

    Args:
        recipe: What to train.
        data: Rows, with validation and test rows where the data came so.
        request: Its positive class, threads and device hold.
        out: The run's folder.
        clock: The budget.
        progress: Called as the work proceeds; True from it ends the training early.
        keeps: Whether the training keeps checkpoints in the folder.
    """
    recipe, data = with_other_rows(recipe, data, request)
    progress(0.0, "profiling the data")
    summary = summarize(data, request.keep_copies, clock)
    checkpoints = opened(out, recipe, summary.fingerprint, distributed.count()) if keeps else None
    agree(recipe, summary.fingerprint, checkpoints)
    with threads(usable_threads(clock, request.threads)):
        timings: dict[str, float] = {}
        with timed(timings, "split"):
            setup = prepare_run(recipe, data, device=request.device, positive=request.positive, copies=summary.copies)
        # A few bytes of each row, which the run does not need any more.
        summary = replace(summary, copies=None)
        outcome = run_in(setup, recipe, clock, progress, timings, checkpoints)
    progress(1.0, "writing the report")
    beside = {} if request.no_rows else of_run(outcome, request.device)
    return folder.write(out, with_page(outcome, beside), summary, clock, beside, request)


def with_other_rows(recipe: AnyRecipe, data: Splits, request: Request) -> tuple[AnyRecipe, Splits]:
    """The recipe that uses the rows of other sources and the rows without labels, and the rows with notes on both."""
    recipe, notes = with_sources(recipe, data, request.recipe is None)
    recipe, more = with_pool(recipe, data, request.recipe is None)
    return recipe, replace(data, notes=(*data.notes, *notes, *more))
