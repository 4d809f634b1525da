"""The explanations in the report of a run: a few rows of the rare classes, and the importance of a table's columns, as
far as there is time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rarebird.core import rng
from rarebird.core.clock import Clock
from rarebird.evaluation.predicted_rows import PredictedRows
from rarebird.experiment.run import Outcome
from rarebird.explanation.amounts import Amounts
from rarebird.explanation.chosen_rows import is_rare, rare_first
from rarebird.explanation.explain import Effort, Explainer
from rarebird.report.pages.explanation import VALUES, Explanation
from rarebird.runs.explained_columns import ColumnImportance, importance_of
from rarebird.runs.explained_rows import Predicted, choose, explain_chosen, shown_classes

FILE = VALUES
# Of the budget, and in seconds: the time for all explanations. Without a budget, of the seconds so far.
BUDGET_SHARE, ELAPSED_SHARE, LEAST_SECONDS, MOST_SECONDS = 0.01, 0.05, 1.0, 20.0
# Seconds of the budget that stay for figures and pages.
KEPT = 2.0
# Of that time, the share for the importance of columns.
COLUMNS_SHARE = 0.5
# A batch of rows takes about this share of the time of as many single rows; a gradient takes three times a prediction.
BATCH_SHARE, GRADIENT = 0.15, 3.0
BACKGROUND, STEPS = 4, 8
EFFORT = Effort(background=BACKGROUND, steps=STEPS, most_steps=3 * STEPS, orders=4)
MOST_CLASSES, MOST_ROWS, REPEATS = 2, 300, 2


@dataclass(frozen=True)
class _Time:
    """When the explanations must have ended, on the scale of `time.monotonic`, and the seconds that they may take."""

    deadline: float
    seconds: float


def explanation_of_run(outcome: Outcome, clock: Clock) -> Explanation | None:
    """The explanations of a run's model, of test rows where there are any; None where no row was scored.

    Args:
        outcome: The run.
        clock: Its budget.
    """
    scored = outcome.test_rows or outcome.held_out_rows
    if scored is None or not len(scored.rows):
        return None
    time_left = _time_left(clock)
    if time_left.seconds <= 0:
        return _without_time(outcome)
    explainer = Explainer(outcome.model, outcome.splits.train, effort=EFFORT)
    seconds_of_row = _seconds_of_row(explainer, scored)
    points = BACKGROUND * STEPS
    if points * BATCH_SHARE * GRADIENT * seconds_of_row > time_left.seconds:
        return _without_time(outcome)
    return _section(outcome, explainer, scored, time_left, seconds_of_row)


def write(section: Explanation, path: Path) -> None:
    """Write the section as plain values."""
    # A file name that is no Unicode gives lone surrogates; their escapes are fine in JSON.
    text = json.dumps(section.model_dump(mode="python"), indent=1)
    path.write_text(text, encoding="utf-8")


def _section(
    outcome: Outcome, explainer: Explainer, scored: PredictedRows, time_left: _Time, seconds_of_row: float
) -> Explanation:
    predicted = _predicted(outcome, scored)
    importance = ColumnImportance()
    if scored.rows.kind == "table":
        rows, columns = min(len(scored.rows), MOST_ROWS), scored.rows.take(np.arange(1)).raw().shape[1]
        if rows * columns * REPEATS * BATCH_SHARE * seconds_of_row < COLUMNS_SHARE * time_left.seconds:
            draw = rng.stream(0, "explanation", "run")
            importance = importance_of(explainer, predicted, draw, REPEATS, MOST_ROWS)
    method = explainer.main_method()
    methods = [one for one in explainer.methods() if one != "attention"] if scored.rows.kind != "table" else [method]
    chosen = choose(predicted, _classes(outcome), 1)
    found = explain_chosen(explainer, predicted, chosen, methods, time_left.deadline)
    return Explanation(
        name=scored.rows.name,
        kind=scored.rows.kind,
        output=explainer.shipped.sentence(None),
        methods=tuple(one.detail for one in found.amounts.values()),
        importance=importance.bars(),
        measure=importance.measure,
        classes=shown_classes(explainer, predicted, found),
        checks=_checks(found.amounts.values()),
        notes=_notes(outcome, scored, found.left_out),
        files=("`rarebird explain` shows more rows, the effects of columns, and writes all amounts into files.",),
    )


def _time_left(clock: Clock) -> _Time:
    now = time.monotonic()
    if clock.budget is None:
        seconds = float(np.clip(ELAPSED_SHARE * clock.elapsed(), LEAST_SECONDS, MOST_SECONDS))
    else:
        wanted = min(max(BUDGET_SHARE * clock.budget, LEAST_SECONDS), MOST_SECONDS)
        seconds = min(wanted, clock.start + clock.budget - KEPT - now)
    return _Time(now + seconds, seconds)


def _seconds_of_row(explainer: Explainer, scored: PredictedRows) -> float:
    """Seconds of the prediction of one row, after one that warms up."""
    each = explainer.shipped.inputs(scored.rows.take(np.array([0])))
    codes = explainer.shipped.codes(np.zeros(1))
    explainer.shipped.of_inputs(each, codes)
    start = time.monotonic()
    explainer.shipped.of_inputs(each, codes)
    return time.monotonic() - start


def _predicted(outcome: Outcome, scored: PredictedRows) -> Predicted:
    rows = scored.rows
    assert rows.y is not None
    truth = rows.codes if outcome.model.classes else rows.y
    return Predicted(rows, truth, scored.outputs, np.asarray(scored.labels))


def _classes(outcome: Outcome) -> list[int]:
    """The rare classes; where none is rare, the positive one or the rarest."""
    counts, model = outcome.splits.train.class_counts, outcome.model
    if counts is None:
        return []
    rare = [code for code in rare_first(counts, len(counts)) if is_rare(counts)[code]]
    if rare:
        return rare[:MOST_CLASSES]
    return [model.classes.index(model.positive)] if model.positive is not None else rare_first(counts, 1)


def _checks(amounts: Iterable[Amounts]) -> tuple[str, ...]:
    sentences = []
    for one in amounts:
        if one.sums and len(one):
            share = 100 * float(np.median(one.relative_errors))
            sentences.append(
                f"The amounts of a row miss the change of its output by {share:.1f} % at the median (completeness "
                "error)."
            )
    return tuple(sentences)


def _notes(outcome: Outcome, scored: PredictedRows, left_out: int) -> tuple[str, ...]:
    notes = []
    if outcome.test_rows is None:
        notes.append("There are no test rows: these are held-out rows, from which some of the networks learned.")
    if left_out:
        notes.append(f"{left_out} more rows are not explained: the budget left no time for them.")
    return tuple(notes)


def _without_time(outcome: Outcome) -> Explanation:
    scored = outcome.test_rows or outcome.held_out_rows
    assert scored is not None
    note = "Explanations are left out: the budget left no time for them. `rarebird explain RUN DATA` makes them."
    return Explanation(name=scored.rows.name, kind=scored.rows.kind, output="", methods=(), notes=(note,))
