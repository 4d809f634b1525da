"""Arrays, data frames and tensors from Python -> Dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from rarebird.core.checks import DataError, require
from rarebird.core.python_words import in_python_words
from rarebird.data.dataset import Curves, Dataset, Kind, Pixels, Source, Splits, Task
from rarebird.data.schema import Reading, Schema
from rarebird.data.stored_frame import in_memory
from rarebird.readers import array_tables, columns, frames, labels, roles, series, targets
from rarebird.readers.arrow_frames import in_pandas
from rarebird.readers.plain_arrays import array_of, is_tensor
from rarebird.readers.site import Place, Site, row_number
from rarebird.readers.text_column import TextColumn

if TYPE_CHECKING:
    import pandas as pd

_MOST_CHANNELS = 4
_CHECKS = {"sample_weight": ("weight", roles.weights), "groups": ("group", roles.groups), "time": ("time", roles.times)}


class RowArrays(TypedDict, total=False):
    """The optional keywords of `from_arrays` that hold one value per row."""

    sample_weight: Any
    groups: Any
    time: Any


@in_python_words
def from_arrays(
    X: Any,
    y: Any = None,
    *,
    kind: Kind | None = None,
    task: Task | None = None,
    classes: Sequence[str] | None = None,
    name: str = "data",
    schema: Schema | None = None,
    **row_arrays: Unpack[RowArrays],
) -> Dataset:
    """A data set from arrays, frames or tensors. Tensors may be on any device, and torch is not imported for them.

    Args:
        X: A table: a frame of pandas, polars or pyarrow, a structured array, or ``(n, columns)`` numbers, texts or
            objects, whose columns are called x0, x1, ... Series: ``(n, channels, length)`` numbers, NaN where missing
            or beyond the end; also ``(n, length)`` with ``kind="series"``. Pictures: ``(n, height, width, channels)``
            or ``(n, channels, height, width)``, uint8 or other integers in 0..255, uint16 over its whole range,
            booleans, or floats in 0..1; also ``(n, height, width)`` with ``kind="image"``. The axis of 1 to 4 elements
            holds the channels; if both could, it is the last axis of an array and the first of a tensor, as is usual
            for them.
        y: ``(n,)`` labels or numbers, ``(n, 1)`` or one-hot; None without labels.
        kind: Overrides the guess from the shape.
        task: Overrides the guess from `y`.
        classes: The class labels in the order of their codes, if they are known beforehand; None: those of `y`.
        name: The name of the data set in reports.
        schema: How the cells of a table are written, as the training rows' `reading.schema` has it; None: it is
            learned. Text cells are read as those of a file are; columns of the type category stay categories.
        **row_arrays: One value per row, ``(n,)``: `sample_weight` (finite numbers of at least 0, some above), `groups`
            (labels of what belongs together: patient, track, site), `time` (numbers or dates).

    Raises:
        DataError: A shape, type or value that cannot be used, or arrays of different lengths.
    """
    return read(X, y, kind=kind, task=task, classes=classes, name=name, schema=schema, **row_arrays).train


def read(
    X: Any,
    y: Any = None,
    *,
    kind: Kind | None,
    task: Task | None,
    name: str,
    classes: Sequence[str] | None = None,
    schema: Schema | None = None,
    **row_arrays: Unpack[RowArrays],
) -> Splits:
    """`from_arrays`, with notes for the user on how a table's cells were read."""
    require(kind in (None, "image", "table", "series"), "kind is image, table or series", kind=kind)
    kind, source, reading, notes = _source(X, kind, schema)
    n = len(source)
    per_row = _per_row(row_arrays, n)
    codes: np.ndarray | None = None
    known: tuple[str, ...] = () if classes is None else tuple(classes)
    if y is not None:
        task, codes, known = _targets(y, n, task, 1 if classes is not None else 2)
    dataset = Dataset(
        kind=kind,
        task=task or "classification",
        source=source,
        index=np.arange(n),
        y=codes,
        classes=known,
        ids=np.arange(1, n + 1).astype(str).astype(object),
        name=name,
        reading=reading,
        **per_row,
    )
    aligned = dataset if classes is None or task == "regression" else dataset.aligned(classes)
    return Splits(aligned, notes=tuple(notes))


def _source(X: Any, kind: Kind | None, schema: Schema | None) -> tuple[Kind, Source, Reading | None, list[str]]:
    """The rows of X in the form of their kind, which is guessed from the shape if it is not given; of a table also how
    it was read, with notes."""
    X = in_pandas(X)
    rows = X if _is_frame(X) else array_of(X, "X")
    kind = kind or _guess(rows)
    reading, notes = None, list[str]()
    source: Source
    if kind == "table":
        source, reading, notes = array_tables.read(_frame(rows), "X", schema)
    else:
        source = _pictures(rows, is_tensor(X)) if kind == "image" else _series(rows)
    if len(source) == 0:
        raise DataError("X holds no rows; give at least one.")
    return kind, source, reading, notes


def _is_frame(value: Any) -> bool:
    return hasattr(value, "iloc") and hasattr(value, "columns")


def _guess(rows: Any) -> Kind:
    """The kind by the number of axes."""
    if _is_frame(rows) or rows.dtype.names is not None or rows.ndim == 2:
        return "table"
    if rows.ndim not in (3, 4):
        raise DataError(
            f"X has the shape {rows.shape}; give (n, columns), (n, channels, length) or pictures "
            "(n, height, width, channels)."
        )
    return "series" if rows.ndim == 3 else "image"


