"""Frames that hold labels, groups, weights and times in columns with a name, or arrays with their labels -> rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rarebird.core.checks import DataError, nearest
from rarebird.data.dataset import Splits
from rarebird.readers import labels, python
from rarebird.readers.arrow_frames import in_pandas
from rarebird.readers.frames import composed

if TYPE_CHECKING:
    import pandas as pd


def read(X: Any, y: Any, target: str | None, row_values: dict[str, Any], about: dict[str, Any]) -> Splits:
    """Rows with their labels; columns that are named as target, groups, weight or time are no features.

    Args:
        X: A frame of any library, or what `python.read` takes.
        y: Labels; None: those of the column `target`.
        target: The name of a column (None: target).
        row_values: Keyword of `from_arrays` -> one value per row, or the name of a column.
        about: `kind`, `task`, `name` and `schema` as `python.read` takes them.

    Raises:
        DataError: A column is missing, or the rows have no labels.
    """
    name, notes, form = about["name"], list[str](), None
    X = in_pandas(X)
    if hasattr(X, "columns"):
        named = y is None
        X, y, row_values = _without_named(X, y, target, name, row_values)
        if named:
            # Labels in a column are spelled as those of a file are.
            column = labels.of_frame(y, composed(target or "target"), name, about["task"], about.get("schema"))
            y, notes, form = column.values, list(column.notes), column.form
    elif target is not None:
        raise DataError(f"{name} is no frame, so it has no column {target!r}; give the labels as y.")
    if y is None:
        raise DataError(f"{name} has no labels; give y, or a frame and the name of its column as target.")
    found = python.read(X, y, **about, **{key: value for key, value in row_values.items() if value is not None})
    rows = found.train
    if form is not None and rows.reading is not None:
        schema = rows.reading.schema.model_copy(update={"target": form})
        rows = replace(rows, reading=replace(rows.reading, schema=schema))
    return replace(found, train=rows, notes=(*found.notes, *notes))


def _without_named(
    frame: pd.DataFrame, y: Any, target: str | None, name: str, row_values: dict[str, Any]
) -> tuple[pd.DataFrame, Any, dict[str, Any]]:
    """A frame without the columns that are named, the labels, and the values per row."""
    named: dict[str, Any] = {key: value for key, value in row_values.items() if isinstance(value, str)}
    if y is None:
        named["y"] = target or "target"
    # Columns go by their names as text, as those of a file do: a frame may call one 3.
    columns = {composed(column): column for column in frame.columns}
    for key, column in named.items():
        if composed(column) not in columns:
            raise DataError(f"{name} has no column {column!r}; {nearest(column, columns)}")
        named[key] = columns[composed(column)]
    taken = {key: frame[column] for key, column in named.items()}
    return frame.drop(columns=list(named.values())), taken.pop("y", y), row_values | taken
