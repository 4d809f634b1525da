"""Use a saved model: read rows in the form it needs, predict, evaluate."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rarebird.core.atomic_files import whole_file
from rarebird.core.checks import DataError
from rarebird.data.dataset import Kind
from rarebird.evaluation.coverage_scores import COVERAGE
from rarebird.evaluation.cut_off import cut_off
from rarebird.evaluation.decision_scores import decision_summary
from rarebird.evaluation.predicted_rows import TEST, PredictedRows
from rarebird.evaluation.result import Scores, scores_for_machines
from rarebird.evaluation.score_rows import score_rows
from rarebird.model import coverage as coverage_of
from rarebird.model import model as saved_model
from rarebird.model.conformal import check_coverage
from rarebird.model.model import Model
from rarebird.model.rows import RowsToPredict, to_predict
from rarebird.model.rows import read as read_rows
from rarebird.readers.options import ReadOptions
from rarebird.readers.row_numbers import column_of
from rarebird.report.label_rule import label_text
from rarebird.runs.row_tables import PROBABILITY, scored_table, with_unread_rows, write_table
from rarebird.training.device import choose_device

if TYPE_CHECKING:
    import pandas as pd

# The part of scored rows that are no test rows of the data.
ROWS = "rows"
# Why a row has no label although it could be read.
LEFT = "left to a person"
# Unreadable rows that are named one by one, and how many of them one note of the reader names.
MOST_NOTES, NAMED_BY_READER = 20, 5


def load(folder: Path, device: str = "auto", threads: int | None = None) -> Model:
    """A saved model on a device.

    Raises:
        DataError: The folder holds no model that can be read, or the device does not exist.
    """
    if threads:
        torch.set_num_threads(threads)
    return saved_model.load(folder, choose_device(device))


def read(
    model: Model, data: Path, kind: Kind | None, labelled: bool, options: ReadOptions | None = None
) -> RowsToPredict:
    """Rows in the form that the model needs: of its kind and task, with its target and its size of pictures; of split
    data, the test rows.

    Args:
        model: The rows are read for it.
        data: Path of the rows.
        kind: What the user says the data are, refused where the model was trained on another kind; None: the model's.
        labelled: Whether the rows must have a target.
        options: How to read the rows otherwise.

    Raises:
        DataError: The rows cannot be read, or are of another kind.
    """
    options = replace(options or ReadOptions(role="rows"), kind=kind, schema=model.row_schema)
    return to_predict(read_rows(model.spec, model.target, data, labelled, options))


def prediction_table(
    model: Model,
    rows: RowsToPredict,
    truth: Sequence[Any] | np.ndarray | None = None,
    kept: Mapping[str, np.ndarray] | None = None,
    coverage: float | None = None,
) -> pd.DataFrame:
    """Predictions, one row for each given row and in the same order.

    Args:
        model: It predicts.
        rows: The rows; one that could not be read has neither label nor probabilities.
        truth: ``(n,)`` of all rows, or None.
        kept: Further columns of all rows; one called ``id`` takes the place of the rows' own names.
        coverage: Also a set of classes, or an interval, with this promised coverage.

    Returns:
        ``id``, the kept columns, the decided ``label``, the ``most_probable`` class, ``probability_CLASS`` for each
        class, and ``truth`` if it is given; ``prediction`` in place of label and probabilities for a model that
        predicts a number. With a coverage also ``set``, or ``low`` and ``high``. If a row has no label, ``reason`` says
        why: it could not be read, or is left to a person.
    """
    import pandas as pd

    each = model.member_outputs(rows.data)
    outputs = model.mean_of(each)
    labels, left = model.labels(outputs, rows.data), model.left(outputs)
    columns: dict[str, Any] = {"id": column_of(rows.ids)}
    if model.classes:
        codes, classes = {"label": labels, "most_probable": outputs.argmax(axis=1)}, np.array(model.classes, object)
        named = {name: classes[of] for name, of in codes.items()}
        named["label"][left] = None
        columns |= {name: rows.spread(of) for name, of in named.items()}
        wide = rows.spread(outputs, np.nan)
        columns |= {f"{PROBABILITY}{label}": wide[:, place] for place, label in enumerate(model.classes)}
    else:
        columns["prediction"] = rows.spread(labels, np.nan)
    columns |= {} if coverage is None else _covered(model, rows, each, coverage)
    if truth is not None:
        columns["truth"] = truth
    if rows.unread or left.any():
        columns["reason"] = rows.spread(
            np.where(left, LEFT, "").astype(object), {row.place: row.reason for row in rows.unread}
        )
    own = {(name if name == "id" or name not in columns else f"input_{name}"): of for name, of in (kept or {}).items()}
    return pd.DataFrame({"id": columns.pop("id")} | own | columns)


def _covered(model: Model, rows: RowsToPredict, each: Sequence[np.ndarray], coverage: float) -> dict[str, Any]:
    """The columns of prediction sets, or of intervals."""
    if not model.classes:
        low, high = coverage_of.intervals(model, each, coverage).T
        return {"low": rows.spread(low, np.nan), "high": rows.spread(high, np.nan)}
    found = coverage_of.sets(model, each, coverage)
    labels = [[model.classes[code] for code in np.flatnonzero(row)] for row in found.members]
    return {"set": rows.spread(labels)}


def write(table: pd.DataFrame, path: Path, raw: bool = False) -> None:
    """Write a CSV file under a temporary name, then rename it; `raw` as in `row_tables.write_table`.

    Raises:
        DataError: `path` is a folder, or lies in a folder that does not exist.
    """
    check_writable(path)
    with whole_file(path) as building:
        write_table(table, building, raw)


def check_writable(path: Path) -> None:
    """Check that a file can be written there.

    Raises:
        DataError: `path` is a folder, or lies in a folder that does not exist.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise DataError(f"{path} cannot be written; give a file in a folder that exists.")


