"""The folder of a run: model, recipe, data and scores first; then what a run can do without: tables, pages, figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rarebird.core.clock import Clock
from rarebird.data.fingerprint import fingerprint
from rarebird.evaluation.cost import Cost
from rarebird.evaluation.result import Result
from rarebird.experiment.run import Outcome
from rarebird.model.files import CARDS
from rarebird.profile.findings import without_rows
from rarebird.report.left_out import why_left_out
from rarebird.report.pages import synthetic_rows
from rarebird.report.pages.explanation import Explanation
from rarebird.report.pages.run import first_screen, write_report
from rarebird.report.verdict import verdict
from rarebird.runs import cards as run_cards
from rarebird.runs import learned_rows, run_explanation, scored_rows
from rarebird.runs.asked import Asked, asked
from rarebird.runs.file_names import DATA, HELD_OUT_ROWS, MODEL, RECIPE, REPORT, RESULT, TEST_ROWS
from rarebird.runs.output_folder import OutputFolder
from rarebird.runs.report_contents import contents_of
from rarebird.runs.request import DataSummary, Request
from rarebird.runs.row_tables import write_scored_table

# All that a run may write.
FILES = (
    *(RESULT, RECIPE, DATA, MODEL, REPORT, TEST_ROWS, HELD_OUT_ROWS),
    *(synthetic_rows.PAGE, run_explanation.FILE, learned_rows.FILE, *scored_rows.FILES, *CARDS),
)
Write = Callable[[Path], object]


def write(
    out: OutputFolder,
    outcome: Outcome,
    data: DataSummary,
    clock: Clock,
    beside: Mapping[str, Write] | None = None,
    request: Request | None = None,
) -> Outcome:
    """Write everything of a run; each file is seen whole or not at all, `RESULT` last.

    What cannot be written of tables and pages is left out with a note: model and scores are there by then.

    Args:
        out: The run's folder, which this process owns.
        outcome: What the run gave.
        data: Fingerprint and profile of the data as they were read.
        clock: Tells how long the run took.
        beside: File name -> writes a file that belongs into the folder, too, at the path that it is given.
        request: What was asked for; None where Python code gave the rows.

    Returns:
        The outcome, whose result names the model, the report and the seconds.
    """
    folder, recipe = out.path, outcome.recipe.to_toml()
    what = Asked() if request is None else asked(request, folder / RECIPE)
    result = outcome.result.with_notes(*out.notes)
    result = result.model_copy(update={"model": str(folder / MODEL), "seconds": round(clock.elapsed(), 2)})
    result = result.model_copy(update={"cost": _cost(result.cost or Cost(), outcome, clock, request)})
    if request is not None and (request.price_per_hour or request.watts) and result.cost is not None:
        result = result.with_notes(result.cost.sentence())
    outcome, result = _with_cards(outcome, result, data, what)
    with out.replacing(last=RESULT) as building:
        outcome.model.save(building / MODEL)
        _write_text(building / RECIPE, recipe)
        _write_text(building / DATA, json.dumps(_about(outcome, data, what), indent=1, ensure_ascii=False))
        _write_text(building / RESULT, result.to_json())
    try:
        extras = dict(beside or {}) | _cards(outcome) | (_row_files(outcome) if what.shows_rows else {})
        return _with_extras(out, replace(outcome, result=result), clock, extras)
    except BaseException as error:
        error.add_note(f"Model, recipe and scores are complete in {folder}.")
        raise


def _with_cards(outcome: Outcome, result: Result, data: DataSummary, what: Asked) -> tuple[Outcome, Result]:
    """The outcome whose model has its cards, and the result; with a note where they cannot be made."""
    profile = data.profile if what.shows_rows else without_rows(data.profile)
    try:
        found = run_cards.cards(outcome.model, result, outcome.recipe, profile, data.fingerprint)
    except Exception as error:
        return outcome, result.with_notes(f"The model card and the data card are left out{why_left_out(error)}.")
    return replace(outcome, model=replace(outcome.model, cards=found)), result


def _cards(outcome: Outcome) -> dict[str, Write]:
    """The cards, which are also beside the model."""
    return {name: partial(_write_card, card) for name, card in outcome.model.cards.items()}


def _write_card(card: str, path: Path) -> None:
    _write_text(path, card)


def _about(outcome: Outcome, data: DataSummary, what: Asked) -> dict[str, Any]:
    """What `DATA` holds: the data, and what was asked for."""
    profile = data.profile if what.shows_rows else without_rows(data.profile)
    test = outcome.splits.test
    return {
        "fingerprint": data.fingerprint,
        "test_fingerprint": None if test is None else fingerprint(test),
        **vars(what),
        "profile": profile.model_dump(mode="json"),
    }


def _row_files(outcome: Outcome) -> dict[str, Write]:
    """The tables of scored rows, and the digests of those that were learned from."""
    pairs = ((TEST_ROWS, outcome.test_rows), (HELD_OUT_ROWS, outcome.held_out_rows))
    tables: dict[str, Write] = {name: partial(write_scored_table, rows) for name, rows in pairs if rows is not None}
    return tables | {learned_rows.FILE: partial(learned_rows.write, outcome.model, outcome.splits)}


def _with_extras(out: OutputFolder, outcome: Outcome, clock: Clock, extras: dict[str, Write]) -> Outcome:
    """Write what a run can do without, and the scores again with notes on what is left out."""
    folder, result, names = out.path, outcome.result, tuple(extras)
    for file, rows in zip(scored_rows.FILES, (outcome.test_rows, outcome.held_out_rows), strict=True):
        if rows is not None:
            extras[file] = partial(scored_rows.write, rows)
    with out.replacing() as building:
        notes = [why for name, one in extras.items() for why in _attempt(building / name, one)]
        result = _after(result.with_notes(*notes), clock).model_copy(update={"report": str(folder / REPORT)})
        _explain(outcome, clock, building / run_explanation.FILE, TEST_ROWS in extras or HELD_OUT_ROWS in extras)
        recipe = outcome.recipe.to_toml()
        why = _attempt(building / REPORT, lambda path: _write_page(folder, result, recipe, path))
        result = _after(result, clock)
        if why:
            result = result.with_notes(*why).model_copy(update={"report": ""})
        _write_text(building / RESULT, result.to_json())
        written = {path.name for path in building.iterdir()}
    # Until here, a search whose process is killed can be resumed, and writes what is missing.
    out.finished()
    out.remove(name for name in (*FILES, *names) if name not in written | {MODEL, RECIPE, DATA})
    report = folder / REPORT if result.report else None
    return replace(outcome, result=result, report=report, first_screen=None if report is None else _screen(result))


def _write_page(folder: Path, result: Result, recipe: str, path: Path) -> None:
    """Write the report, with what is new beside it."""
    write_report(path, replace(contents_of(folder, result, recipe), folder=path.parent))


def _explain(outcome: Outcome, clock: Clock, path: Path, shows_rows: bool) -> None:
    """Write the explanations, which the report shows; one that says why there are none, if that fails."""
    try:
        section = run_explanation.explanation_of_run(outcome, clock)
    except Exception as error:
        note, result = f"Explanations are left out{why_left_out(error)}.", outcome.result
        section = Explanation(name=result.name, kind=result.kind, output="", methods=(), notes=(note,))
    if section is not None:
        run_explanation.write(section if shows_rows else section.without_rows(), path)


def _attempt(path: Path, write: Write) -> list[str]:
    """Write a file that a run can do without; a sentence if that fails, for whatever reason."""
    try:
        write(path)
    except Exception as error:
        path.unlink(missing_ok=True)
        return [f"{path.name} could not be written{why_left_out(error)}. Model, recipe and scores are complete."]
    return []


def _cost(cost: Cost, outcome: Outcome, clock: Clock, request: Request | None) -> Cost:
    """The cost so far; only the report and the page are still to be written."""
    if request is not None:
        cost = cost.model_copy(update={"price_per_hour": request.price_per_hour, "watts": request.watts})
    gpus = cost.processes if outcome.model.device.startswith("cuda") else 0
    return cost.after(clock.elapsed(), clock.cpu_elapsed(), gpus)


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
