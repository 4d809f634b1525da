"""Commands that train: `fit`, and what is looked at before it, `preview` and `learning-rate`."""

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
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock, process_start, seconds_of


@app.command()
def fit(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Folder of the run (default: runs/NAME-DATE).")] = None,
    test: Annotated[Path | None, typer.Option(help="Test rows; without them a fifth is held out.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A recipe file: it is trained as it is, and nothing is searched.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KEY=VALUE of the default recipe, such as loss=focal, which is then trained alone; repeatable.",
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What search and decisions serve (default: balanced_accuracy).")
    ] = None,
    references: Annotated[
        bool, typer.Option(help="Whether boosted trees and random kernels compete with the networks.")
    ] = True,
    single: Annotated[bool, typer.Option("--single", help="Distil what the search found to one network.")] = False,
    budget: Annotated[str, typer.Option(help="Wall-clock time for everything, such as 90s or 5m.")] = "5m",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the search in --out, which was killed, for another budget.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes of this machine in which recipes train at once.")] = 1,
    cluster: Annotated[str | None, typer.Option(help="A Ray cluster for them instead: auto, or HOST:PORT.")] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Optimizer steps of each network in place of a budget; nothing is then searched."),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(help="Of two classes, the one that precision and recall speak of (default: the rarer)."),
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
    """Search, train, calibrate, decide, test and report: a path in, a model out."""
    clock = Clock(seconds_of(budget), process_start())
    from rarebird.automl import command
    from rarebird.executors.workers import Workers
    from rarebird.runs import folder as run_folder
    from rarebird.runs import request as fitting

    request = fitting.Request(
        data=data,
        out=out or run_folder.default_folder(data.stem),
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
    searches = command.is_asked_for(request)
    for name, given in (
        ("--single", single),
        ("--resume", resume),
        ("--workers", workers > 1),
        ("--cluster", cluster is not None),
    ):
        if given and not searches:
            raise DataError(
                f"{name} belongs to a search; leave out --recipe, --steps and --set with choices of the recipe."
            )
    if resume and out is None:
        raise DataError("--resume needs the folder of the search; give it with --out.")
    with progress_bar(quiet or as_json) as report:
        if searches:
            where = Workers(workers, cluster)
            outcome = command.fit(
                request, clock, report, references=references, single=single, resume=resume, workers=where
            )
        else:
            outcome = fitting.fit(request, clock, report)
    if as_json:
        print_json(outcome.result.for_machines())
    else:
        from rarebird.report.terminal import summary

        typer.echo(summary(outcome.result))


@app.command()
def preview(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Folder for preview.html (default: runs/NAME-DATE).")] = None,
    test: Annotated[
        Path | None, typer.Option(help="Test rows, which are never shown; without them a fifth is held out.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe file in place of the default rules.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE, such as augmentation=[mixup,noise]; repeatable.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many training rows.")] = 8,
    views: Annotated[int, typer.Option(min=1, help="How many augmented versions of each.")] = 4,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed (default: the recipe's, 0).")] = None,
    target: Target = None,
    kind: Kind = None,
    task: Task = None,
    groups: Groups = None,
    groups_pattern: Pattern = None,
    weight: Weight = None,
    time: Time = None,
) -> None:
    """Show training rows before and after augmentation and resampling, so that a person can judge them."""
    from rarebird.diagnostics import preview as page
    from rarebird.runs import folder as run_folder
    from rarebird.runs import request as fitting

    folder = out or run_folder.default_folder(data.stem)
    options = read_options(target, kind, task, groups, groups_pattern, weight, time)
    request = fitting.Request(data, folder, test, options, recipe, tuple(settings or ()), seed=seed)
    typer.echo(page.write(*fitting.opened(request), folder, rows, views))


@app.command("learning-rate")
def learning_rate(
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the curve and its values (default: runs/NAME-DATE).")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Test rows, which take no part; without them a fifth is held out.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe file in place of the default rules.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the recipe, such as optimizer=sgd; repeatable.")
    ] = None,
    steps: Annotated[int, typer.Option(min=20, help="Steps from the lowest rate to the highest.")] = 200,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed (default: the recipe's, 0).")] = None,
    target: Target = None,
    kind: Kind = None,
    task: Task = None,
    groups: Groups = None,
    groups_pattern: Pattern = None,
    weight: Weight = None,
    time: Time = None,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Propose a learning rate: train some steps at ever higher ones, and see where the loss falls and where it
    bursts."""
    from rarebird.diagnostics import learning_rate as rate_range
    from rarebird.runs import folder as run_folder
    from rarebird.runs import request as fitting

    folder = out or run_folder.default_folder(data.stem)
    options = read_options(target, kind, task, groups, groups_pattern, weight, time)
    request = fitting.Request(data, folder, test, options, recipe, tuple(settings or ()), seed=seed)
    chosen, rows = fitting.opened(request)
    with progress_bar(quiet or as_json) as report:
        found = rate_range.find(chosen, rows, steps=steps, device=device, report=report)
    values, figure = found.write(folder)
    if as_json:
        print_json(found.for_machines() | {"values": str(values), "figure": str(figure)})
    else:
        typer.echo(
            f"Learning rate of {found.optimizer}: {found.proposed:.2g} (least loss at {found.minimum:.2g}). The curve is {figure}."
        )
