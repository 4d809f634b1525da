"""Tables: CSV (comma, tab, semicolon or bar), Parquet, JSON and Excel's workbooks -> Dataset. `docs/reading-data.md`
says what is read as what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.core.checks import DataError, some
from rarebird.data.dataset import Dataset, Frame, Splits, Task
from rarebird.data.schema import ColumnFormat, Reading, Schema
from rarebird.data.stored_frame import StoredColumn, in_memory, stored_frame
from rarebird.readers import (
    compressed,
    delimited,
    false_rows,
    json_rows,
    labels,
    parquet_file,
    roles,
    targets,
    total_row,
    typed_columns,
    worksheet,
)
from rarebird.readers.columns import Column
from rarebird.readers.false_rows import NAMELESS
from rarebird.readers.options import ReadOptions
from rarebird.readers.parquet_parts import release_memory
from rarebird.readers.roles import Roles
from rarebird.readers.row_numbers import RowNumbers
from rarebird.readers.site import File, Place, row_number
from rarebird.readers.spellings import folded
from rarebird.readers.stored_columns import Folder, stored
from rarebird.readers.text_column import TextColumn

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (*parquet_file.SUFFIXES, *json_rows.SUFFIXES, *worksheet.SUFFIXES)
"""Of tables that are not delimited text."""


@dataclass(frozen=True, eq=False)
class Untyped:
    """The columns of a table before they are typed.

    Attributes:
        columns: Name -> text cells, or values of a type.
        file: Where they are.
        notes: Sentences for the user.
        encoding: Of a text file; empty for other formats.
        folder: Where columns are on disk; None: they are in memory.
    """

    columns: Mapping[str, TextColumn | pd.Series | StoredColumn]
    file: File
    notes: tuple[str, ...] = ()
    encoding: str = ""
    folder: Folder | None = None


def read(path: Path, options: ReadOptions) -> Splits:
    """One table: its features as a frame, without the columns of target, weights, groups and time. Rows without a
    target are left out, with a note.

    Row ids are the numbers of the data rows, "1" for the first.

    Args:
        path: A Parquet file (``.parquet``, ``.pq``) or a folder of such files, rows as JSON, a workbook, or delimited
            text with a line of column names.
        options: Names the columns that are not features; its schema says how the cells are written.

    Raises:
        DataError: The file is not such a table, lacks a named column, or holds values that cannot be used.
    """
    if options.groups_pattern is not None:
        raise DataError(
            f"--groups-pattern reads file names, which the rows of {path} do not have; name a column with --groups."
        )
    untyped = _untyped(path, options)
    untyped, notes = _as_in_training(untyped, options)
    found = roles.find_roles(list(untyped.columns), options, str(path))
    dataset, more = _assemble(untyped, found, options, path)
    if untyped.folder is not None:
        release_memory()
    return Splits(dataset, notes=(*untyped.notes, *notes, *more))


def _untyped(path: Path, options: ReadOptions) -> Untyped:
    suffix = compressed.suffix(path)
    target = options.target_name
    if path.is_dir() or suffix in parquet_file.SUFFIXES:
        held = (target, options.groups, options.weight, options.time, options.names)
        found = parquet_file.read(path, target, options.labelled, [name for name in held if name], options.on_disk)
        return Untyped(found.columns, File(str(path), row_number), found.notes, folder=found.folder)
    if suffix in json_rows.SUFFIXES:
        columns, place, more = json_rows.read(path, target, options.labelled)
        return Untyped(columns, File(str(path), place), tuple(more))
    if suffix in worksheet.SUFFIXES:
        return _text(worksheet.read(path, _expected(options)))
    return _text(delimited.read(path, options.schema.encoding if options.schema else "", _expected(options)))


def _expected(options: ReadOptions) -> list[str]:
    """Column names that the file should have."""
    known = [] if options.schema is None else list(options.schema.columns)
    return [*known, options.target_name] if options.labelled else known


def _text(cells: delimited.Cells) -> Untyped:
    named = zip(cells.names, map(TextColumn, cells.columns), strict=True)
    columns = {name: column for name, column in named if not (name.startswith(NAMELESS) and not column.has_text)}
    file = File(str(cells.path), lambda row: f"line {cells.line(row)}", semicolons=cells.delimiter == ";")
    away, more = false_rows.found(columns, file)
    notes = [*cells.notes, *more]
    if len(away):
        kept = np.setdiff1d(np.arange(len(cells.columns[0])), away)
        columns = {name: TextColumn(column.cells.take(kept)) for name, column in columns.items()}
        file = replace(file, place=lambda row: f"line {cells.line(int(kept[row]))}")
        if not len(kept):
            raise DataError(f"{cells.path} holds column names but no rows; give a table with one line per row.")
    if (word := total_row.found(columns)) is not None:
        last = len(next(iter(columns.values()))) - 1
        notes.append(f"The last row ({file.place(last)}) holds totals ({word!r}) and is left out.")
        columns = {name: TextColumn(column.cells[:-1]) for name, column in columns.items()}
    return Untyped(columns, file, tuple(notes), cells.encoding)


def read_target(path: Path, options: ReadOptions) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """The target of a Parquet table without its features: the positions of the rows that have one, their codes or
    numbers, and the classes.

    Raises:
        DataError: It has no such column, or no value in it.
    """
    name = options.target_name
    read = parquet_file.read(path, name, True, [name], only=[name])
    file = File(str(path), row_number)
    found = roles.find_roles(list(read.columns), ReadOptions(target=name), str(path))
    column = _target_column(in_memory(read.columns[name]), file, str(found.target), options)
    (_, y, classes), kept, _ = _encoded_target(column, name, options, path, file.place)
    return kept, y, classes


def _as_in_training(untyped: Untyped, options: ReadOptions) -> tuple[Untyped, list[str]]:
    """The columns under the names that they have in training, where only case or blanks differ; so is the target of
    training rows, if no other name is given for it."""
    schema, target = options.schema, options.target_name
    matched = {} if schema is None else typed_columns.matched_names(untyped.columns, schema)
    if target not in untyped.columns and (schema is not None or options.target is None):
        near = [name for name in untyped.columns if folded(name) == folded(target) and name not in matched]
        matched |= dict.fromkeys(near, target) if len(near) == 1 else {}
    if not matched:
        return untyped, []
    columns = {matched.get(name, name): cells for name, cells in untyped.columns.items()}
    if schema is None:
        return replace(untyped, columns=columns), []
    listed = some(f"{name!r} as {known!r}" for name, known in matched.items())
    return replace(untyped, columns=columns), [
        f"Columns of {untyped.file.name} are read by another spelling: {listed}."
    ]


def _assemble(untyped: Untyped, found: Roles, options: ReadOptions, path: Path) -> tuple[Dataset, list[str]]:
    """A data set of typed columns, and notes for the user.

    Raises:
        DataError: No feature, no target in any row, or weights, groups or times that cannot be used.
    """
    file, schema = untyped.file, options.schema
    target = None if found.target is None or not options.labelled else untyped.columns[found.target]
    others = {name: cells for name, cells in untyped.columns.items() if name != found.target}
    typed, notes = _typed(others, found, schema, options.names, file)
    features = {name: values for name, values in typed.values.items() if name not in found.not_features}
    if not features:
        raise DataError(f"{path} has no column of features; give a table with at least one.")
    n = len(next(iter(features.values())))
    encoded, kept = None, np.arange(n)
    column: Column | None = None
    if target is not None and found.target is not None:
        column = _target_column(in_memory(target), file, found.target, options)
        encoded, kept, more = _encoded_target(column, found.target, options, path, file.place)
        notes += [*column.notes, *more]

    def values(name: str | None, check: Callable[[pd.Series, str, Place], np.ndarray]) -> np.ndarray | None:
        if name is None:
            return None
        rows = in_memory(typed.values[name]).iloc[kept]
        return check(rows, f"Column {name!r} of {path}", lambda row: file.place(int(kept[row])))

    task, y, classes = encoded or (options.task or "classification", None, ())
    forms = schema or Schema(columns=typed.forms, target=column and column.form, encoding=untyped.encoding)
    dataset = Dataset(
        kind="table",
        task=task,
        **_rows(features, kept, n, untyped.folder),
        y=y,
        classes=classes,
        weight=values(found.weight, roles.weights),
        group=values(found.groups, roles.groups),
        time=values(found.time, roles.times),
        name=compressed.stem(path),
        target=found.target or "target",
        reading=Reading(forms, typed.lost, typed.unseen),
    )
    return dataset, notes


def _typed(
    columns: Mapping[str, TextColumn | pd.Series | StoredColumn],
    found: Roles,
    schema: Schema | None,
    names: str | None,
    file: File,
) -> tuple[typed_columns.TypedColumns, list[str]]:
    """All columns but the target. Groups are labels, and names of files are text as it is written; later files are read
    by the schema."""
    features = {name: cells for name, cells in columns.items() if name not in (found.groups, names)}
    notes: list[str] = []
    if schema is None:
        typed = typed_columns.learn(features, file)
    else:
        strange = [name for name in features if name not in schema.columns and name not in found.not_features]
        if strange:
            notes.append(f"Columns that no training row has are not used: {some(map(repr, strange))}.")
        typed = typed_columns.follow(features, schema, file)
    as_written = {
        name: (labels.groups if name == found.groups else labels.names)(in_memory(columns[name]), file.site(name))
        for name in (found.groups, names)
        if name is not None and name in columns
    }
    typed = replace(
        typed,
        values=typed.values | {name: column.values for name, column in as_written.items()},
        forms=typed.forms | {name: column.form for name, column in as_written.items()},
    )
    return typed, [*notes, *typed.notes, *(note for column in as_written.values() for note in column.notes)]


def _rows(
    features: Mapping[str, pd.Series | StoredColumn], kept: np.ndarray, n: int, folder: Folder | None
) -> dict[str, Any]:
    """The source of the rows that are kept, their places in it, and their names."""
    if folder is None:
        names = (kept + 1).astype(str).astype(object)
        return {"source": Frame(_frame(features, kept, n)), "index": np.arange(len(kept)), "ids": names}
    source = stored_frame(stored(folder, features), folder.bounds, folder)
    index = folder.positions if len(kept) == n else folder.positions[kept]
    return {"source": source, "index": index, "ids": RowNumbers((kept + 1).astype(np.min_scalar_type(n)))}


def _frame(features: Mapping[str, Any], kept: np.ndarray, n: int) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(dict(features), index=pd.RangeIndex(n))
    return frame if len(kept) == n else frame.iloc[kept].reset_index(drop=True)


def _target_column(cells: TextColumn | pd.Series, file: File, name: str, options: ReadOptions) -> Column:
    form: ColumnFormat | None = options.schema.target if options.schema else None
    if form is None:
        return labels.learned(cells, file.site(name), options.task)
    return labels.followed(cells, form, file.site(name))


def _encoded_target(
    column: Column, name: str, options: ReadOptions, path: Path, place: Place
) -> tuple[tuple[Task, np.ndarray, tuple[str, ...]], np.ndarray, list[str]]:
    """Task, codes or numbers, and classes of the rows that have a target; the positions of these rows; notes."""
    values, where = in_memory(column.values), f"Column {name!r} of {path}"
    kept, notes, described = np.arange(len(values)), [], where
    missing = targets.missing_mask(values)
    if missing.any() and not missing.all():
        kept = np.flatnonzero(~missing)
        lacking = f"{missing.sum()} of {len(values)} {options.role} have no {name!r}"
        notes.append(f"{lacking} (first {place(int(missing.argmax()))}) and were left out.")
        described = f"{where}, of which {missing.sum():,} of {len(values):,} cells are empty,"
    least = 2 if options.role == "training rows" else 1
    encoded = targets.encode(values.iloc[kept], task=options.task, where=described, least_classes=least)
    if options.task is None:
        notes += targets.notes_on_guess(values.iloc[kept], encoded[0], where)
    return encoded, kept, notes
