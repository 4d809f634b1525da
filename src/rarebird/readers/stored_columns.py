"""Columns of a table, written row by row into files of a temporary folder while they are read."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.core import temporary_folder
from rarebird.core.checks import DataError
from rarebird.core.disk_space import naming_the_place, reserve
from rarebird.data.stored_frame import StoredColumn, column_cells
from rarebird.readers.spellings import MISSING
from rarebird.readers.text_column import TextColumn, visible, without

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Bytes of rows that are read from the disk at once.
PART_BYTES = 2**27
# Different texts of a column that are kept in memory; of more, the column is not read.
MOST_TEXTS = 2**20


class Folder:
    """A temporary folder that lives as long as this object; what killed processes left in its place is removed."""

    def __init__(self) -> None:
        folder, lock = temporary_folder.take()
        self.path = folder
        self.positions = np.zeros(0, np.int64)
        self.bounds: list[int] = []
        weakref.finalize(self, temporary_folder.give_up, folder, lock)

    def lay_out(self, n: int, row_bytes: int) -> None:
        """Decide where each of n rows is written: parts of about `PART_BYTES`, each a random sample of the rows, so
        that a part that is read at once has rows from everywhere."""
        parts, kind = max(1, -(-n * row_bytes // PART_BYTES)), np.int32 if n < 2**31 else np.int64
        if parts == 1:
            self.positions, self.bounds = np.arange(n, dtype=kind), [0, n]
            return
        part = np.random.default_rng(0).integers(0, parts, n, dtype=np.uint16)
        self.positions = np.empty(n, kind)
        self.positions[np.argsort(part, kind="stable")] = np.arange(n)
        self.bounds = np.cumsum([0, *np.bincount(part, minlength=parts)]).tolist()

    def require(self, size: float, what: str) -> None:
        """Check that the disk has space.

        Args:
            size: Bytes.
            what: The subject of the sentence.

        Raises:
            DataError: It has not.
        """
        free = shutil.disk_usage(self.path).free
        if size > free:
            raise DataError(
                f"{what} does not fit into memory, and takes {size / 2**30:.1f} GiB on disk, but {self.path.parent} "
                f"has {free / 2**30:.1f} GiB; free some space, or name another folder in the variable TMPDIR."
            )


class StoredText(TextColumn):
    """A column of text whose cells are codes on disk; its different texts are in memory.

    Args:
        written: The different texts as the file has them, in the order of their first rows.
        file: ``(n, k)`` memory-mapped codes, -1 where a cell is missing.
        place: The position of the column in it.
        positions: ``(n,)`` where each row is in the file.
    """

    def __init__(self, written: pa.Array, file: np.ndarray, place: int, positions: np.ndarray) -> None:
        self._written, self._file, self._place, self._positions = written, file, place, positions

    def __len__(self) -> int:
        return len(self._file)

    @property
    def cells(self) -> pa.ChunkedArray:
        """All cells, in memory, as the file has them."""
        return self._spread(self._written)

    @property
    def trimmed(self) -> pa.ChunkedArray:
        """All cells, in memory, without blanks around them."""
        import pyarrow.compute as pc

        return self._spread(pc.utf8_trim_whitespace(self._written))

    @property
    def filled(self) -> pa.ChunkedArray:
        """All cells, in memory, as `TextColumn.filled`."""
        return self._spread(self._filled_texts)

    @cached_property
    def _filled_texts(self) -> pa.Array:
        return without(visible(self._written), MISSING)

    @cached_property
    def _meaning(self) -> pa.DictionaryArray:
        """For each written text, its position among the distinct ones."""
        return self._filled_texts.dictionary_encode()

    @property
    def distinct(self) -> pa.Array:
        """As `TextColumn.distinct`."""
        return self._meaning.dictionary

    @property
    def codes(self) -> np.ndarray:
        """``(n,)`` positions in `distinct`, in memory; -1 where a cell is missing."""
        import pyarrow.compute as pc

        meaning = np.asarray(pc.fill_null(self._meaning.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int32)
        found: np.ndarray = np.append(meaning, np.int32(-1))[self._written_codes]
        return found

    def text_values(self) -> StoredColumn:  # type: ignore[override]
        """As `TextColumn.text_values`, on disk."""
        return self._column(self._filled_texts)

    def spread(self, values: list[Any]) -> pd.Series | StoredColumn:  # type: ignore[override]
        """As `TextColumn.spread`; texts stay on disk."""
        import pyarrow as pa

        if not all(value is None or isinstance(value, str) for value in values):
            return super().spread(values)
        texts = pa.array(values, pa.string()).take(self._meaning.indices)
        return self._column(texts)

    def _column(self, texts: pa.Array) -> StoredColumn:
        known = int((self.codes >= 0).sum())
        return StoredColumn(self._file, self._place, texts, known, positions=self._positions)

    @property
    def _written_codes(self) -> np.ndarray:
        """``(n,)`` positions among the written texts, in memory, in the order of the rows."""
        return column_cells(self._file, self._positions, self._place)

    def _spread(self, texts: pa.Array) -> pa.ChunkedArray:
        import pyarrow as pa

        codes = self._written_codes
        return pa.chunked_array([texts.take(pa.array(codes, mask=codes < 0))])


@dataclass
class Writer:
    """Writes columns of one type, some rows at a time.

    Args:
        path: The file; its space on the disk is taken at once.
        dtype: Of the values; codes of texts are int32.
        names: The columns.
        positions: ``(n,)`` where each row is written.

    Raises:
        DiskFullError: There is too little space.
    """

    path: Path
    dtype: np.dtype
    names: list[str]
    positions: np.ndarray
    known: np.ndarray = field(init=False)
    binary: np.ndarray = field(init=False)
    extremes: np.ndarray = field(init=False)
    n: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        shape = (len(self.positions), len(self.names))
        reserve(self.path, shape[0] * shape[1] * self.dtype.itemsize)
        self.known = np.zeros(len(self.names), np.int64)
        self.binary = np.full(len(self.names), self.dtype.kind in "iuf")
        self.extremes = np.array([[np.inf], [-np.inf]]).repeat(len(self.names), axis=1)

    def write(self, rows: np.ndarray) -> None:
        """Append rows ``(n, columns)``."""
        kind = self.dtype.kind
        missing = np.isnan(rows) if kind == "f" else np.isnat(rows) if kind == "M" else np.zeros(rows.shape, bool)
        self.known += len(rows) - missing.sum(axis=0)
        if (left := np.flatnonzero(self.binary)).size:
            part = rows[:, left]
            self.binary[left] = ((part == 0) | (part == 1) | missing[:, left]).all(axis=0)
        if kind in "iuf" and len(rows):
            low, high = np.fmin.reduce(rows, axis=0), np.fmax.reduce(rows, axis=0)
            self.extremes = np.stack([np.fmin(self.extremes[0], low), np.fmax(self.extremes[1], high)])
        places = self.positions[self.n : self.n + len(rows)]
        order = np.argsort(places, kind="stable")
        places, ordered = places[order], rows[order]
        # Rows of one part follow each other on disk, and are written at once: a mapped file would be written page by
        # page.
        bounds = [0, *(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(rows)]
        with naming_the_place(self.path), self.path.open("r+b") as file:
            for start, stop in pairwise(bounds):
                file.seek(int(places[start]) * ordered.strides[0] if start < stop else 0)
                file.write(ordered[start:stop].view(np.uint8).data)
        self.n += len(rows)

    def mapped(self) -> np.ndarray:
        """All rows, memory-mapped."""
        return np.memmap(self.path, self.dtype, "r", shape=(len(self.positions), len(self.names)))

    def columns(self) -> dict[str, StoredColumn]:
        """Name -> column."""
        file = self.mapped()
        return {
            name: StoredColumn(
                file,
                place,
                known=int(self.known[place]),
                binary=bool(self.binary[place]),
                extremes=tuple(self.extremes[:, place].tolist()) if self.dtype.kind in "iuf" else (),
                positions=self.positions,
            )
            for place, name in enumerate(self.names)
        }


@dataclass
class TextWriter:
    """Writes columns of text as codes, some rows at a time."""

    writer: Writer
    codes: list[dict[str | None, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.codes = [{} for _ in self.writer.names]

    def write(self, columns: list[pa.ChunkedArray]) -> None:
        """Append the cells of all columns."""
        import pyarrow.compute as pc

        rows = np.empty((len(columns[0]), len(columns)), np.int32)
        for place, (column, known) in enumerate(zip(columns, self.codes, strict=True)):
            if len(known) > MOST_TEXTS:
                rows[:, place] = -1
                continue
            encoded = pc.dictionary_encode(column).combine_chunks()
            own = [known.setdefault(text, len(known)) for text in encoded.dictionary.to_pylist()]
            indices = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
            rows[:, place] = np.array([*own, -1], dtype=np.int32)[indices]
        self.writer.write(rows)

    def cells(self) -> dict[str, StoredText]:
        """Name -> cells; without the columns of too many texts."""
        import pyarrow as pa

        file = self.writer.mapped()
        return {
            name: StoredText(pa.array(list(self.codes[place]), pa.string()), file, place, self.writer.positions)
            for place, name in enumerate(self.writer.names)
            if len(self.codes[place]) <= MOST_TEXTS
        }


def stored(folder: Folder, values: Mapping[str, pd.Series | StoredColumn]) -> dict[str, StoredColumn]:
    """All columns on disk: those in memory are written, too; their number is part of a file's name."""
    import pandas as pd

    found: dict[str, StoredColumn] = {}
    for number, (name, column) in enumerate(values.items()):
        if isinstance(column, StoredColumn):
            found[name] = column
            continue
        texts: pa.Array | np.ndarray | None = None
        cells = column.to_numpy() if column.dtype.kind in "biufM" else None
        if cells is None:
            codes, distinct = pd.factorize(column)
            cells = codes.astype(np.int32)
            if column.dtype == object:
                texts = np.array(list(distinct), dtype=object)
            else:
                import pyarrow as pa

                texts = pa.array(list(distinct), pa.string())
        writer = Writer(folder.path / f"column-{number}", cells.dtype, [name], folder.positions)
        writer.write(cells[:, None])
        one = writer.columns()[name]
        found[name] = StoredColumn(one.file, 0, texts, int(column.notna().sum()), one.binary)
    return found
