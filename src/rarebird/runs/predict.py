"""Use a saved model: read rows in the form it needs, predict, evaluate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rarebird import readers
from rarebird.core.atomic_files import whole_file
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Kind, Splits
from rarebird.evaluation import held_out
from rarebird.evaluation.cut_off import cut_off
from rarebird.evaluation.predicted_rows import TEST, PredictedRows, predicted_rows
from rarebird.evaluation.result import Scores, scores_for_machines
from rarebird.model import model as saved_model
from rarebird.model.model import Model
from rarebird.readers.options import ReadOptions, remembered_target
from rarebird.report.verdict import cut_off_text
from rarebird.runs.row_tables import write_scored_table
from rarebird.training.device import choose_device

if TYPE_CHECKING:
    import pandas as pd

# The part of scored rows that are no test rows of the data.
ROWS = "rows"


def load(folder: Path, device: str = "auto", threads: int | None = None) -> Model:
    """A saved model on a device.

    Raises:
        DataError: The folder holds no model that can be read, or the device does not exist.
    """
    if threads:
        torch.set_num_threads(threads)
    return saved_model.load(folder, choose_device(device))


def read(model: Model, data: Path, kind: str | None, labelled: bool, options: ReadOptions | None = None) -> Splits:
    """Rows in the form that the model needs: of its kind and task, with its target and its size of pictures.

    Args:
        model: The rows are read for it.
        data: Path of the rows.
        kind: What the user says the data are, refused where the model was trained on another kind; None: the model's.
        labelled: Whether the rows must have a target.
        options: How to read the rows otherwise.

    Raises:
        DataError: The rows cannot be read, or are of another kind.
    """
    spec = model.spec
    if kind is not None and kind != spec.kind:
        raise DataError(f"The model was trained on data of kind {spec.kind!r}, so it cannot read {data} as {kind!r}.")
    options = options or ReadOptions(role="rows")
    return readers.read(
        data,
        replace(
            options,
            kind=spec.kind,
            task=spec.task,
            target=options.target or remembered_target(data, spec.kind, model.target),
            labelled=labelled,
            image_shape=(spec.channels, spec.height, spec.width) if spec.kind == "image" else None,
        ),
    )


def rows_to_predict(data: Splits) -> Dataset:
    """The test rows where the data come with some, otherwise all rows."""
    return data.train if data.test is None else data.test


def truths(model: Model, data: Path, rows: Dataset) -> list[Any] | None:
    """The truth of each row that was read without labels: a label's text, a number, or None where a row has none.

    The labels are read apart from the rows, so that they cannot change what is predicted.

    Args:
        model: It names the target.
        data: Path of the rows.
        rows: The rows as they are predicted.

    Returns:
        None if no row has a truth that can be read.
    """
    if data.is_dir() and model.spec.kind == "image":
        folders = [[part for part in str(name).split("/")[:-1] if part in model.classes] for name in rows.ids]
        found: list[Any] = [named[0] if named else None for named in folders]
    else:
        known = _labels_by_id(model, data)
        found = [known.get(name) for name in rows.ids]
    return None if all(value is None for value in found) else found


def _labels_by_id(model: Model, data: Path) -> dict[str, Any]:
    """The truth of each labelled row by the row's id; empty if the labels cannot be read."""
    if model.spec.kind == "image" and data.suffix.lower() != ".npz":
        # The list of the pictures is read as a table, without the pictures.
        listed = (_labelled(model, data, "table", target) for target in (model.target, "label"))
        rows = next((rows for rows in listed if rows is not None), None)
        ids = None if rows is None else rows.raw().get("path")
        names = None if ids is None else [str(name).replace("\\", "/") for name in ids]
    else:
        rows = _labelled(model, data, model.spec.kind, remembered_target(data, model.spec.kind, model.target))
        names = None if rows is None else list(rows.ids)
    if rows is None or names is None:
        return {}
    values = rows.y if rows.task == "regression" else [rows.classes[code] for code in rows.codes]
    assert values is not None
    return dict(zip(names, values, strict=True))


def _labelled(model: Model, data: Path, kind: Kind, target: str | None) -> Dataset | None:
    """The rows with their labels; None if they cannot be read."""
    options = ReadOptions(kind=kind, task=model.spec.task, target=target, role="rows")
    try:
        return rows_to_predict(readers.read(data, options))
    except DataError:
        return None


def prediction_table(model: Model, data: Dataset, truth: Sequence[Any] | None = None) -> pd.DataFrame:
    """Predictions for `data`, one row for each of its rows and in the same order.

    Returns:
        ``id``, the predicted ``label``, ``probability_CLASS`` for each class, and ``truth`` if it is given; ``id``,
        ``prediction`` and ``truth`` for a model that predicts a number.
    """
    import pandas as pd

    outputs = model.outputs(data)
    labels = model.labels(outputs)
    columns: dict[str, Any] = {"id": data.ids}
    if model.classes:
        columns["label"] = [model.classes[code] for code in labels]
        columns |= {f"probability_{label}": outputs[:, place] for place, label in enumerate(model.classes)}
    else:
        columns["prediction"] = labels
    return pd.DataFrame(columns if truth is None else columns | {"truth": truth})


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV file under a temporary name, then rename it.

    Raises:
        DataError: `path` is a folder, or lies in a folder that does not exist.
    """
    check_writable(path)
    with whole_file(path) as building:
        table.to_csv(building, index=False)


def check_writable(path: Path) -> None:
    """Check that a file can be written there.

    Raises:
        DataError: `path` is a folder, or lies in a folder that does not exist.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise DataError(f"{path} cannot be written; give a file in a folder that exists.")


def label_rule(model: Model) -> str:
    """A sentence on the cut-off of a model for two classes; empty for other models."""
    found = cut_off(model)
    return "" if found is None or model.positive is None else cut_off_text(model.positive, found)


@dataclass(frozen=True)
class Evaluation:
    """Scores of a saved model on labelled rows.

    Attributes:
        model: The model.
        predicted: The rows, with the model's classes in the model's order, and their predictions.
        scores: With intervals.
        seconds: Time for prediction and scores.
    """

    model: Model
    predicted: PredictedRows
    scores: Scores
    seconds: float

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
        }


def evaluate(model: Model, data: Splits) -> Evaluation:
    """Score a model on the test rows where the data come with some, otherwise on all rows.

    Raises:
        DataError: A row has a class that the model does not know.
    """
    start = time.monotonic()
    rows = rows_to_predict(data).aligned(model.classes)
    predicted = predicted_rows(model, rows, model.outputs(rows), ROWS if data.test is None else TEST)
    scores = held_out.scores_of_outputs(model, rows, predicted.outputs)
    return Evaluation(model, predicted, scores, time.monotonic() - start)


def write_rows(found: Evaluation, path: Path) -> None:
    """Write the table of the scored rows under a temporary name, then rename it."""
    with whole_file(path) as building:
        write_scored_table(found.predicted, building)
