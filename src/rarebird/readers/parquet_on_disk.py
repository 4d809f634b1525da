"""Parquet tables larger than memory: their columns are written into a temporary folder, some rows at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import some
from rarebird.core.memory import require_memory
from rarebird.data.sources import CHUNK_CELLS
from rarebird.data.stored_frame import StoredColumn
from rarebird.readers import frames, parquet_parts
from rarebird.readers.frames import composed
from rarebird.readers.parquet_parts import Part
from rarebird.readers.site import Site, row_number
from rarebird.readers.stored_columns import MOST_TEXTS, Folder, TextWriter, Writer
from rarebird.readers.text_column import TextColumn

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    Columns = dict[str, TextColumn | pd.Series | StoredColumn]

# Bytes that a cell of a column takes while the column is read at once.
CELL_MEMORY = 64
# Bytes that a row takes in memory while its columns are on disk: its place, its label, and digests.
ROW_MEMORY = 64
ROWS = 10_000
CODES = np.dtype(np.int32)


def read(
    path: Path, parts: Sequence[Part], schema: pa.Schema, names: Sequence[str], held: Collection[str]
) -> tuple[Columns, Folder, list[str]]:
    """Columns of a table, on disk.

    Numbers, dates and texts are read some rows at a time; a column of any other type is read at once.

    Args:
        path: The table, for messages.
        parts: Its files.
        schema: Its columns.
        names: Those that are read.
        held: Of these, columns that stay in memory; texts stay as codes of all different ones.

    Returns:
        Name -> column, in the order of `names`; where they are on disk; and sentences for the user.

    Raises:
        DataError: There is too little space on disk, or memory for a column that is read at once, or a number is
            infinite.
        DiskFullError: The disk became full.
    """
    import pyarrow as pa

    n = sum(part.metadata.num_rows for part in parts)
    require_memory(ROW_MEMORY * n, f"What is kept of each row of {path}", "split it")
    fields = [schema.field(name) for name in names]
    types = {one.name: _stored_type(parts, one) for one in fields if composed(one.name) not in held or _is_text(one)}
    streamed = {name: dtype for name, dtype in types.items() if dtype is not None}
    folder, row_bytes = Folder(), sum(dtype.itemsize for dtype in streamed.values())
    folder.require(n * row_bytes, f"The table {path}")
    folder.lay_out(n, row_bytes)
    found = _streamed(path, parts, schema, streamed, folder)
    for name in (one for one in names if one not in found and (one not in streamed or composed(one) in held)):
        require_memory(CELL_MEMORY * n, f"Column {name!r} of {path}", "leave it out, or give fewer rows")
        table = pa.concat_tables(parquet_parts.batches(parts, schema, [name], CHUNK_CELLS))
        (found[name],) = frames.plain(table.to_pandas(ignore_metadata=True), str(path)).values()
    left = [name for name in names if name not in found]
    notes = []
    if left:
        notes.append(
            f"Columns of {path} with more than {MOST_TEXTS:,} different texts are left out: {some(map(repr, left))}."
        )
    return {composed(name): found[name] for name in names if name in found}, folder, notes


def _stored_type(parts: Sequence[Part], field: pa.Field) -> np.dtype | None:
    """The type in which a column is stored: that which it has in memory; codes for texts. None: it is read at once."""
    import pyarrow as pa

    kind = field.type
    if _is_text(field):
        return CODES
    streams = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_timestamp(kind)
    if pa.types.is_boolean(kind):
        streams = not any(part.may_be_missing(field.name) for part in parts)
    if not streams:
        return None
    own = np.dtype(pa.array([], kind).to_numpy(zero_copy_only=False).dtype)
    # As in pandas, whole numbers with missing ones among them are floats.
    return np.dtype(np.float64) if own.kind in "iu" and _has_missing(parts, field) else own


def _is_text(field: pa.Field) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(field.type) or pa.types.is_large_string(field.type))


def _has_missing(parts: Sequence[Part], field: pa.Field) -> bool:
    import pyarrow as pa

    doubtful = [part for part in parts if part.may_be_missing(field.name)]
    return any(
        table.column(0).null_count
        for table in parquet_parts.batches(doubtful, pa.schema([field]), [field.name], CHUNK_CELLS)
    )


def _streamed(
    path: Path, parts: Sequence[Part], schema: pa.Schema, types: dict[str, np.dtype], folder: Folder
) -> Columns:
    """The columns of numbers, dates and texts."""
    import pyarrow as pa

    texts = [name for name in types if _is_text(schema.field(name))]
    others: dict[np.dtype, list[str]] = {}
    for name in types:
        if name not in texts:
            others.setdefault(types[name], []).append(name)
    writers = [
        Writer(folder.path / f"values-{number}", dtype, names, folder.positions)
        for number, (dtype, names) in enumerate(others.items())
    ]
    coded = TextWriter(Writer(folder.path / "texts", CODES, texts, folder.positions)) if texts else None
    start, rows = 0, max(1, min(ROWS, CHUNK_CELLS // max(1, len(types))))
    for table in parquet_parts.batches(parts, schema, list(types), rows):
        for writer in writers:
            values = np.empty((len(table), len(writer.names)), writer.dtype)
            for place, name in enumerate(writer.names):
                values[:, place] = table.column(name).to_numpy()
            if writer.dtype.kind == "f" and (infinite := np.isinf(values)).any():
                place = int(infinite.any(axis=0).argmax())
                row_of = (lambda first: lambda row: row_number(first + row))(start)
                Site(writer.names[place], str(path), row_of).refuse_infinite(infinite[:, place])
            writer.write(values)
        if coded is not None:
            coded.write([table.column(name).cast(pa.string()) for name in texts])
        start += len(table)
    found: Columns = {}
    for writer in writers:
        found |= writer.columns()
    return found if coded is None else found | coded.cells()
