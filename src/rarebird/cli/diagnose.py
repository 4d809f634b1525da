"""Commands that look into data and recipes: `preview`, `learning-rate`, `regularization-path`, `label-issues` and
`next`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rarebird.cli.options import USUAL, After, Budget, app, shared_options
from rarebird.cli.terminal import Output, say
from rarebird.core.clock import Clock, process_start, seconds_of

if TYPE_CHECKING:
    from rarebird.runs.request import Request


@app.command("preview")
@shared_options(
    out="Folder for preview.html (default: runs/NAME-DATE).",
    test="Test rows, which are never shown; without them a fifth is held out.",
    recipe=USUAL,
    settings="KEY=VALUE, such as augmentation=[mixup,noise]; repeatable.",
    seed=USUAL,
    running=(),
)
def preview(
    request: Request,
    rows: Annotated[int, typer.Option(min=1, help="How many training rows.")] = 8,
    views: Annotated[int, typer.Option(min=1, help="How many augmented versions of each.")] = 4,
) -> None:
    """Show training rows before and after augmentation and resampling, so that a person can judge them."""
    from rarebird.diagnostics import preview as page
    from rarebird.runs.output_folder import owned_folder
    from rarebird.runs.request import read_recipe_and_data

    with owned_folder(request, page.FILES) as out:
        recipe, data = read_recipe_and_data(request)
        say(str(page.write(recipe, data, out, rows, views)), err=False)


@app.command("learning-rate")
@shared_options(
    out="Folder for the curve and its values (default: runs/NAME-DATE).",
    test=USUAL,
    recipe=USUAL,
    settings="KEY=VALUE of the recipe, such as optimizer=sgd; repeatable.",
    seed=USUAL,
    keep_copies=USUAL,
    running=("device", "as_json", "quiet"),
)
def learning_rate(
    request: Request,
    output: Output,
    steps: Annotated[int, typer.Option(min=20, help="Steps from the lowest rate to the highest.")] = 200,
) -> None:
    """Propose a learning rate: train some steps at higher and higher rates, and see where the loss falls and where it
    diverges."""
    from dataclasses import replace

    from rarebird.diagnostics import learning_rate as rates
    from rarebird.runs.output_folder import owned_folder
    from rarebird.runs.request import read_recipe_and_data

    with output.progress_bar() as progress, owned_folder(request, rates.FILES) as out:
        recipe, data = read_recipe_and_data(request)
        found = rates.find(
            recipe, data, steps=steps, device=request.device, progress=progress, keep_copies=request.keep_copies
        )
        found = replace(found, notes=(*found.notes, *found.write(out)))
    files = {"values": str(out.path / rates.VALUES), "figure": str(out.path / rates.CURVE)}
    output.show(
        lambda: found.for_machines() | files,
        lambda: f"{found.to_text()}\nThe curve is {files['figure']}.",
    )


@app.command("regularization-path")
@shared_options(
    out="Folder for the figure, its values and recipe.toml (default: runs/NAME-DATE).",
    test=USUAL,
    recipe=USUAL,
    settings="KEY=VALUE of the recipe, such as loss=focal; repeatable.",
    steps=USUAL,
    metric="The metric to score (default: the recipe's, balanced_accuracy).",
    positive=USUAL,
    seed="Seed of splits and networks (default: the recipe's, 0).",
    keep_copies=USUAL,
)
def regularization_path(
    request: Request,
    output: Output,
    penalty: Annotated[
        str,
        typer.Option(help="l2, l1, elastic_net, dropout, or another regularization with a strength."),
        After("data"),
    ] = "l2",
    low: Annotated[float | None, typer.Option(help="The weakest strength (default: the method's own range).")] = None,
    high: Annotated[
        float | None,
        typer.Option(help="The strongest (default: the method's own range, and beyond it until the score suffers)."),
    ] = None,
    points: Annotated[int, typer.Option(min=2, help="Strengths from the weakest to the strongest.")] = 9,
    folds: Annotated[int, typer.Option(min=2, help="Folds of each split."), After("settings")] = 5,
    repeats: Annotated[int, typer.Option(min=1, help="Splits, each with other folds and seeds.")] = 1,
    budget: Budget = "10m",
) -> None:
    """Draw training and validation score against a penalty's strength, and choose it by one standard error."""
    clock = Clock(seconds_of(budget) if request.steps is None else None, process_start())
    from rarebird.diagnostics.regularization_path import command
    from rarebird.runs import file_names

    path = command.PathRequest(penalty, low, high, points, folds, repeats)
    with output.progress_bar() as progress:
        found, out = command.run(request, path, clock, progress)
    files = {name: str(out / file) for name, file in (("figure", command.FIGURE), ("recipe", file_names.RECIPE))}
    output.show(
        lambda: found.for_machines() | files,
        lambda: (
            f"{found.to_text()}\nThe curves are {files['figure']}. "
            f"Next: rarebird fit {request.data} --recipe {files['recipe']}"
        ),
    )