def _frame(rows: Any) -> pd.DataFrame:
    """The rows of a table as a frame with at least one column."""
    import pandas as pd

    frame: pd.DataFrame = rows
    if not _is_frame(rows):
        if rows.dtype.names is not None:
            frame = pd.DataFrame({name: rows[name] for name in rows.dtype.names})
        elif rows.ndim != 2:
            raise DataError(f"X has the shape {rows.shape}; a table is (n, columns).")
        else:
            frame = array_tables.frame_of(rows, "x")
    if frame.shape[1] == 0:
        raise DataError("X has no columns; give a table with at least one feature.")
    return frame


def _series(rows: Any) -> Curves:
    values = _numeric(rows, "series")
    if values.ndim == 2:
        values = values[:, None, :]
    if values.ndim != 3 or 0 in values.shape[1:]:
        raise DataError(f"X has the shape {values.shape}; series are (n, channels, length).")
    return series.curves(values, "X") if len(values) else Curves(values.astype(np.float32), np.zeros(0, dtype=np.int64))


def _pictures(rows: Any, from_tensor: bool) -> Pixels:
    values = _numeric(rows, "pictures")
    if values.ndim == 3:
        values = values[:, None]
    elif values.ndim != 4:
        raise DataError(
            f"X has the shape {values.shape}; pictures are (n, height, width, channels) or "
            "(n, channels, height, width)."
        )
    elif not _channels_first(values.shape, from_tensor):
        values = values.transpose(0, 3, 1, 2)
    return Pixels(np.ascontiguousarray(_pixels(values)))


def _channels_first(shape: tuple[int, ...], from_tensor: bool) -> bool:
    first, last = 1 <= shape[1] <= _MOST_CHANNELS, 1 <= shape[3] <= _MOST_CHANNELS
    if not first and not last:
        raise DataError(
            f"X has the shape {shape}, but pictures have 1 to {_MOST_CHANNELS} channels on axis 1 or axis 3."
        )
    return from_tensor if first and last else first


def _pixels(values: np.ndarray) -> np.ndarray:
    """Values as uint8 in 0..255, or as float32 in 0..1 where they were floats or uint16."""
    if values.dtype == np.uint8 or len(values) == 0:
        return values.astype(np.uint8)
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.uint16:
        return values.astype(np.float32) / np.float32(65535)
    bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if bad.any():
        raise DataError(
            f"Picture {int(bad.argmax()) + 1} of X holds NaN or an infinite value; remove that picture or correct it."
        )
    low, high, most = values.min(), values.max(), 1 if values.dtype.kind == "f" else 255
    if low < 0 or high > most:
        raise DataError(f"X holds pixels from {low:g} to {high:g}; give floats in 0..1 or uint8 in 0..255.")
    return values.astype(np.float32 if values.dtype.kind == "f" else np.uint8)


def _numeric(rows: Any, what: str) -> np.ndarray:
    """The numbers of an array or frame."""
    values = rows.to_numpy() if _is_frame(rows) else rows
    if values.dtype.kind == "O":
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError(
                f"X holds values that are not numbers, which {what} cannot have; correct or remove them."
            ) from None
    if values.dtype.kind not in "biuf":
        raise DataError(f"X holds {values.dtype} values; {what} are numbers.")
    return np.asarray(values)


def _targets(y: Any, n: int, task: Task | None, least_classes: int) -> tuple[Task, np.ndarray, tuple[str, ...]]:
    y = in_pandas(y)
    if isinstance(y, dict | set | str) or not hasattr(y, "__len__"):
        raise DataError(f"y is of the type {type(y).__name__}; give a list or an array with one label per row.")
    is_array = is_tensor(y) or isinstance(y, np.ma.MaskedArray)
    values = y.to_numpy() if _is_frame(y) else array_of(y, "y") if is_array else y
    _check_length(values, n, "y")
    missing = targets.missing_mask(values)
    if missing.any() and not missing.all():
        raise DataError(
            f"y is missing in {row_number(int(missing.argmax()))}; remove the rows without a target from X and y."
        )
    return targets.encode(values, task=task, where="y", least_classes=least_classes)


def _per_row(row_arrays: RowArrays, n: int) -> dict[str, Any]:
    """Field of `Dataset` -> its ``(n,)`` values, None where none are given."""
    if unknown := row_arrays.keys() - _CHECKS.keys():
        raise TypeError(f"from_arrays() got an unexpected keyword argument {min(unknown)!r}")
    given = {key: row_arrays.get(key) for key in _CHECKS}
    return {
        field: None if given[key] is None else _checked(given[key], n, key, check)
        for key, (field, check) in _CHECKS.items()
    }


def _checked(values: Any, n: int, what: str, check: Callable[[pd.Series, str, Place], np.ndarray]) -> np.ndarray:
    import pandas as pd

    values = in_pandas(values)
    flat = values if hasattr(values, "iloc") else array_of(values, what)
    _check_length(flat, n, what)
    if flat.ndim != 1:
        raise DataError(f"{what} has the shape {flat.shape}; give one value per row.")
    column: Any = frames.plain(pd.DataFrame({what: flat}), "the arguments")[what]
    if isinstance(column, TextColumn):
        site = Site(what, "the arguments")
        column = in_memory((labels.groups if what == "groups" else columns.learned)(column, site).values)
    return check(column, what, row_number)


def _check_length(values: Any, n: int, what: str) -> None:
    if len(values) != n:
        raise DataError(f"X has {n} rows but {what} has {len(values)}; give one per row.")
