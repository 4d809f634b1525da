"""Use a saved model: read rows as it needs them, predict, evaluate."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rarebird.model import model as artifact
from rarebird.evaluation import held_out
from rarebird import readers
from rarebird.model.model import Model
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Splits
from rarebird.readers.options import ReadOptions, remembered_target
from rarebird.evaluation.result import Scores, scores_for_machines
from rarebird.training.device import choose_device
from rarebird.core.atomic_files import whole_file

if TYPE_CHECKING:
    import pandas as pd


def load(folder: Path, device: str = "auto", threads: int | None = None) -> Model:
    """A saved model on a device."""
    if threads:
        torch.set_num_threads(threads)
    return artifact.load(folder, choose_device(device))


def read(model: Model, data: Path, kind: str | None, labelled: bool, options: ReadOptions | None = None) -> Splits:
    """Rows in the shape the model needs, with its own target and task."""
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


def judged(data: Splits) -> Dataset:
    """The rows that a saved model is asked about: the test rows where the data came split, else all."""
    return data.train if data.test is None else data.test


def predicted(model: Model, data: Dataset) -> pd.DataFrame:
    """One row per row of `data`, in its order: its id, the predicted label (or value), and ``probability_CLASS`` for
    each class."""
    import pandas as pd

    outputs = model.outputs(data)
    labels = model.labels(outputs)
    if not model.classes:
        return pd.DataFrame({"id": data.ids, "prediction": labels})
    columns: dict[str, Any] = {"id": data.ids, "label": [model.classes[code] for code in labels]}
    columns |= {f"probability_{label}": outputs[:, place] for place, label in enumerate(model.classes)}
    return pd.DataFrame(columns)


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV file under a temporary name and rename it."""
    if path.is_dir() or not path.parent.is_dir():
        raise DataError(f"{path} cannot be written; give a file in a folder that exists.")
    with whole_file(path) as building:
        table.to_csv(building, index=False)


@dataclass(frozen=True)
class Evaluation:
    """Scores of a saved model on labelled rows."""

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


def evaluated(model: Model, data: Splits) -> Evaluation:
    """Score the test rows where the data came split, else all rows.

    Raises:
        DataError: A row is of a class the model does not know.
    """
    start = time.monotonic()
    rows = judged(data).aligned(model.classes)
    return Evaluation(model, rows, held_out.scores(model, rows), time.monotonic() - start)
