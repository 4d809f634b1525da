"""`compare`: which remedies help on these data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rarebird.cli.options import USUAL, After, Budget, app, shared_options
from rarebird.cli.terminal import Output
from rarebird.core.clock import Clock, process_start, seconds_of

if TYPE_CHECKING:
    from rarebird.runs.request import Request


@app.command("compare")
@shared_options(
    out="Folder for compare.html and compare.json (default: runs/NAME-DATE).",
    test=USUAL,
    recipe="The baseline (default: the default rules, with plain cross entropy and no remedy).",
    settings="KEY=VALUE of the baseline; repeatable.",
    steps=USUAL,
    metric="The metric to compare (default: the recipe's, balanced_accuracy).",
    positive=USUAL,
    seed="Seed of splits and networks.",
    keep_copies=USUAL,
    external=USUAL,
    label_map=USUAL,
    pool=USUAL,
    defaults={"seed": 0},
)
def compare(
    request: Request,
    output: Output,
    remedies: Annotated[
        str, typer.Option(help="all that apply, or names: focal,smote+focal,augmentation=mixup."), After("out")
    ] = "all",
    folds: Annotated[int, typer.Option(min=2, help="Folds of each split."), After("settings")] = 5,
    repeats: Annotated[
        int,
        typer.Option(
            min=1, help="Splits, each with other folds and seeds; the best combination is scored on as many new ones."
        ),
    ] = 3,
    budget: Budget = "10m",
) -> None:
    """Each remedy beside the same baseline on the same splits: which helps, which hurts, and where rows are too few to
    tell."""
    clock = Clock(seconds_of(budget) if request.steps is None else None, process_start())
    from rarebird.comparison import command

    with output.progress_bar() as progress:
        found = command.compare(request, remedies, folds, repeats, clock, progress)
    output.show(found.for_machines, found.to_text)
