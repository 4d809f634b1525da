"""Commands that try many recipes: `tune` searches for the best, `compare` says which remedies help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rarebird.cli.options import (
    AsJson,
    Data,
    Device,
    Groups,
    Kind,
    Pattern,
    Quiet,
    Target,
    Task,
    Threads,
    Time,
    Weight,
    app,
    read_options,
)
from rarebird.cli.terminal import print_json, progress_bar
from rarebird.core.clock import Clock, process_start, seconds_of


@app.command()
def tune(
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run and its trials.db (default: runs/NAME-DATE).")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Test rows, judged once at the end; without them a fifth is held out.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A recipe file with ranges (default: the default rules with the usual ranges).")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="KEY=VALUE or a range, optimizer.learning_rate={low=1e-4,high=1e-2,log=true}; repeatable."
        ),
    ] = None,
    strategy: Annotated[str, typer.Option(help="auto, grid, random, tpe or gaussian_process.")] = "auto",
    trials: Annotated[int | None, typer.Option(min=1, help="How many trials in place of a budget.")] = None,
    budget: Annotated[str, typer.Option(help="Wall-clock time for everything, such as 90s or 5m.")] = "5m",
    startup: Annotated[int, typer.Option(min=0, help="Trials that explore at random before a model is asked.")] = 10,
    folds: Annotated[
        int | None, typer.Option(min=0, help="Parts that judge each trial; 0 for a hold-out (default: by rows).")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What is made best (default: the recipe's, balanced_accuracy).")
    ] = None,
    pruner: Annotated[
        str, typer.Option(help="none, median or halving: ends trials that are behind after some of their parts.")
    ] = "none",
    workers: Annotated[
        int, typer.Option(min=1, help="Processes of this machine that trials run in; they share its threads.")
    ] = 1,
    cluster: Annotated[
        str | None, typer.Option(help="A Ray cluster that trials run on: auto, or its HOST:PORT.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="A database that several processes share, such as postgresql://...")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the trials that stand in the folder.")] = False,
    positive: Annotated[
        str | None, typer.Option(help="Of two classes, the one that precision and recall speak of.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of splits and proposals.")] = 0,
    target: Target = None,
    kind: Kind = None,
    task: Task = None,
    groups: Groups = None,
    groups_pattern: Pattern = None,
    weight: Weight = None,
    time: Time = None,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Search the ranges of a recipe on training rows; the test rows judge the chosen one alone, once."""
    clock = Clock(seconds_of(budget) if trials is None else None, process_start())
    from rarebird.runs import folder
    from rarebird.runs.request import Request
    from rarebird.tuning import command

    request = Request(
        data=data,
        out=out or folder.default_folder(data.stem),
        test=test,
        read=read_options(target, kind, task, groups, groups_pattern, weight, time),
        recipe=recipe,
        settings=tuple(settings or ()),
        metric=metric,
        positive=positive,
        seed=seed,
        threads=threads,
        device=device,
    )
    plan = command.Plan(
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
    with progress_bar(quiet or as_json) as report:
        found = command.tune(request, plan, clock, report)
    if as_json:
        print_json(found.for_machines())
    else:
        typer.echo(found.summary())


@app.command()
def compare(
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="Folder for compare.html and compare.json (default: runs/NAME-DATE).")
    ] = None,
    remedies: Annotated[
        str, typer.Option(help="all that apply, or names: focal,smote+focal,augmentation=mixup.")
    ] = "all",
    test: Annotated[
        Path | None, typer.Option(help="Test rows, which take no part; without them a fifth is held out.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(help="The baseline (default: the default rules, with plain cross entropy and no remedy)."),
    ] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the baseline; repeatable.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Parts of a split.")] = 5,
    repeats: Annotated[
        int, typer.Option(min=1, help="Splits with other parts and seeds; as many more judge the best combination.")
    ] = 3,
    budget: Annotated[str, typer.Option(help="Wall-clock time for everything, such as 5m.")] = "10m",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps of each network in place of a budget.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What is compared (default: the recipe's, balanced_accuracy).")
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="Of two classes, the one that precision and recall speak of.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of splits and networks.")] = 0,
    target: Target = None,
    kind: Kind = None,
    task: Task = None,
    groups: Groups = None,
    groups_pattern: Pattern = None,
    weight: Weight = None,
    time: Time = None,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Each remedy beside the same baseline on the same splits: which helps, which hurts, and where rows are too few to
    tell."""
    clock = Clock(seconds_of(budget) if steps is None else None, process_start())
    from rarebird.comparison import command
    from rarebird.runs import folder
    from rarebird.runs.request import Request

    request = Request(
        data=data,
        out=out or folder.default_folder(data.stem),
        test=test,
        read=read_options(target, kind, task, groups, groups_pattern, weight, time),
        recipe=recipe,
        settings=tuple(settings or ()),
        metric=metric,
        positive=positive,
        seed=seed,
        steps=steps,
        threads=threads,
        device=device,
    )
    with progress_bar(quiet or as_json) as report:
        found = command.compare(request, remedies, folds, repeats, clock, report)
    if as_json:
        print_json(found.for_machines())
    else:
        typer.echo(found.to_text())
