"""Tables: CSV (comma, tab, semicolon or bar; UTF-8, UTF-16 or GB18030) and Parquet -> Dataset."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Which columns are not features; None where there is none of that role."""

    target: str | None
    groups: str | None = None
    weight: str | None = None
    time: str | None = None


def read(path: Path, options: ReadOptions) -> Splits:
    """One table: its features as a frame, target, weights, groups and time taken out, rows without a target left out
    with a note.

    Row ids are the numbers of the data rows, "1" for the first.

    Args:
        path: A Parquet file (``.parquet``, ``.pq``), or delimited text with a line of column names.
        options: Names the columns that are not features.

    Raises:
        DataError: The file is no such table, lacks a named column, or holds values that cannot serve.
    """
    if options.groups_pattern is not None:
        raise DataError(
            f"--groups-pattern reads file names, which the rows of {path} do not have; name a column with --groups."
        )
    frame, roles, notes, place = (_parquet if path.suffix.lower() in (".parquet", ".pq") else _text)(path, options)
    dataset, dropped = assemble(frame, roles, options, where=str(path), name=path.stem, place=place)
    return Splits(dataset, notes=(*notes, *dropped))


def find_roles(names: Sequence[str], options: ReadOptions, where: str) -> Roles:
    """The columns that are not features, by the options; `target` serves where no target is named.

    Raises:
        DataError: A named column is absent (without labels, an absent one is no matter), or one column is named for two
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


def assemble(
    frame: pd.DataFrame, roles: Roles, options: ReadOptions, *, where: str, name: str, place: Place
) -> tuple[Dataset, list[str]]:
    """A data set from typed columns, and what the user should know.

    Args:
        frame: All columns, in the types that a `Frame` holds.
        roles: Which of them are not features.
        options: Task, labels wanted or not, and what the rows are.
        where: The file, for messages.
        name: What the data set is called in reports.
        place: Position of a row -> "line 7".

    Raises:
        DataError: No feature, no target in any row, or weights, groups or times that cannot serve.
    """
    features = frame.drop(
        columns=[column for column in (roles.target, roles.groups, roles.weight, roles.time) if column is not None],
        errors="ignore",
    )
    if features.shape[1] == 0:
        raise DataError(
            f"{where} has no column besides the target and its like; give a table with at least one feature."
        )
    task: Task = options.task or "classification"
    y: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    kept, notes = np.arange(len(frame)), []
    if options.labelled and roles.target is not None:
        values = frame[roles.target]
        missing = targets.missing_mask(values)
        if missing.any() and not missing.all():
            kept = np.flatnonzero(~missing)
            first = place(int(missing.argmax()))
            notes.append(
                f"{missing.sum()} of {len(frame)} {options.role} have no {roles.target!r} (first {first}) and were left out."
            )
        least = 2 if options.role == "training rows" else 1
        task, y, classes = targets.encode(
            values.iloc[kept], task=options.task, where=f"Column {roles.target!r} of {where}", least_classes=least
        )
    rows = frame.iloc[kept]

    def at(row: int) -> str:
        return place(int(kept[row]))

    dataset = Dataset(
        kind="table",
        task=task,
        source=Frame(features.iloc[kept].reset_index(drop=True)),
        index=np.arange(len(kept)),
        y=y,
        classes=classes,
        ids=(kept + 1).astype(str).astype(object),
        weight=None if roles.weight is None else weights(rows[roles.weight], f"Column {roles.weight!r} of {where}", at),
        group=None if roles.groups is None else groups(rows[roles.groups], f"Column {roles.groups!r} of {where}", at),
        time=None if roles.time is None else times(rows[roles.time], f"Column {roles.time!r} of {where}", at),
        name=name,
        target=roles.target or "target",
    )
    return dataset, notes


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
            f"{where} holds no group ({row}); give every row a group, one of its own where it stands alone."
        )
    return np.array([targets.label(value) for value in values], dtype=object)


def times(values: pd.Series, where: str, place: Place) -> np.ndarray:
    """``(n,)`` numbers or dates that put rows in order.

    Raises:
        DataError: They are neither, or a row has none.
    """
    if values.dtype.kind not in "iufM":
        raise DataError(
            f"{where} holds neither numbers nor dates in one format, so its rows have no order in time; correct it."
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
    # pandas writes a frame's index as such a column; and where labels are not wanted, the target must not matter.
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
            several = DataError(
                f"{where} is nested ({field.type}); a table holds one value per cell: flatten or drop it."
            )
            raise targets.multi_label(where) if field.name == roles.target else several
    return columns.plain(table.to_pandas(ignore_metadata=True), str(path)), roles, [], lambda row: f"row {row + 1}"


def _hint(name: str, names: Sequence[str]) -> str:
    """The nearest column, or some of them where none is near."""
    lowered = [other for other in names if other.lower() == name.lower()]
    hint = f"did you mean {lowered[0]!r}?" if lowered else nearest(name, names)
    return hint if hint.startswith("did") else f"it has {some(names)}."
