"""The command that chooses a regularization's strength: `regularization-path`."""

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


@app.command("regularization-path")
def regularization_path(
    data: Data,
    penalty: Annotated[
        str, typer.Option(help="l2, l1, elastic_net, dropout, or another regularization with a strength.")
    ] = "l2",
    low: Annotated[float | None, typer.Option(help="The weakest penalty (default: the method's own range).")] = None,
    high: Annotated[
        float | None, typer.Option(help="The strongest (default: the method's own range, and on until it hurts).")
    ] = None,
    points: Annotated[int, typer.Option(min=2, help="Strengths from the weakest to the strongest.")] = 9,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the figure, its values and recipe.toml (default: runs/NAME-DATE).")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Test rows, which take no part; without them a fifth is held out.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe file in place of the default rules.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the recipe, such as loss=focal; repeatable.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Parts of a split.")] = 5,
    repeats: Annotated[int, typer.Option(min=1, help="Splits with other parts and seeds.")] = 1,
    budget: Annotated[str, typer.Option(help="Wall-clock time for everything, such as 5m.")] = "10m",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps of each network in place of a budget.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What is scored (default: the recipe's, balanced_accuracy).")
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="Of two classes, the one that precision and recall speak of.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of splits and networks (default: the recipe's, 0).")
    ] = None,
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
    """Draw training and validation score against a penalty's strength, and choose it by one standard error."""
    clock = Clock(seconds_of(budget) if steps is None else None, process_start())
    from rarebird.diagnostics.regularization_path import command
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
    plan = command.Plan(penalty, low, high, points, folds, repeats)
    with progress_bar(quiet or as_json) as report:
        found = command.walk(request, plan, clock, report)
    files = {name: str(request.out / file) for name, file in (("figure", command.FIGURE), ("recipe", folder.RECIPE))}
    if as_json:
        print_json(found.for_machines() | files)
    else:
        typer.echo(
            f"{found.to_text()}\nThe curves are {files['figure']}. Next: rarebird fit {data} --recipe {files['recipe']}"
        )
