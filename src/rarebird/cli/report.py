"""The commands `report` and `compare-runs`: pages on finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rarebird.cli.decide import RunPath
from rarebird.cli.options import AsJson, Lang, NoRows, app
from rarebird.cli.terminal import Output

PAGE = Path("compare_runs.html")


@app.command("report")
def report(run: RunPath, no_rows: NoRows = False, as_json: AsJson = False, lang: Lang = None) -> None:
    """Write the report of a run again from its folder, without training: after an update, or without single rows."""
    from rarebird.runs.report import report as write_again

    page = write_again(run, no_rows)
    Output(as_json).show(lambda: {"report": str(page), "rows": not no_rows}, lambda: f"Report: {page}")


@app.command("compare-runs")
def compare_runs(
    runs: Annotated[list[Path], typer.Argument(help="Folders of two runs or more; each is compared with the first.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = PAGE,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier page at --out.")] = False,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Put finished runs side by side, without training: figures with intervals, paired where they were tested on the
    same rows, and what differs between their recipes."""
    from rarebird.comparison.finished_runs import compare_runs as compare

    found = compare(runs, out, force)
    Output(as_json).show(
        lambda: found.for_machines() | {"page": str(out)}, lambda: f"{found.to_text()}\nThe page: {out}"
    )
