"""The main command, `fit`: a path in, a model out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rarebird.cli.options import USUAL, After, Budget, app, shared_options
from rarebird.cli.terminal import Output
from rarebird.cli.watching import LogJson, Track, TrackTo, Watchers, finished, watched
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock, process_start, seconds_of

if TYPE_CHECKING:
    from rarebird.experiment.run import Outcome
    from rarebird.runs.request import Request


Prior = Annotated[
    list[str] | None,
    typer.Option(
        help="CLASS=SHARE: a class's frequency where the model is used, if the training rows have another (they were "
        "enriched); repeatable."
    ),
]


def with_prior(request: Request, prior: list[str] | None) -> Request:
    """The request with a stated prior as a setting of its recipe."""
    from rarebird.runs.prior import stated

    if not prior:
        return request
    return with_settings(request, {"prior": stated(prior)})


def with_settings(request: Request, settings: dict[str, Any]) -> Request:
    """The request with more settings of its recipe."""
    from rarebird.recipe.text import assignments

    return replace(request, settings=(*request.settings, *assignments(settings)))


@app.command("fit")
@shared_options(
    out="Folder of the run (default: runs/NAME-DATE).",
    test="Test rows; without them a fifth is held out.",
    recipe="A recipe file: it is trained as it is, and nothing is searched.",
    settings="KEY=VALUE of the default recipe, such as loss=focal, which is then trained alone; repeatable.",
    metric="The metric that search and decisions optimize (default: balanced_accuracy).",
    steps="Optimizer steps of each network in place of a budget; nothing is then searched.",
    positive=USUAL,
    seed=USUAL,
    keep_copies=USUAL,
    external=USUAL,
    label_map=USUAL,
    pool=USUAL,
    no_rows=USUAL,
)
def fit(
    request: Request,
    output: Output,
    out: Path | None,
    references: Annotated[
        bool,
        typer.Option(help="Whether trees, random kernels and random patches compete with the networks."),
        After("metric"),
    ] = True,
    prior: Prior = None,
    cost_column: Annotated[
        str | None,
        typer.Option(
            help="With --set decision=cost: a column by whose value mistakes on rows of the positive (or rarest) class "
            "cost more, such as an amount."
        ),
    ] = None,
    single: Annotated[bool, typer.Option("--single", help="Distil the result of the search into one network.")] = False,
    budget: Budget = "5m",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue what was killed in --out: a search for another budget, or the training of a recipe.",
        ),
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes of this machine that train recipes at the same time.")
    ] = 1,
    cluster: Annotated[
        str | None, typer.Option(help="A Ray cluster in place of these processes: auto, or HOST:PORT.")
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that train one recipe together, each with a GPU or CPU threads of its own; none under "
            "torchrun, which starts them. With --set sharded=true each keeps a part of the weights. On one device, "
            "--set accumulation=4 and --set activation_checkpointing=true save memory.",
        ),
    ] = None,
    price_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Price of an hour of this machine, for the cost of the run.")
    ] = None,
    watts: Annotated[
        float | None, typer.Option(min=0, help="Power that this machine takes, for the energy of the run.")
    ] = None,
    log_json: LogJson = None,
    track: Track = None,
    track_to: TrackTo = None,
) -> None:
    """Search, train, calibrate, decide, test and report: a path in, a model out."""
    clock = Clock(seconds_of(budget), process_start())
    request = replace(with_prior(request, prior), price_per_hour=price_per_hour, watts=watts)
    if cost_column is not None:
        request = with_settings(request, {"decision.column": cost_column})
    from rarebird.automl import command
    from rarebird.automl.search import SearchOptions
    from rarebird.executors.ranks import of_torchrun
    from rarebird.executors.workers import Workers
    from rarebird.report.terminal import summary
    from rarebird.runs.fit_recipe import fit_recipe
    from rarebird.runs.on_devices import fit_on_devices

    searches = command.is_asked_for(request)
    for name, given in (
        ("--single", single),
        ("--workers", workers > 1),
        ("--cluster", cluster is not None),
    ):
        if given and not searches:
            raise DataError(
                f"{name} belongs to a search; leave out --recipe, --steps and --set with choices of the recipe."
            )
    rank = of_torchrun()
    shared = (devices or 1) > 1 or rank is not None
    if shared and searches:
        raise DataError("A search trains on one device at a time; for several give --recipe, --steps or --set.")
    if resume and out is None:
        raise DataError("--resume needs the folder of the run; give it with --out.")
    outcome: Outcome | None
    # Of several processes, the first one speaks for all.
    watchers = Watchers() if rank is not None and rank.number else Watchers(log_json, track, track_to)
    with watched("fit", request.out, output, watchers) as progress:
        if searches:
            options = SearchOptions(references, single, Workers(workers, cluster))
            outcome = command.fit(request, clock, progress, options, resume)
        elif shared:
            outcome = fit_on_devices(request, clock, devices, progress, resume)
        else:
            outcome = fit_recipe(request, clock, progress, resume)
        if outcome is not None:
            finished(outcome)
    if outcome is not None:
        output.show(outcome.result.for_machines, lambda: summary(outcome.result))
