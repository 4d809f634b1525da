"""Parquet: one file, or a folder of files with the same columns -> columns with the types that the file declares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rarebird.core.checks import DataError, some
from rarebird.core.memory import require_memory
from rarebird.readers import frames, targets
from rarebird.readers.text_column import TextColumn

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

# Bytes that a cell takes at least while it is read.
CELL_MEMORY = 16
SUFFIXES = (".parquet", ".pq")


def read(path: Path, target: str, labelled: bool) -> tuple[dict[str, TextColumn | pd.Series], tuple[str, ...]]:
    """The columns of a Parquet file, or of all Parquet files below a folder, and notes for the user.

    Folders named ``column=value``, as partitioned data sets have them, are a column. Files come in the order of their
    paths.

    Args:
        path: A file or a folder.
        target: Without labels this column is not read, so that it cannot matter.
        labelled: Whether labels are wanted.

    Raises:
        DataError: It cannot be read, holds no rows, or a column holds several values per cell.
    """
    import pyarrow as pa

    table = _table(path)
    index = _index_columns(table)
    unread = [name for name in index if name != target]
    if not labelled and target in table.column_names:
        unread.append(target)
    notes = tuple(
        f"Column {name!r} of {path} is the index of the saved frame, and is not used; reset the index to use it."
        for name in index
        if not name.startswith("__index_level_") and name != target
    )
    table = table.drop_columns(unread)
    if table.num_rows == 0:
        raise DataError(f"{path} holds no rows; give a table with one row per example.")
    for field in table.schema:
        if pa.types.is_nested(field.type):
            where = f"Column {field.name!r} of {path}"
            if field.name == target:
                raise targets.multi_label(where)
            raise DataError(f"{where} is nested ({field.type}); a table holds one value per cell: flatten or drop it.")
    return frames.plain(table.to_pandas(ignore_metadata=True), str(path)), notes


def files_in(folder: Path) -> list[Path]:
    """The Parquet files below a folder, without those that writers hide (names that begin with a point or `_`)."""
    found = sorted(path for suffix in SUFFIXES for path in folder.rglob(f"*{suffix}") if path.is_file())
    return [path for path in found if not any(part[0] in "._" for part in path.relative_to(folder).parts)]


def _table(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import dataset, parquet

    try:
        if not path.is_dir():
            with parquet.ParquetFile(path) as file:
                _check_size(path, [file.metadata])
                return file.read()
        files = [str(file) for file in files_in(path)]
        _check_size(path, [parquet.read_metadata(file) for file in files])
        partitioning = dataset.partitioning(flavor="hive")
        rows = dataset.dataset(files, format="parquet", partitioning=partitioning, partition_base_dir=str(path))
        _refuse_other_columns(path, rows)
        return rows.to_table()
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{path} cannot be read as Parquet ({str(error).splitlines()[0].rstrip('.')}); give a Parquet or CSV file."
        ) from None


def _check_size(path: Path, parts: list[parquet.FileMetaData]) -> None:
    """Refuse what takes more memory than there is: a few bytes of a file can stand for any number of equal cells."""
    cells = sum(part.num_rows * part.num_columns for part in parts)
    groups = (part.row_group(place) for part in parts for place in range(part.num_row_groups))
    declared = sum(group.total_byte_size for group in groups)
    require_memory(CELL_MEMORY * cells + 2 * declared, f"The table {path}", "split it, or leave out columns")


def _refuse_other_columns(path: Path, rows: pa.dataset.Dataset) -> None:
    """Refuse a folder whose files are not parts of one table."""
    fragments = list(rows.get_fragments())
    first = fragments[0].physical_schema.names
    for fragment in fragments[1:]:
        other = fragment.physical_schema.names
        if set(other) != set(first):
            different = some(sorted(map(repr, set(other) ^ set(first))))
            raise DataError(
                f"The Parquet files in {path} have different columns ({different} in {Path(fragment.path).name}) "
                "and so are not parts of one table; give one of the files."
            )


def _index_columns(table: pa.Table) -> list[str]:
    """The columns in which pandas wrote a frame's index."""
    try:
        described = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
        index = [name for name in described.get("index_columns", ()) if isinstance(name, str)]
    except (ValueError, AttributeError, TypeError):
        index = []
    plain = [name for name in table.column_names if name.startswith("__index_level_")]
    return [name for name in dict.fromkeys([*index, *plain]) if name in table.column_names]
