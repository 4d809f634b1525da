"""The report of a finished run, made again from its folder without training."""

from __future__ import annotations

from pathlib import Path

from rarebird.report.pages.run import write_report
from rarebird.report.verdict import verdict
from rarebird.runs.file_names import RECIPE, REPORT
from rarebird.runs.output_folder import owned_folder
from rarebird.runs.report_contents import contents_of, read_result, without_single_rows
from rarebird.runs.request import Request


def report(run: Path, no_rows: bool = False) -> Path:
    """Write ``report.html`` of a run again.

    Args:
        run: The run's folder.
        no_rows: Leave single rows out of the page; a run that was asked to leave them out stays without them.

    Returns:
        The path of the page.

    Raises:
        DataError: The folder holds no finished run.
    """
    result = read_result(run)
    result = result.model_copy(update={"verdict": tuple(verdict(result))})
    with owned_folder(Request(run, run, force=True), (REPORT,)) as out, out.replacing() as building:
        contents = contents_of(run, result, (run / RECIPE).read_text(encoding="utf-8"))
        contents = without_single_rows(contents) if no_rows else contents
        write_report(building / REPORT, contents)
    return run / REPORT
