"""`tune`: search the ranges of one recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rarebird.cli.options import USUAL, After, app, shared_options
from rarebird.cli.terminal import Output
from rarebird.cli.watching import LogJson, Track, TrackTo, Watchers, finished, watched
from rarebird.core.clock import Clock, process_start, seconds_of

if TYPE_CHECKING:
    from rarebird.runs.request import Request


@app.command("tune")
@shared_options(
    out="Folder of the run and its trials.db (default: runs/NAME-DATE).",
    test="Test rows, scored once at the end; without them a fifth is held out.",
    recipe="A recipe file with ranges (default: the default rules with the usual ranges).",
    settings="KEY=VALUE or a range, optimizer.learning_rate={low=1e-4,high=1e-2,log=true}; repeatable.",
    metric="The metric to optimize (default: the recipe's, balanced_accuracy).",
    positive=USUAL,
    seed="Seed of splits and proposals.",
    keep_copies=USUAL,
    external=USUAL,
    label_map=USUAL,
    pool=USUAL,
    no_rows=USUAL,
    defaults={"seed": 0},
)
def tune(
    request: Request,
    output: Output,
    strategy: Annotated[str, typer.Option(help="auto, grid, random, tpe or gaussian_process.")] = "auto",
    trials: Annotated[
        int | None, typer.Option(min=1, help="How many trials, in place of a budget or within it.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Wall-clock time for everything (default: 5m; with --trials no limit).")
    ] = None,
    startup: Annotated[int, typer.Option(min=0, help="Random trials before a model proposes the next ones.")] = 10,
    folds: Annotated[
        int | None,
        typer.Option(min=0, help="Folds that score each trial; 0 for a hold-out (default: by the number of rows)."),
    ] = None,
    pruner: Annotated[
        str,
        typer.Option(help="none, median or halving: ends trials that are behind after some of their folds."),
        After("metric"),
    ] = "none",
    workers: Annotated[
        int, typer.Option(min=1, help="Processes of this machine that run trials; they share its threads.")
    ] = 1,
    cluster: Annotated[
        str | None, typer.Option(help="A Ray cluster that runs the trials: auto, or its HOST:PORT.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="A database that several processes share, such as postgresql://...")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue with the trials in the folder.")] = False,
    log_json: LogJson = None,
    track: Track = None,
    track_to: TrackTo = None,
) -> None:
    """Search the ranges of a recipe on training rows; only the chosen recipe is scored on the test rows, once."""
    clock = Clock(seconds_of(budget or "5m") if budget or trials is None else None, process_start())
    from rarebird.tuning import command

    plan = command.TuningPlan(
        strategy=strategy,
        trials=trials,
        startup=startup,
        folds=folds,
        storage=storage,
        resume=resume,
        workers=workers,
        cluster=cluster,
        pruner=pruner,
    )
    with watched("tune", request.out, output, Watchers(log_json, track, track_to)) as progress:
        found = command.tune(request, plan, clock, progress)
        finished(found.outcome)
    output.show(found.for_machines, found.summary)