def label_rule(model: Model) -> str:
    """A sentence on how the model's labels are decided; empty for a model that predicts a number."""
    if model.decision is None:
        return ""
    summary = decision_summary(model.decision, model.classes)
    assert summary is not None
    return label_text(summary, model.recipe.metric, model.positive, cut_off(model))


def for_machines(model: Model, rows: RowsToPredict, table: pd.DataFrame, out: Path | None) -> dict[str, Any]:
    """The object that ``predict --json`` prints.

    Args:
        model: It predicted.
        rows: The rows.
        table: As `prediction_table` gives it.
        out: The file that was written; without one the object holds the table's rows.
    """
    reading = rows.data.reading
    shown = json.loads(table.to_json(orient="records", date_format="iso")) if out is None else None
    return {
        "kind": model.spec.kind,
        "n": len(rows),
        "classes": list(model.classes),
        "prior": dict(zip(model.classes, model.prior.tolist(), strict=True)),
        "left_to_a_person": 0 if "reason" not in table else int((table["reason"] == LEFT).sum()),
        **({} if reading is None else reading.for_machines()),
        "notes": list(rows.notes),
        "unread": [{"id": row.id, "reason": row.reason} for row in rows.unread],
        **({"out": str(out)} if shown is None else {"rows": shown}),
    }


def notes_on(rows: RowsToPredict) -> list[str]:
    """Sentences for people: those of the reader, and one for each row that could not be read."""
    # The reader of labelled rows names the first few itself.
    named = rows.data.y is not None and len(rows.unread) <= NAMED_BY_READER
    listed = () if named else rows.unread[:MOST_NOTES]
    more = len(rows.unread) - MOST_NOTES
    return [
        *rows.notes,
        *(f"{row.id!r} cannot be read ({row.reason}) and gets no label." for row in listed),
        *([f"{more} more rows cannot be read; the column reason says why."] if more > 0 else []),
    ]


@dataclass(frozen=True)
class Evaluation:
    """Scores of a saved model on labelled rows.

    Attributes:
        model: The model.
        predicted: The rows, with the model's classes in the model's order, and their predictions.
        scores: With intervals.
        seconds: Time for prediction and scores.
        rows: All rows that were given, also those that could not be read and are not scored.
    """

    model: Model
    predicted: PredictedRows
    scores: Scores
    seconds: float
    rows: RowsToPredict

    def for_machines(self) -> dict[str, Any]:
        """The object that ``evaluate --json`` prints."""
        data = self.predicted.rows
        counts = data.class_counts
        return {
            "kind": data.kind,
            "n_test": len(data),
            "classes": list(self.model.classes),
            "class_counts": {} if counts is None else dict(zip(data.classes, counts.tolist(), strict=True)),
            "positive": self.model.positive,
            "cut_off": cut_off(self.model),
            "seconds": round(self.seconds, 2),
            **scores_for_machines(self.scores),
            **({} if data.reading is None else data.reading.for_machines()),
            "notes": list(self.rows.notes),
            "unread": [{"id": row.id, "reason": row.reason} for row in self.rows.unread],
        }


def evaluate(model: Model, given: RowsToPredict, coverage: float = COVERAGE) -> Evaluation:
    """Score a model on labelled rows.

    Args:
        model: The model.
        given: Labelled rows.
        coverage: Of the prediction sets, or intervals, that are scored, too.

    Raises:
        DataError: A row has a class that the model does not know, or the coverage is not between 0 and 1.
    """
    check_coverage(coverage)
    start = time.monotonic()
    rows = given.data.aligned(model.classes)
    predicted, scores = score_rows(model, rows, TEST if given.part == "test" else ROWS, coverage)
    return Evaluation(model, predicted, scores, time.monotonic() - start, given)


def write_rows(found: Evaluation, path: Path, raw: bool = False) -> None:
    """Write the table of the scored rows, and of those that could not be read, under a temporary name, then rename
    it; `raw` as in `row_tables.write_table`."""
    with whole_file(path) as building:
        write_table(with_unread_rows(scored_table(found.predicted), found.rows), building, raw)