@app.command("label-issues")
@shared_options(
    out="Folder for label_issues.csv and .html (default: runs/NAME-DATE).",
    test="Test rows, which are left out.",
    recipe=USUAL,
    settings="KEY=VALUE of the recipe, such as folds=10; repeatable.",
    steps=USUAL,
    metric="The metric that the recipe optimizes; the ranking of labels does not depend on it.",
    seed=USUAL,
)
def label_issues(request: Request, output: Output, budget: Budget = "5m") -> None:
    """List training rows whose label is improbable according to networks that were not trained on them."""
    clock = Clock(seconds_of(budget) if request.steps is None else None, process_start())
    from rarebird.diagnostics.label_issues import command
    from rarebird.report.pages.label_issues import PAGE
    from rarebird.runs.output_folder import owned_folder

    with output.progress_bar() as progress, owned_folder(request, command.FILES) as out:
        review = command.review(request, clock, progress)
        review = command.write(review, out)
    files = {"rows": str(out.path / command.ROWS), "page": str(out.path / PAGE)}
    output.show(
        lambda: review.found.for_machines() | files | {"seconds": round(clock.elapsed(), 2)},
        lambda: f"{review.found.to_text()}\nAll rows: {files['rows']}\nThe page: {files['page']}",
    )


@app.command("next")
@shared_options(
    out="Folder for next_rows.csv and .html (default: runs/NAME-DATE).",
    test="Test rows, which are left out.",
    recipe=USUAL,
    settings="KEY=VALUE of the recipe, such as reference=boosted_trees; repeatable.",
    steps=USUAL,
    metric="The metric that the recipe optimizes.",
    seed=USUAL,
)
def next_rows(
    request: Request,
    output: Output,
    unlabeled: Annotated[
        Path, typer.Option(help="Rows without labels to choose from, in the form of the labeled ones."), After("data")
    ],
    rows: Annotated[int, typer.Option("--n", "-n", min=1, help="How many rows to choose."), After("data")] = 50,
    budget: Budget = "5m",
) -> None:
    """Choose which unlabeled rows an expert should label next, and say how many more rows of which class would help."""
    clock = Clock(seconds_of(budget) if request.steps is None else None, process_start())
    from rarebird.diagnostics.next_rows import command
    from rarebird.runs.output_folder import owned_folder

    with output.progress_bar() as progress, owned_folder(request, command.FILES) as out:
        found = command.suggest(request, unlabeled, rows, clock, progress)
        found = command.write(found, out)
    files = {"file": str(out.path / command.ROWS), "page": str(out.path / command.PAGE)}
    output.show(
        lambda: found.for_machines() | files | {"seconds": round(clock.elapsed(), 2)},
        lambda: f"{found.to_text()}\nAll rows: {files['file']}\nThe page: {files['page']}",
    )
