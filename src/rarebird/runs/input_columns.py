"""What the file of the predicted rows has besides features: the truth of each row, and columns to show beside its
prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rarebird import readers
from rarebird.core.checks import DataError, nearest, some
from rarebird.data.columns import CONSTANT
from rarebird.data.dataset import Dataset, Frame, Kind
from rarebird.data.stored_frame import StoredFrame
from rarebird.model.model import Model
from rarebird.model.rows import RowsToPredict, to_predict
from rarebird.readers import compressed, picture_lists, times_of_day
from rarebird.readers.options import ReadOptions, remembered_target
from rarebird.readers.pictures import is_picture
from rarebird.readers.table import read_target


def truths(model: Model, data: Path, rows: RowsToPredict, options: ReadOptions) -> list[Any] | np.ndarray | None:
    """The truth of each row that was read without labels: a label's text, a number, or None where a row has none.

    The labels are read apart from the rows, so that they cannot change what is predicted.

    Args:
        model: It names the target.
        data: Path of the rows.
        rows: The rows as they are predicted.
        options: How the rows were read.

    Returns:
        None if no row has a truth that can be read.
    """
    if data.is_dir() and model.spec.kind == "image":
        folders = [[part for part in str(name).split("/")[:-1] if part in model.classes] for name in rows.ids]
        found: list[Any] = [named[0] if named else None for named in folders]
    elif isinstance(rows.data.source, StoredFrame):
        return _stored_truths(model, data, len(rows), options)
    else:
        known = _labels_by_id(model, data, rows.part, options)
        found = [known.get(name) for name in rows.ids]
    return None if all(value is None for value in found) else found


def kept_columns(
    model: Model, data: Path, rows: RowsToPredict, names: Sequence[str] | None, options: ReadOptions
) -> dict[str, np.ndarray]:
    """Columns of the file that are shown beside the predictions, as they were read.

    Args:
        model: It knows which columns identify rows.
        data: Path of the rows.
        rows: The rows as they are predicted.
        names: The columns to show; None: of a table, those that the model left out because they identify rows.
        options: How the rows were read.

    Returns:
        Name -> ``(n,)`` values, in the order of `names` or of the file.

    Raises:
        DataError: A named column does not exist.
    """
    frame = _frame(model, data, rows.data, options)
    source = rows.data.source
    if names is None:
        table = model.members[0].prepared.table
        left_out = {} if table is None else table.left_out
        names = [name for name, why in left_out.items() if why != CONSTANT and name in frame.columns]
    if names and frame is None:
        raise DataError(f"{data} has no columns, so --keep cannot show any.")
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise DataError(
            f"{data} has no column {absent[0]!r} to keep; {_hint(absent[0], list(map(str, frame.columns)))}"
        )
    if isinstance(source, Frame):
        return {name: rows.spread(_as_read(name, rows.data)) for name in names}
    # The list of pictures has a row for each of them, also for those that cannot be read.
    return {name: frame[name].to_numpy() for name in names}


def _as_read(name: str, rows: Dataset) -> np.ndarray:
    """A column's cells as the file has them: times of day, which are hours to a model, as times."""
    assert isinstance(rows.source, Frame)
    values: np.ndarray = rows.source.column(name, rows.index).to_numpy()
    form = None if rows.reading is None else rows.reading.schema.columns.get(name)
    is_time = form is not None and form.kind == "time"
    return np.array(times_of_day.texts(values.astype(float)), dtype=object) if is_time else values


def _hint(name: str, names: list[str]) -> str:
    hint = nearest(name, names)
    return hint if hint.startswith("did") else f"it has {some(names, most=10)}."


def _frame(model: Model, data: Path, rows: Dataset, options: ReadOptions) -> Any:
    """The columns of the rows' file; None if it has none."""
    if isinstance(rows.source, Frame):
        return rows.source.frame
    if model.spec.kind == "image" and data.is_file() and compressed.suffix(data) in readers.TEXT:
        return readers.read(data, ReadOptions(kind="table", labelled=False, role="rows", target="")).train.raw()
    return None


def _stored_truths(model: Model, data: Path, n: int, options: ReadOptions) -> np.ndarray | None:
    """The truth of each row of a table on disk, of which nothing but the target is read again."""
    target = remembered_target(data, model.spec.kind, model.target)
    schema = model.row_schema
    try:
        kept, y, classes = read_target(
            data, ReadOptions(task=model.spec.task, target=target, role="rows", schema=schema)
        )
    except DataError:
        return None
    found = np.full(n, None, dtype=object)
    found[kept] = np.array(classes, dtype=object)[y] if classes else y
    return found


def _labels_by_id(model: Model, data: Path, part: str, options: ReadOptions) -> dict[str, Any]:
    """The truth of each labelled row by the row's id; empty if the labels cannot be read."""
    if is_picture(data):
        return {}
    if model.spec.kind == "image" and data.suffix.lower() != ".npz":
        # The list of the pictures is read as a table, without the pictures.
        column = picture_lists.column_of(data, options)
        listed = (_labelled(model, data, "table", target, column) for target in (model.target, *picture_lists.LABELS))
        labelled = next((labelled for labelled in listed if labelled is not None), None)
        rows = None if labelled is None else labelled.data
        names = None if rows is None else picture_lists.names_of(rows.raw()[column])
    else:
        labelled = _labelled(model, data, model.spec.kind, remembered_target(data, model.spec.kind, model.target))
        # Test rows without a target are left out where labels are wanted: other rows have other labels.
        rows = None if labelled is None or labelled.part != part else labelled.data
        names = None if rows is None else list(rows.ids)
    if rows is None or names is None:
        return {}
    values = rows.y if rows.task == "regression" else [rows.classes[code] for code in rows.codes]
    assert values is not None
    return dict(zip(names, values, strict=True))


def _labelled(
    model: Model, data: Path, kind: Kind, target: str | None, names: str | None = None
) -> RowsToPredict | None:
    """The rows with their labels; None if they cannot be read."""
    schema = model.row_schema if kind == model.spec.kind else None
    options = ReadOptions(kind=kind, task=model.spec.task, target=target, role="rows", schema=schema, names=names)
    try:
        return to_predict(readers.read(data, options))
    except DataError:
        return None
