"""Arrays, data frames and tensors from Python -> Dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.core.checks import DataError, require
from rarebird.data.dataset import Curves, Dataset, Frame, Kind, Pixels, Source, Task
from rarebird.readers import columns, series, table, targets

if TYPE_CHECKING:
    import pandas as pd

_MOST_CHANNELS = 4


def from_arrays(
    X: Any,
    y: Any = None,
    *,
    kind: Kind | None = None,
    task: Task | None = None,
    sample_weight: Any = None,
    groups: Any = None,
    time: Any = None,
    classes: Sequence[str] | None = None,
    name: str = "data",
) -> Dataset:
    """A data set from what Python holds; tensors come from any device, and torch is not imported for them.

    Args:
        X: A table: a pandas frame, a structured array, or ``(n, columns)`` numbers, texts or objects, whose columns are
            called x0, x1, ... Series: ``(n, channels, length)`` numbers, NaN where missing or beyond the end; also
            ``(n, length)`` with ``kind="series"``. Pictures: ``(n, height, width, channels)`` or ``(n, channels,
            height, width)``, uint8 or other integers in 0..255, uint16 over its whole range, booleans, or floats in
            0..1; also ``(n, height, width)`` with ``kind="image"``. The axis of 1 to 4 elements holds the channels;
            where both could, it is an array's last and a tensor's first, as is the habit of either.
        y: ``(n,)`` labels or numbers, ``(n, 1)`` or one-hot; None where there are none.
        kind: Overrides the guess from the shape.
        task: Overrides the guess from `y`.
        sample_weight: ``(n,)`` finite numbers of at least 0, some above.
        groups: ``(n,)`` labels of what belongs together (patient, track, site).
        time: ``(n,)`` numbers or dates.
        classes: The labels that codes refer to, in order, where they are known beforehand; None: those of `y`.
        name: What the data set is called in reports.

    Raises:
        DataError: A shape, type or value that cannot serve, or parts of different lengths.
    """
    require(kind in (None, "image", "table", "series"), "kind is image, table or series", kind=kind)
    rows = X if _is_frame(X) else _array(X, "X")
    kind = kind or _guess(rows)
    source: Source = (
        _pictures(rows, _is_tensor(X)) if kind == "image" else _series(rows) if kind == "series" else _table(rows)
    )
    n = len(source)
    if n == 0:
        raise DataError("X holds no rows; give at least one.")
    codes: np.ndarray | None = None
    labels: tuple[str, ...] = () if classes is None else tuple(classes)
    if y is not None:
        task, codes, labels = _targets(y, n, task, 1 if classes is not None else 2)
    dataset = Dataset(
        kind=kind,
        task=task or "classification",
        source=source,
        index=np.arange(n),
        y=codes,
        classes=labels,
        ids=np.arange(1, n + 1).astype(str).astype(object),
        weight=_part(sample_weight, n, "sample_weight", table.weights),
        group=_part(groups, n, "groups", table.groups),
        time=_part(time, n, "time", table.times),
        name=name,
    )
    return dataset if classes is None or task == "regression" else dataset.aligned(classes)


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "detach") and hasattr(value, "cpu")


def _is_frame(value: Any) -> bool:
    return hasattr(value, "iloc") and hasattr(value, "columns")


def _array(value: Any, what: str) -> np.ndarray:
    """Anything array-like as an array, on the host."""
    if _is_tensor(value):
        return np.asarray(value.detach().cpu().numpy())
    if hasattr(value, "toarray"):
        raise DataError(f"{what} is a sparse matrix, which is not served; give it dense, as {what}.toarray().")
    try:
        return np.asarray(value)
    except ValueError:
        raise DataError(f"{what} has rows of unequal length; give an array, series padded with NaN.") from None


def _guess(rows: Any) -> Kind:
    """The kind by the number of axes."""
    if _is_frame(rows) or rows.dtype.names is not None or rows.ndim == 2:
        return "table"
    if rows.ndim not in (3, 4):
        raise DataError(
            f"X has the shape {rows.shape}; give (n, columns), (n, channels, length) or pictures (n, height, width, channels)."
        )
    return "series" if rows.ndim == 3 else "image"


def _table(rows: Any) -> Frame:
    import pandas as pd

    frame = rows
    if not _is_frame(rows):
        if rows.dtype.names is not None:
            frame = pd.DataFrame({name: rows[name] for name in rows.dtype.names})
        elif rows.ndim != 2:
            raise DataError(f"X has the shape {rows.shape}; a table is (n, columns).")
        else:
            names = [f"x{place}" for place in range(rows.shape[1])]
            frame = (
                _from_texts(rows, names)
                if rows.dtype.kind in "US"
                else pd.DataFrame(rows, columns=names).infer_objects()
            )
    if frame.shape[1] == 0:
        raise DataError("X has no columns; give a table with at least one feature.")
    return Frame(columns.plain(frame, "X"))


def _from_texts(rows: np.ndarray, names: list[str]) -> pd.DataFrame:
    """NumPy makes texts of numbers that share an array with texts; they are read back as the cells of a file are."""
    import pandas as pd
    import pyarrow as pa

    cells = [pa.chunked_array([pa.array(column.astype(str).tolist(), pa.string())]) for column in rows.T]
    return pd.DataFrame(
        {name: columns.typed(column, name, "X", _place)[0] for name, column in zip(names, cells, strict=True)}
    )


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
            f"X has the shape {values.shape}; pictures are (n, height, width, channels) or (n, channels, height, width)."
        )
    elif not _channels_first(values.shape, from_tensor):
        values = values.transpose(0, 3, 1, 2)
    return Pixels(np.ascontiguousarray(_pixels(values)))


def _channels_first(shape: tuple[int, ...], from_tensor: bool) -> bool:
    first, last = 1 <= shape[1] <= _MOST_CHANNELS, 1 <= shape[3] <= _MOST_CHANNELS
    if not first and not last:
        raise DataError(
            f"X has the shape {shape}, in which neither axis 1 nor axis 3 has the 1 to {_MOST_CHANNELS} channels of pictures."
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
                f"X holds values that are no numbers, which {what} cannot have; correct or remove them."
            ) from None
    if values.dtype.kind not in "biuf":
        raise DataError(f"X holds {values.dtype} values; {what} are numbers.")
    return np.asarray(values)


def _targets(y: Any, n: int, task: Task | None, least_classes: int) -> tuple[Task, np.ndarray, tuple[str, ...]]:
    values = y.to_numpy() if _is_frame(y) else _array(y, "y") if _is_tensor(y) else y
    _check_length(values, n, "y")
    missing = targets.missing_mask(values)
    if missing.any() and not missing.all():
        raise DataError(
            f"y is missing in {_place(int(missing.argmax()))}; remove the rows without a target from X and y."
        )
    return targets.encode(values, task=task, where="y", least_classes=least_classes)


def _part(
    values: Any, n: int, what: str, check: Callable[[pd.Series, str, columns.Place], np.ndarray]
) -> np.ndarray | None:
    """What is known of each row beside its target."""
    import pandas as pd

    if values is None:
        return None
    flat = values if hasattr(values, "iloc") else _array(values, what)
    _check_length(flat, n, what)
    if flat.ndim != 1:
        raise DataError(f"{what} has the shape {flat.shape}; give one value per row.")
    return check(columns.plain(pd.DataFrame({what: flat}), "the arguments")[what], what, _place)


def _check_length(values: Any, n: int, what: str) -> None:
    if len(values) != n:
        raise DataError(f"X has {n} rows but {what} has {len(values)}; give one per row.")


def _place(row: int) -> str:
    return f"row {row + 1}"
