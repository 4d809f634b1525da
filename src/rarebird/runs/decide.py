"""Another decision for a finished run: fitted to the held-out rows that its model keeps, without training."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.printable import printable, safe_cell
from rarebird.data.row_counts import class_factors
from rarebird.evaluation import held_out
from rarebird.evaluation.cut_off import cut_off
from rarebird.evaluation.decision_scores import decision_summary
from rarebird.evaluation.result import Result, Scores
from rarebird.evaluation.uncalibrated import CURVE
from rarebird.metrics import names
from rarebird.model import model as saved_model
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.model import Model
from rarebird.profile.facts import Profile
from rarebird.report.pages.run import write_report
from rarebird.report.verdict import verdict
from rarebird.runs import folder, scored_rows
from rarebird.runs.cards import cards
from rarebird.runs.file_names import HELD_OUT_ROWS, MODEL, RECIPE, REPORT, RESULT, TEST_ROWS
from rarebird.runs.output_folder import owned_folder
from rarebird.runs.report_contents import contents_of, read_about, read_result
from rarebird.runs.request import Request


@dataclass(frozen=True)
class Decided:
    """A run with another decision.

    Attributes:
        model: The run's model, which decides anew.
        result: The run's result, with the labels scored again.
    """

    model: Model
    result: Result


def decide(run: Path, settings: Sequence[str], metric: str | None = None) -> Decided:
    """Fit another decision to a run's held-out rows, and rewrite its model, recipe, scores, tables and report.

    Args:
        run: The run's folder.
        settings: Assignments as after ``--set``, of the decision alone: ``decision=cost``, ``decision.costs={...}``.
        metric: The metric that the run is judged by, and that a decision without a goal of its own serves; None: the
            run's.

    Raises:
        DataError: The folder holds no such run, or the decision does not fit its classes.
    """
    if not (run / RESULT).is_file() or not (run / MODEL).is_dir():
        raise DataError(f"{run} is no run of `rarebird fit`; give the folder that it wrote.")
    for setting in settings:
        if setting.partition("=")[0].strip().partition(".")[0] != "decision":
            raise DataError(f"Only the decision of a run can be changed, but got {setting!r}; train for anything else.")
    with owned_folder(Request(run, run, force=True), folder.FILES) as out:
        decided = _decided(run, settings, metric)
        with out.replacing(last=RESULT) as building:
            _write(decided, run, building)
    return decided


def _decided(run: Path, settings: Sequence[str], metric: str | None) -> Decided:
    """The run's model and result with the other decision."""
    model, result = saved_model.load(run), read_result(run)
    if model.decision is None:
        raise DataError(f"{run} predicts a number, for which nothing is decided; decisions are for classes.")
    if model.held_out is None:
        raise DataError(f"{run} was written by a version that kept no held-out rows; train it again.")
    recipe = model.recipe.with_settings(list(settings))
    if metric is not None:
        names.metric_for_task(metric, "classification", model.classes)
        recipe = recipe.updated(metric=metric)
    if getattr(recipe.decision, "column", None) is not None:
        raise DataError(
            "Costs of each row need the rows themselves, which a run does not keep; train with --cost-column."
        )
    decision = held_out.decide(recipe, model.held_out, model.prior, model.classes, model.positive)
    model = replace(model, recipe=recipe, decision=decision)
    test, validation = (scored_rows.read(run / name, len(model.classes)) for name in scored_rows.FILES)
    changed = result.model_copy(
        update={
            "metric": recipe.metric,
            "cut_off": cut_off(model),
            "decision": decision_summary(decision, model.classes),
            "test": None if test is None else _test_scores(model, test, result.test),
            "validation": None if validation is None else _held_out_scores(model, validation, result.validation),
        }
    )
    return Decided(model, changed.model_copy(update={"verdict": tuple(verdict(changed))}))


def crossed(model: Model, rows: HeldOutRows) -> np.ndarray:
    """``(n,)`` labels of held-out rows, those of each part by a decision that was fitted on the others."""
    parts, labels = scored_rows.crossing_parts(rows), np.empty(len(rows), dtype=np.int64)
    rows = _weighted(model, rows)
    for part in np.unique(parts):
        mine = parts == part
        others = rows if mine.all() else rows.where(~mine)
        _, fitted = held_out.decide(model.recipe, others, model.prior, model.classes, model.positive)
        labels[mine] = fitted(rows.outputs[mine])
    return labels


def _test_scores(model: Model, rows: HeldOutRows, before: Scores | None) -> Scores:
    """The scores of the test rows; prediction sets do not depend on the decision."""
    found = _scores(model, rows, model.labels(rows.outputs))
    return found if before is None else found.model_copy(update={"sets": before.sets})


def _held_out_scores(model: Model, rows: HeldOutRows, before: Scores | None) -> Scores:
    """The scores of the held-out rows; what these were before calibration does not depend on the decision."""
    found = _scores(model, rows, crossed(model, rows))
    kept = {} if before is None else {name: value for name, value in before.curves.items() if name == CURVE}
    return found.model_copy(update={"curves": {**found.curves, **kept}})


def _weighted(model: Model, rows: HeldOutRows) -> HeldOutRows:
    """The rows, weighted to the prior that the recipe states, if it does."""
    if not model.recipe.prior:
        return rows
    return replace(rows, weight=rows.weight * class_factors(rows.y, rows.weight, model.prior)[rows.y])


def _scores(model: Model, rows: HeldOutRows, labels: np.ndarray) -> Scores:
    weight = _weighted(model, rows).weight
    given = None if (weight == 1).all() else weight
    return held_out.scores_of_labels(model, rows.y, rows.outputs, labels, given, rows.group)


def _write(decided: Decided, run: Path, building: Path) -> None:
    """Write what the decision changes into the folder that replaces the run's files."""
    model, result, recipe = decided.model, decided.result, decided.model.recipe.to_toml()
    about = read_about(run)
    found = cards(model, result, model.recipe, Profile.model_validate(about["profile"]), str(about["fingerprint"]))
    replace(model, cards=found).save(building / MODEL)
    for name, card in found.items():
        (building / name).write_text(card, encoding="utf-8", errors="backslashreplace")
    (building / RECIPE).write_text(recipe, encoding="utf-8")
    write_report(building / REPORT, contents_of(run, result, recipe))
    for name, file in zip((TEST_ROWS, HELD_OUT_ROWS), scored_rows.FILES, strict=True):
        rows = scored_rows.read(run / file, len(model.classes))
        if rows is not None and (run / name).is_file():
            codes = model.labels(rows.outputs) if name == TEST_ROWS else crossed(model, rows)
            pairs = zip(codes, model.left(rows.outputs), strict=True)
            _relabel(run / name, building / name, ["" if left else model.classes[code] for code, left in pairs])
    (building / RESULT).write_text(result.to_json(), encoding="utf-8", errors="backslashreplace")


def _relabel(path: Path, new: Path, labels: Sequence[str]) -> None:
    """A table of scored rows with other labels.

    Raises:
        DataError: The table has other rows than the run.
    """
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    if len(rows) != len(labels) or "label" not in header:
        raise DataError(f"{path} has other rows than the run; move it elsewhere.")
    place = header.index("label")
    with new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row, label in zip(rows, labels, strict=True):
            writer.writerow([*row[:place], safe_cell(printable(label)), *row[place + 1 :]])
