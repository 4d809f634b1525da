"""Use a saved model: read rows in the form it needs, predict, evaluate."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rarebird import readers
from rarebird.core.atomic_files import whole_file
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Splits
from rarebird.evaluation import held_out
from rarebird.evaluation.result import Scores, scores_for_machines
from rarebird.model import model as saved_model
from rarebird.model.model import Model
from rarebird.readers.options import ReadOptions, remembered_target
from rarebird.training.device import choose_device

if TYPE_CHECKING:
    import pandas as pd


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


def prediction_table(model: Model, data: Dataset) -> pd.DataFrame:
    """Predictions for `data`, one row for each of its rows and in the same order.

    Returns:
        ``id``, the predicted ``label``, and ``probability_CLASS`` for each class; ``id`` and ``prediction`` for a model
        that predicts a number.
    """
    import pandas as pd

    outputs = model.outputs(data)
    labels = model.labels(outputs)
    if not model.classes:
        return pd.DataFrame({"id": data.ids, "prediction": labels})
    columns: dict[str, Any] = {"id": data.ids, "label": [model.classes[code] for code in labels]}
    columns |= {f"probability_{label}": outputs[:, place] for place, label in enumerate(model.classes)}
    return pd.DataFrame(columns)


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV file under a temporary name, then rename it.

    Raises:
        DataError: `path` is a folder, or lies in a folder that does not exist.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise DataError(f"{path} cannot be written; give a file in a folder that exists.")
    with whole_file(path) as building:
        table.to_csv(building, index=False)


@dataclass(frozen=True)
class Evaluation:
    """Scores of a saved model on labelled rows.

    Attributes:
        model: The model.
        data: The rows, with the model's classes in the model's order.
        scores: With intervals.
        seconds: Time for prediction and scores.
    """

    model: Model
    data: Dataset
    scores: Scores
    seconds: float

    def for_machines(self) -> dict[str, Any]:
        """The object that ``evaluate --json`` prints."""
        counts = self.data.class_counts
        return {
            "kind": self.data.kind,
            "n_test": len(self.data),
            "classes": list(self.model.classes),
            "class_counts": {} if counts is None else dict(zip(self.data.classes, counts.tolist(), strict=True)),
            "positive": self.model.positive,
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
    return Evaluation(model, rows, held_out.scores(model, rows), time.monotonic() - start)
