"""Tables: CSV (comma, tab, semicolon or bar; UTF-8, UTF-16 or GB18030) and Parquet -> Dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import DataError, nearest, some
from rarebird.data.dataset import Dataset, Frame, Splits, Task
from rarebird.readers import columns, delimited, targets
from rarebird.readers.columns import Place
from rarebird.readers.options import ReadOptions

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Roles:
    """The columns that are not features; None if no column has that role."""

    target: str | None
    groups: str | None = None
    weight: str | None = None
    time: str | None = None


def read(path: Path, options: ReadOptions) -> Splits:
    """One table: its features as a frame, without the columns of target, weights, groups and time. Rows without a
    target are left out, with a note.

    Row ids are the numbers of the data rows, "1" for the first.

    Args:
        path: A Parquet file (``.parquet``, ``.pq``), or delimited text with a line of column names.
        options: Names the columns that are not features.

    Raises:
        DataError: The file is not such a table, lacks a named column, or holds values that cannot be used.
    """
    if options.groups_pattern is not None:
        raise DataError(
            f"--groups-pattern reads file names, which the rows of {path} do not have; name a column with --groups."
        )
    frame, roles, notes, place = (_parquet if path.suffix.lower() in (".parquet", ".pq") else _text)(path, options)
    dataset, more = _assemble(frame, roles, options, path, place)
    return Splits(dataset, notes=(*notes, *more))


def find_roles(names: Sequence[str], options: ReadOptions, where: str) -> Roles:
    """The columns that are not features, by the options; the target is `target` if none is named.

    Raises:
        DataError: A named column is absent (which is allowed if labels are not wanted), or one column is named for two
            roles.
    """
    target = options.target if options.target is not None else "target"
    if options.labelled and options.target is None and target not in names:
        raise DataError(
            f"{where} has no column 'target'; name the target's column with --target, one of {some(names)}."
        )
    wanted = {"target": target, "groups": options.groups, "weight": options.weight, "time": options.time}
    for role, name in wanted.items():
        if name is not None and name not in names:
            if options.labelled:
                raise DataError(f"{where} has no column {name!r} (--{role}); {_hint(name, names)}")
            wanted[role] = None
    taken = [name for name in wanted.values() if name is not None]
    twice = next((name for name in taken if taken.count(name) > 1), None)
    if twice is not None:
        both = [f"--{role}" for role, name in wanted.items() if name == twice]
        raise DataError(
            f"{' and '.join(both)} name the same column {twice!r} of {where}; name a column for one of them only."
        )
    return Roles(**wanted)


def _assemble(
    frame: pd.DataFrame, roles: Roles, options: ReadOptions, path: Path, place: Place
) -> tuple[Dataset, list[str]]:
    """A data set from typed columns, and notes for the user.

    Args:
        frame: All columns, in the types that a `Frame` holds.
        roles: The columns that are not features.
        options: Task, whether labels are wanted, and the role of the rows.
        path: The file.
        place: Position of a row -> "line 7".

    Raises:
        DataError: No feature, no target in any row, or weights, groups or times that cannot be used.
    """
    features = frame.drop(
        columns=[column for column in (roles.target, roles.groups, roles.weight, roles.time) if column is not None],
        errors="ignore",
    )
    if features.shape[1] == 0:
        raise DataError(f"{path} has no column of features; give a table with at least one.")
    encoded, kept = None, np.arange(len(frame))
    notes: list[str] = []
    if options.labelled and roles.target is not None:
        encoded, kept, notes = _encoded_target(
            frame[roles.target], options, f"Column {roles.target!r} of {path}", place
        )
    rows = frame.iloc[kept]

    def values(column: str | None, check: Callable[[pd.Series, str, Place], np.ndarray]) -> np.ndarray | None:
        if column is None:
            return None
        return check(rows[column], f"Column {column!r} of {path}", lambda row: place(int(kept[row])))

    task, y, classes = encoded or (options.task or "classification", None, ())
    dataset = Dataset(
        kind="table",
        task=task,
        source=Frame(features.iloc[kept].reset_index(drop=True)),
        index=np.arange(len(kept)),
        y=y,
        classes=classes,
        ids=(kept + 1).astype(str).astype(object),
        weight=values(roles.weight, weights),
        group=values(roles.groups, groups),
        time=values(roles.time, times),
        name=path.stem,
        target=roles.target or "target",
    )
    return dataset, notes


def _encoded_target(
    values: pd.Series, options: ReadOptions, where: str, place: Place
) -> tuple[tuple[Task, np.ndarray, tuple[str, ...]], np.ndarray, list[str]]:
    """Task, codes or numbers, and classes of the rows that have a target; the positions of these rows; notes."""
    kept, notes = np.arange(len(values)), []
    missing = targets.missing_mask(values)
    if missing.any() and not missing.all():
        kept = np.flatnonzero(~missing)
        lacking = f"{missing.sum()} of {len(values)} {options.role} have no {values.name!r}"
        notes.append(f"{lacking} (first {place(int(missing.argmax()))}) and were left out.")
    least = 2 if options.role == "training rows" else 1
    return targets.encode(values.iloc[kept], task=options.task, where=where, least_classes=least), kept, notes


def weights(values: pd.Series, where: str, place: Place) -> np.ndarray:
    """``(n,)`` float64 sample weights: finite, none below 0, some above.

    Raises:
        DataError: A weight breaks the rule; the message names its row.
    """
    if values.dtype.kind not in "iuf":
        raise DataError(f"{where} is not numeric; sample weights are finite numbers of at least 0.")
    weight = values.to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(weight) | (weight < 0)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{where} holds the weight {weight[row]:g} ({place(row)}); sample weights are finite numbers of at least 0."
        )
    if not (weight > 0).any():
        raise DataError(f"{where} gives every row the weight 0; at least one weight must be above 0.")
    return weight


def groups(values: pd.Series, where: str, place: Place) -> np.ndarray:
    """``(n,)`` group labels as text.

    Raises:
        DataError: A row has none.
    """
    missing = targets.missing_mask(values)
    if missing.any():
        row = place(int(missing.argmax()))
        raise DataError(
            f"{where} holds no group ({row}); give every row a group, and a row without others a group of its own."
        )
    return np.array([targets.label(value) for value in values], dtype=object)


def times(values: pd.Series, where: str, place: Place) -> np.ndarray:
    """``(n,)`` numbers or dates that put rows in order.

    Raises:
        DataError: They are neither, or a row has none.
    """
    if values.dtype.kind not in "iufM":
        raise DataError(
            f"{where} holds neither numbers nor dates in one format, so the rows have no order in time; correct it."
        )
    missing = values.isna().to_numpy()
    if missing.any():
        raise DataError(f"{where} holds no time ({place(int(missing.argmax()))}); fill it in or remove that row.")
    return values.to_numpy()


def _text(path: Path, options: ReadOptions) -> tuple[pd.DataFrame, Roles, list[str], Place]:
    import pandas as pd

    cells = delimited.read(path)
    roles = find_roles(cells.names, options, str(path))
    series, notes = {}, list(cells.notes)

    def place(row: int) -> str:
        return f"line {cells.line(row)}"

    for name, column in zip(cells.names, cells.columns, strict=True):
        if name == roles.target and not options.labelled:
            continue
        kind = columns.labels if name in (roles.target, roles.groups) else columns.typed
        series[name], more = kind(column, name, str(path), place)
        notes += more
    return pd.DataFrame(series), roles, notes, place


def _parquet(path: Path, options: ReadOptions) -> tuple[pd.DataFrame, Roles, list[str], Place]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            table = file.read()
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{path} cannot be read as Parquet ({str(error).splitlines()[0].rstrip('.')}); give a Parquet or CSV file."
        ) from None
    roles = find_roles(table.column_names, options, str(path))
    # pandas writes a frame's index as such a column. Without labels, the target is not read, so that it cannot matter.
    unread = [
        name
        for name in table.column_names
        if name.startswith("__index_level_") or (name == roles.target and not options.labelled)
    ]
    table = table.drop_columns(unread)
    if table.num_rows == 0:
        raise DataError(f"{path} holds no rows; give a table with one row per example.")
    for field in table.schema:
        if pa.types.is_nested(field.type):
            where = f"Column {field.name!r} of {path}"
            if field.name == roles.target:
                raise targets.multi_label(where)
            raise DataError(f"{where} is nested ({field.type}); a table holds one value per cell: flatten or drop it.")
    return columns.plain(table.to_pandas(ignore_metadata=True), str(path)), roles, [], lambda row: f"row {row + 1}"


def _hint(name: str, names: Sequence[str]) -> str:
    """The nearest column, or a few of them if none is near."""
    lowered = [other for other in names if other.lower() == name.lower()]
    hint = f"did you mean {lowered[0]!r}?" if lowered else nearest(name, names)
    return hint if hint.startswith("did") else f"it has {some(names)}."
