"""Commands that use a saved model: `predict` and `evaluate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rarebird.cli.options import (
    AsJson,
    Data,
    Device,
    Groups,
    Kind,
    ModelPath,
    Pattern,
    Target,
    Threads,
    Weight,
    app,
    read_options,
)
from rarebird.cli.terminal import print_json


@app.command()
def predict(
    model: ModelPath,
    data: Data,
    out: Annotated[Path | None, typer.Option(help="CSV file to write (default: print).")] = None,
    kind: Kind = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write the label and the probability per class of each row, as CSV; of the test rows where the data come split."""
    from rarebird.runs import predict as prediction

    loaded = prediction.load(model, device, threads)
    rows = prediction.judged(prediction.read(loaded, data, kind, labelled=False))
    table = prediction.predicted(loaded, rows)
    if out is None:
        sys.stdout.write(table.to_csv(index=False))
    else:
        prediction.write(table, out)


@app.command()
def evaluate(
    model: ModelPath,
    data: Data,
    target: Target = None,
    kind: Kind = None,
    groups: Groups = None,
    groups_pattern: Pattern = None,
    weight: Weight = None,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Score a model on labelled rows, with intervals; on the test rows where the data come split."""
    from dataclasses import replace

    from rarebird.report.terminal import score_table
    from rarebird.runs import predict as prediction

    loaded = prediction.load(model, device, threads)
    options = replace(read_options(target, kind, None, groups, groups_pattern, weight, None), role="test rows")
    found = prediction.evaluated(loaded, prediction.read(loaded, data, kind, labelled=True, options=options))
    if as_json:
        print_json(found.for_machines())
    else:
        typer.echo(score_table(found.scores))
