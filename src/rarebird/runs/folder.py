"""The folder of a run: model, recipe, data and scores first; then what a run can do without: tables, pages, figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from rarebird.core.clock import Clock
from rarebird.evaluation.result import Result
from rarebird.experiment.run import Outcome
from rarebird.model.files import CARDS
from rarebird.report.left_out import why_left_out
from rarebird.report.pages import synthetic_rows
from rarebird.report.pages.explanation import Explanation
from rarebird.report.pages.run import first_screen, write_report
from rarebird.report.profile_text import to_text
from rarebird.report.verdict import verdict
from rarebird.runs import cards as run_cards
from rarebird.runs import run_explanation, scored_rows
from rarebird.runs.output_folder import OutputFolder
from rarebird.runs.request import DataSummary
from rarebird.runs.row_tables import write_scored_table

RECIPE, RESULT, REPORT, DATA, MODEL = "recipe.toml", "result.json", "report.html", "data.json", "model"
TEST_ROWS, HELD_OUT_ROWS = "test_predictions.csv", "held_out_predictions.csv"
# All that a run may write.
FILES = (
    *(RESULT, RECIPE, DATA, MODEL, REPORT, TEST_ROWS, HELD_OUT_ROWS),
    *(synthetic_rows.PAGE, run_explanation.FILE, *scored_rows.FILES, *CARDS),
)
Write = Callable[[Path], object]


def write(
    out: OutputFolder,
    outcome: Outcome,
    data: DataSummary,
    clock: Clock,
    beside: Mapping[str, Write] | None = None,
) -> Outcome:
    """Write everything of a run; each file is seen whole or not at all, `RESULT` last.

    What cannot be written of tables and pages is left out with a note: model and scores are there by then.

    Args:
        out: The run's folder, which this process owns.
        outcome: What the run gave.
        data: Fingerprint and profile of the data as they were read.
        clock: Tells how long the run took.
        beside: File name -> writes a file that belongs into the folder, too, at the path that it is given.

    Returns:
        The outcome, whose result names the model, the report and the seconds.
    """
    folder, recipe, profile = out.path, outcome.recipe.to_toml(), data.profile.model_dump(mode="json")
    result = outcome.result.with_notes(*out.notes)
    result = result.model_copy(update={"model": str(folder / MODEL), "seconds": round(clock.elapsed(), 2)})
    outcome, result = _with_cards(outcome, result, data)
    with out.replacing(last=RESULT) as building:
        outcome.model.save(building / MODEL)
        _write_text(building / RECIPE, recipe)
        about = {"fingerprint": data.fingerprint, "profile": profile}
        _write_text(building / DATA, json.dumps(about, indent=1, ensure_ascii=False))
        _write_text(building / RESULT, result.to_json())
    try:
        return _with_extras(out, replace(outcome, result=result), data, clock, dict(beside or {}))
    except BaseException as error:
        error.add_note(f"Model, recipe and scores are complete in {folder}.")
        raise


def _with_cards(outcome: Outcome, result: Result, data: DataSummary) -> tuple[Outcome, Result]:
    """The outcome whose model has its cards, and the result; with a note where they cannot be made."""
    try:
        found = run_cards.cards(outcome.model, result, outcome.recipe, data.profile, data.fingerprint)
    except Exception as error:
        return outcome, result.with_notes(f"The model card and the data card are left out{why_left_out(error)}.")
    return replace(outcome, model=replace(outcome.model, cards=found)), result


def _with_extras(
    out: OutputFolder, outcome: Outcome, data: DataSummary, clock: Clock, beside: dict[str, Write]
) -> Outcome:
    """Write what a run can do without, and the scores again with notes on what is left out."""
    folder, extras, result = out.path, dict(beside), outcome.result
    for name, card in outcome.model.cards.items():
        extras[name] = lambda path, card=card: _write_text(path, card)  # type: ignore[misc]
    tables = (TEST_ROWS, HELD_OUT_ROWS)
    for name, file, rows in zip(tables, scored_rows.FILES, (outcome.test_rows, outcome.held_out_rows), strict=True):
        if rows is not None:
            extras[name] = lambda path, rows=rows: write_scored_table(rows, path)  # type: ignore[misc]
            extras[file] = lambda path, rows=rows: scored_rows.write(rows, path)  # type: ignore[misc]
    with out.replacing() as building:
        notes = [why for name, one in extras.items() for why in _attempt(building / name, one)]
        result = _after(result.with_notes(*notes), clock).model_copy(update={"report": str(folder / REPORT)})
        text = to_text(data.profile)
        recipe, profile = outcome.recipe.to_toml(), data.profile.model_dump(mode="json")
        section = _explanation(outcome, clock, building / run_explanation.FILE)
        why = _attempt(building / REPORT, lambda path: write_report(path, result, recipe, text, profile, section))
        result = _after(result, clock)
        if why:
            result = result.with_notes(*why).model_copy(update={"report": ""})
        _write_text(building / RESULT, result.to_json())
        written = {path.name for path in building.iterdir()}
    # Until here, a search whose process is killed can be resumed, and writes what is missing.
    out.finished()
    out.remove(name for name in (*FILES, *beside) if name not in written | {MODEL, RECIPE, DATA})
    report = folder / REPORT if result.report else None
    return replace(outcome, result=result, report=report, first_screen=None if report is None else _screen(result))


def _explanation(outcome: Outcome, clock: Clock, path: Path) -> Explanation | None:
    """The report's explanations, which are also written as a file; one that says why there are none, if that fails."""
    try:
        section = run_explanation.explanation_of_run(outcome, clock)
        if section is not None:
            run_explanation.write(section, path)
        return section
    except Exception as error:
        note = f"Explanations are left out{why_left_out(error)}."
        result = outcome.result
        return Explanation(name=result.name, kind=result.kind, output="", methods=(), notes=(note,))


def _attempt(path: Path, write: Write) -> list[str]:
    """Write a file that a run can do without; a sentence if that fails, for whatever reason."""
    try:
        write(path)
    except Exception as error:
        path.unlink(missing_ok=True)
        return [f"{path.name} could not be written{why_left_out(error)}. Model, recipe and scores are complete."]
    return []


def _after(result: Result, clock: Clock) -> Result:
    """The result with the seconds so far, and the verdict, which may name a longer budget."""
    timed = result.model_copy(update={"seconds": round(clock.elapsed(), 2)})
    try:
        return timed.model_copy(update={"verdict": tuple(verdict(timed))})
    except Exception as error:
        return timed.with_notes(f"The verdict is left out{why_left_out(error)}.")


def _screen(result: Result) -> str | None:
    try:
        return first_screen(result)
    except Exception:  # the page tells why; a notebook shows the outcome's plain form
        return None


def _write_text(path: Path, text: str) -> None:
    # A file name that is no Unicode gives lone surrogates; their escapes are fine in JSON.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
