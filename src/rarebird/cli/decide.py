"""The command `decide`: another decision for a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rarebird.cli.options import AsJson, Lang, app
from rarebird.cli.terminal import Output

RunPath = Annotated[Path, typer.Argument(help="Folder of a run, as `fit` wrote it.")]


@app.command("decide")
def decide(
    run: RunPath,
    decision: Annotated[
        str | None, typer.Option(help="argmax, balanced, threshold, cost, constrained or abstain (rarebird list).")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Settings of the decision, such as decision.precision=0.3; repeatable."),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The metric that labels serve (default: the run's).")] = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Fit another decision to the held-out rows that a run keeps, without training, and rewrite its model, scores,
    tables and report."""
    from rarebird.report.terminal import summary
    from rarebird.runs.decide import decide as decide_anew

    named = [] if decision is None else [f"decision={decision}"]
    found = decide_anew(run, [*named, *(settings or ())], metric)
    Output(as_json).show(found.result.for_machines, lambda: summary(found.result))
