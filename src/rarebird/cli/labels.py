"""`label-issues`: which labels the data's own networks do not believe."""

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


@app.command("label-issues")
def label_issues(
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="Folder for label_issues.csv and .html (default: runs/NAME-DATE).")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Test rows, which are left out.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe file in place of the default rules.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the recipe, such as folds=10; repeatable.")
    ] = None,
    budget: Annotated[str, typer.Option(help="Wall-clock time for everything, such as 90s or 5m.")] = "5m",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps of each network in place of a budget.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What the recipe serves; the ranking of labels does not depend on it.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed (default: the recipe's, 0).")] = None,
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
    """List training rows whose given label is improbable by networks that did not train on them."""
    clock = Clock(seconds_of(budget) if steps is None else None, process_start())
    from rarebird.diagnostics.label_issues import command, label_files
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
        seed=seed,
        steps=steps,
        threads=threads,
        device=device,
    )
    label_files.check_folder(request.out)
    with progress_bar(quiet or as_json) as report:
        review = command.review(request, clock, report)
    rows, page = label_files.write(review, request.out)
    if as_json:
        print_json(
            review.found.for_machines() | {"rows": str(rows), "page": str(page), "seconds": round(clock.elapsed(), 2)}
        )
    else:
        typer.echo(f"{review.found.to_text()}\nAll rows: {rows}\nThe page: {page}")
