"""The folder of a run: data.json, recipe.toml, model/, result.json, report.html and the scored rows, written beside its
place and then renamed into it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rarebird.core.atomic_files import whole_folder
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.evaluation.result import Result
from rarebird.experiment.run import Outcome
from rarebird.report.pages.run import first_screen, write_report
from rarebird.report.profile_text import to_text
from rarebird.report.verdict import verdict
from rarebird.runs.request import DataSummary
from rarebird.runs.row_tables import write_scored_table

RECIPE, RESULT, REPORT, DATA, MODEL = "recipe.toml", "result.json", "report.html", "data.json", "model"
TEST_ROWS, HELD_OUT_ROWS = "test_predictions.csv", "held_out_predictions.csv"


def default_folder(name: str) -> Path:
    """``runs/NAME-DATE``."""
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def check_free(folder: Path, kept: Sequence[str] = ()) -> None:
    """Check that the folder can be written: it does not exist, is empty but for `kept` files, or is an earlier run,
    which will be replaced.

    Raises:
        DataError: It holds something else, is a file, or cannot be made where it is asked for.
    """
    place = folder.resolve()
    if place in (Path.cwd(), *Path.cwd().parents):
        raise DataError(
            f"{folder} holds the working folder, which a run cannot replace; give another folder with --out."
        )
    existing = next(path for path in (place, *place.parents) if os.path.lexists(path))
    if not existing.is_dir():
        raise DataError(f"{existing} is a file; give a folder for the run with --out.")
    if place.is_dir() and any(path.name not in kept for path in place.iterdir()) and not _is_run(place):
        raise DataError(f"{folder} exists and is not a run of rarebird; give another folder with --out.")
    home = place.parent if existing == place else existing
    if not os.access(home, os.W_OK | os.X_OK):
        raise DataError(f"Nothing can be written in {home}; give another folder with --out.")


def write(
    folder: Path,
    outcome: Outcome,
    data: DataSummary,
    clock: Clock,
    kept: Sequence[str] = (),
    beside: Callable[[Path], object] = lambda building: None,
) -> Outcome:
    """Write everything of a run; nothing half-written is ever seen under the folder's own name.

    Args:
        folder: The run's folder.
        outcome: What the run gave.
        data: Fingerprint and profile of the data as they were read.
        clock: Tells how long the run took.
        kept: Names of files that may be in the folder already; they stay as they are.
        beside: Writes what else belongs into the folder, while it still has its temporary name.

    Returns:
        The outcome, whose result names the model, the report and the seconds.

    Raises:
        DataError: Something else was put into the folder meanwhile.
    """
    recipe, profile = outcome.recipe.to_toml(), data.profile.model_dump(mode="json")
    result = outcome.result.model_copy(update={"model": str(folder / MODEL), "report": str(folder / REPORT)})
    with whole_folder(folder) as building:
        outcome.model.save(building / MODEL)
        _write_text(building / RECIPE, recipe)
        beside(building)
        about = {"fingerprint": data.fingerprint, "profile": profile}
        _write_text(building / DATA, json.dumps(about, indent=1, ensure_ascii=False))
        for name, rows in ((TEST_ROWS, outcome.test_rows), (HELD_OUT_ROWS, outcome.held_out_rows)):
            if rows is not None:
                write_scored_table(rows, building / name)
        result = _after(result, clock)
        write_report(building / REPORT, result, recipe, to_text(data.profile), profile)
        result = _after(result, clock)
        _write_text(building / RESULT, result.to_json())
        check_free(folder, kept)
        for name in kept:
            if (folder / name).is_file():
                shutil.copy2(folder / name, building / name)
    return replace(outcome, result=result, report=folder / REPORT, first_screen=first_screen(result))


def _after(result: Result, clock: Clock) -> Result:
    """The result with the seconds so far, and the verdict, which may name a longer budget."""
    timed = result.model_copy(update={"seconds": round(clock.elapsed(), 2)})
    return timed.model_copy(update={"verdict": tuple(verdict(timed))})


def _is_run(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (RESULT, RECIPE, DATA)) and (folder / MODEL).is_dir()


def _write_text(path: Path, text: str) -> None:
    # A file name that is no Unicode gives lone surrogates; their escapes are fine in JSON.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
