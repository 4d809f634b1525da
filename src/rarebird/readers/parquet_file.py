"""Parquet: one file, or a folder of files with the same columns -> columns with the types that the file declares, in
memory, or on disk where they do not fit."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rarebird.core import memory
from rarebird.core.checks import DataError
from rarebird.core.disk_space import is_full
from rarebird.data.stored_frame import StoredColumn
from rarebird.readers import frames, parquet_on_disk, parquet_parts, targets
from rarebird.readers.parquet_parts import SUFFIXES as SUFFIXES
from rarebird.readers.parquet_parts import Part
from rarebird.readers.parquet_parts import files_in as files_in
from rarebird.readers.stored_columns import Folder
from rarebird.readers.text_column import TextColumn

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Bytes that a cell takes at least while it is read.
CELL_MEMORY = 16
# Share of the free memory above which a table stays on disk: what is made of it takes as much again.
IN_MEMORY = 0.4


@dataclass(frozen=True, eq=False)
class ParquetColumns:
    """The columns of a table.

    Attributes:
        columns: Name -> text cells, or values of a type; in memory, or on disk.
        folder: Where they are on disk; None: they are in memory.
        notes: Sentences for the user.
    """

    columns: dict[str, TextColumn | pd.Series | StoredColumn]
    folder: Folder | None
    notes: tuple[str, ...]


def read(
    path: Path,
    target: str,
    labelled: bool,
    held: Collection[str] = (),
    on_disk: bool = False,
    only: Collection[str] | None = None,
) -> ParquetColumns:
    """The columns of a Parquet file, or of all Parquet files below a folder.

    Folders named ``column=value``, as partitioned data sets have them, are a column. Files come in the order of their
    paths.

    Args:
        path: A file or a folder.
        target: Without labels this column is not read, so that it cannot matter.
        labelled: Whether labels are wanted.
        held: Columns that are in memory whatever the size of the table.
        on_disk: Whether the other columns stay on disk; they do so, too, where they would take more than a share of the
            free memory.
        only: Columns that are read; None: all.

    Raises:
        DataError: It cannot be read, holds no rows or several values per cell, or there is too little space on disk.
    """
    with _named(path):
        parts, schema = parquet_parts.parts_of(path)
        if sum(part.metadata.num_rows for part in parts) == 0:
            raise DataError(f"{path} holds no rows; give a table with one row per example.")
        index = _index_columns(schema)
        unread = [name for name in index if name != target]
        if not labelled and target in schema.names:
            unread.append(target)
        notes = tuple(
            f"Column {name!r} of {path} is the index of the saved frame, and is not used; reset the index to use it."
            for name in index
            if not name.startswith("__index_level_") and name != target
        )
        names = [name for name in schema.names if name not in unread and (only is None or name in only)]
        _refuse_nested(path, schema, names, target)
        needed = _memory(parts)
        is_large = on_disk or only is not None or needed > IN_MEMORY * memory.free_bytes()
        if is_large and len({frames.composed(name) for name in names}) == len(names):
            columns, folder, more = parquet_on_disk.read(path, parts, schema, names, held)
            if not on_disk and only is None:
                notes = (*notes, f"{path} does not fit into memory; its rows stay on disk while the command runs.")
            return ParquetColumns(columns, folder, (*notes, *more))
        memory.require_memory(needed, f"The table {path}", "split it, or leave out columns")
        frame = _table(path).drop_columns(unread).to_pandas(ignore_metadata=True)
        return ParquetColumns(dict(frames.plain(frame, str(path))), None, notes)


def _refuse_nested(path: Path, schema: pa.Schema, names: Collection[str], target: str) -> None:
    """Refuse columns with several values per cell."""
    import pyarrow as pa

    for field in (one for one in schema if one.name in names and pa.types.is_nested(one.type)):
        where = f"Column {field.name!r} of {path}"
        if field.name == target:
            raise targets.multi_label(where)
        raise DataError(f"{where} is nested ({field.type}); a table holds one value per cell: flatten or drop it.")


def _table(path: Path) -> pa.Table:
    from pyarrow import parquet

    if path.is_dir():
        return parquet_parts.whole(path).to_table()
    with parquet.ParquetFile(path) as file:
        return file.read()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turns what Arrow raises into a sentence that names the file."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        if is_full(error):
            raise
        raise DataError(
            f"{path} cannot be read as Parquet ({str(error).splitlines()[0].rstrip('.')}); give a Parquet or CSV file."
        ) from None


def _memory(parts: Sequence[Part]) -> int:
    """Bytes that a table takes in memory: a few bytes of a file can stand for any number of equal cells."""
    files = [part.metadata for part in parts]
    cells: int = sum(file.num_rows * file.num_columns for file in files)
    groups = (file.row_group(place) for file in files for place in range(file.num_row_groups))
    return CELL_MEMORY * cells + 2 * sum(int(group.total_byte_size) for group in groups)


def _index_columns(schema: pa.Schema) -> list[str]:
    """The columns in which pandas wrote a frame's index."""
    try:
        described = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        index = [name for name in described.get("index_columns", ()) if isinstance(name, str)]
    except (ValueError, AttributeError, TypeError):
        index = []
    plain = [name for name in schema.names if name.startswith("__index_level_")]
    return [name for name in dict.fromkeys([*index, *plain]) if name in schema.names]
