"""The command `synthesize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rarebird.cli.options import After, Budget, app, shared_options
from rarebird.cli.terminal import Output, say
from rarebird.core.clock import Clock, process_start, seconds_of

if TYPE_CHECKING:
    from rarebird.runs.request import Request

REJECTED = 3


@app.command("synthesize")
@shared_options(
    settings="KEY=VALUE, such as synthesis.steps=200; repeatable.",
    seed="Seed of the generator and the gate (default: 0).",
    force="Replace an earlier file at --out.",
)
def synthesize(
    request: Request,
    output: Output,
    label: Annotated[str, typer.Option("--class", help="The class of which rows are made."), After("data")],
    rows: Annotated[int, typer.Option(min=1, help="How many rows.")] = 100,
    method: Annotated[
        str,
        typer.Option(help="A method of the slot synthesis, smote, or auto: the one with the best verdict."),
    ] = "auto",
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, or folder of pictures (default: DATA-CLASS-synthetic, in this folder)."),
    ] = None,
    generator: Annotated[
        Path | None,
        typer.Option(help="Folder of the fitted generator: written, or, if one is there, drawn from without learning."),
    ] = None,
    budget: Budget = "2m",
) -> None:
    """Make new rows of a class, and ask the gate whether they are like real rows that the generator never saw.

    Beside the rows, a page shows each with its nearest training row and the gate's figures. If the gate rejects the
    rows, `rejected` is in the file's name, and the exit code is 3."""
    clock = Clock(seconds_of(budget), process_start())
    from rarebird.runs import new_rows_files
    from rarebird.runs.synthesize import Asked, synthesize

    asked = Asked(label, rows, method, out, generator)
    if out is not None:
        new_rows_files.check_place(out, request.force)
    with output.progress_bar() as progress:
        found = synthesize(request, asked, clock, progress)
    files, notes = new_rows_files.write(found, asked, request)
    output.show(
        lambda: found.for_machines() | files | {"seconds": round(clock.elapsed(), 2)},
        lambda: "\n".join(
            [found.sentence(), *(f"Note: {note}" for note in (*found.notes, *notes)), *map(_named, files.items())]
        ),
    )
    if not found.verdict.passes:
        if not output.as_json:
            say("The gate rejects these rows; do not train on them without a look at the page.")
        raise typer.Exit(REJECTED)


def _named(file: tuple[str, str]) -> str:
    return f"The {file[0]}: {file[1]}"
