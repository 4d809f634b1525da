"""The rows of a table that stay on disk: each type's columns are one file, row by row, and are memory-mapped. Rows are
read when they are asked for, so that the memory does not depend on how many there are."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.core.memory import require_memory
from rarebird.data.sources import Frame

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Bytes of rows that are asked for without a look at the free memory.
LARGE = 2**28
# Rows of the disk for each wanted row, up to which whatever is between the wanted rows is read with them.
MOST_AHEAD = 64
# Cells of whole rows of a file that are read at once where only some of its columns are wanted.
BLOCK_CELLS = 2**20


@dataclass(frozen=True, eq=False)
class StoredColumn:
    """One column on disk.

    Attributes:
        file: ``(n, k)`` memory-mapped, the columns of one type.
        place: The position of this column in it.
        texts: Of a column of text (or of objects of few values): what the file holds are positions in these, -1 where a
            value is missing. None: the file holds the values themselves.
        known: How many values are not missing.
        binary: Whether all known values are 0 or 1.
        extremes: Its smallest and largest number; empty for other types.
        positions: ``(n,)`` where each row is in the file; None: in order.
    """

    file: np.ndarray
    place: int = 0
    texts: pa.Array | np.ndarray | None = None
    known: int = 0
    binary: bool = False
    extremes: tuple[float, ...] = ()
    positions: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.file)

    @property
    def dtype(self) -> np.dtype:
        """The type of the values."""
        return self.file.dtype if self.texts is None else np.dtype(object)

    @property
    def is_constant(self) -> bool:
        """Whether all cells are known to be alike without a look at them."""
        low, high = self.extremes or (0.0, 1.0)
        return self.texts is None and (self.known == 0 or (low == high and self.known == len(self)))

    def without(self, words: Sequence[str]) -> StoredColumn:
        """The column with missing values in place of some of its texts."""
        import pyarrow as pa
        import pyarrow.compute as pc

        gone = pc.is_in(self.texts, pa.array(words, pa.string()))
        return replace(self, texts=pc.if_else(gone, pa.scalar(None, pa.string()), self.texts))

    def values(self, index: np.ndarray) -> pd.Series:
        """The values at these places of the file, in memory, with a fresh row index."""
        return spelled(column_cells(self.file, index, self.place), self.texts)

    def in_order(self) -> pd.Series:
        """All values, in memory, in the order of the rows."""
        return self.values(np.arange(len(self)) if self.positions is None else self.positions)


def column_cells(file: np.ndarray, index: np.ndarray, place: int) -> np.ndarray:
    """``(n,)`` one column of the rows at `index` of a mapped file, in memory: read in the order of the file, because a
    disk takes a read of its own for each row that is not near the one before."""
    order = _order_of(index)
    read = np.array(np.asarray(file)[index if order is None else index[order], place])
    return read if order is None else _put_back(read, order)


def row_cells(file: np.ndarray, index: np.ndarray, places: Sequence[int]) -> np.ndarray:
    """``(n, columns)`` as `column_cells`, for several columns. Not all columns of all rows are in memory at once."""
    mapped, order = np.asarray(file), _order_of(index)
    rows = index if order is None else index[order]
    if list(places) == list(range(file.shape[1])):
        read = np.array(mapped[rows])
    else:
        read, step = np.empty((len(index), len(places)), file.dtype), max(1, BLOCK_CELLS // file.shape[1])
        for start in range(0, len(rows), step):
            read[start : start + step] = mapped[rows[start : start + step]][:, places]
    return read if order is None else _put_back(read, order)


def _order_of(index: np.ndarray) -> np.ndarray | None:
    """The order in which rows are read; None where they are in it."""
    return None if (index[1:] >= index[:-1]).all() else np.argsort(index, kind="stable")


def _put_back(read: np.ndarray, order: np.ndarray) -> np.ndarray:
    found = np.empty_like(read)
    found[order] = read
    return found


def spelled(values: np.ndarray, texts: pa.Array | np.ndarray | None) -> pd.Series:
    """Values as a column; those of a column with texts are positions."""
    import pandas as pd

    if texts is None:
        return pd.Series(values, copy=False)
    if isinstance(texts, np.ndarray):
        return pd.Series(np.append(texts, np.array([None], dtype=object))[values], dtype=object)
    import pyarrow as pa

    column: pd.Series = texts.take(pa.array(values, mask=values < 0)).to_pandas()
    return column


@dataclass(frozen=True, eq=False)
class StoredFrame(Frame):
    """Rows of a table on disk. `frame` has no row; it tells the columns and their types.

    Attributes:
        columns: In the order of `frame`.
        bounds: Where the parts of the rows begin, and the last one ends. A part is a random sample of the rows.
        keeps: Whatever must live as long as the files.
        digests: Columns -> ``(n,)`` digests of all rows (`rarebird.data.fingerprint`), which take a read of the whole
            table and so are kept.
    """

    columns: Sequence[StoredColumn] = ()
    bounds: Sequence[int] = ()
    keeps: Any = field(default=None, repr=False)
    digests: dict[tuple[Any, ...], np.ndarray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getstate__(self) -> dict[str, Any]:
        # A process that maps the files does not remove them.
        return {**{one.name: getattr(self, one.name) for one in fields(self)}, "keeps": None, "digests": {}}

    def reading_order(self, index: np.ndarray) -> np.ndarray:
        """``(n,)`` positions in `index` in the order in which the disk has the rows."""
        return np.argsort(index, kind="stable")

    def rows(self, index: np.ndarray) -> pd.DataFrame:
        """The rows at `index`, in that order, in memory, with a fresh row index."""
        import pandas as pd

        if len(index) * self._row_bytes > LARGE:
            advice = "give fewer rows, or a recipe that needs few of them at once"
            require_memory(2.0 * len(index) * self._row_bytes, f"{len(index):,} rows of the table", advice)
        parts: list[pd.DataFrame] = []
        for file, names, columns in self._by_file:
            read = row_cells(file, index, [one.place for one in columns])
            if columns[0].texts is not None:
                parts += [
                    spelled(read[:, place], one.texts).to_frame(name)
                    for place, (name, one) in enumerate(zip(names, columns, strict=True))
                ]
                continue
            parts.append(pd.DataFrame(read, columns=names, copy=False))
        if len(parts) == 1:
            return parts[0]
        joined: pd.DataFrame = pd.concat(parts, axis=1)
        return joined[list(self._places)]

    def chunks(self, index: np.ndarray) -> Iterator[pd.DataFrame]:
        """As `Frame.chunks`; while one chunk is worked on, the system reads the next one, if `index` ascends."""
        step = self.rows_of_chunk
        for start in range(0, max(len(index), 1), step):
            self.read_ahead(index[start + step : start + 2 * step])
            yield self.rows(index[start : start + step])

    def sampled(self, index: np.ndarray, seed: int = 0, tables: int = 1) -> np.ndarray:
        """As `Frame.sampled`, of few parts: a part is itself a random sample of the rows, and rows from everywhere take
        a read of the whole table."""
        most, part = max(1, self.sample_rows // tables), self.parts_of(index)
        if len(index) <= most or part is None:
            return super().sampled(index, seed, tables)
        rng = np.random.default_rng(seed)
        sizes = np.bincount(part, minlength=len(self.bounds) - 1)
        parts = rng.permutation(len(sizes))
        enough = parts[: 1 + int(np.searchsorted(np.cumsum(sizes[parts]), most))]
        within = np.flatnonzero(np.isin(part, enough))
        return np.sort(rng.choice(within, most, replace=False, shuffle=False))

    def nearby(self, order: np.ndarray, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """As `Frame.nearby`: part by part, in random order."""
        part = self.parts_of(index)
        if part is None:
            return order
        place = rng.permutation(len(self.bounds) - 1)
        return order[np.argsort(place[part[order]], kind="stable")]

    def missing(self, index: np.ndarray) -> np.ndarray:
        """As `Frame.missing`. What was counted while the table was written is not read again: columns of numbers or
        dates without a missing value, and all of them if all rows are asked for."""
        counts = np.array([len(self) - one.known for one in self.columns])
        asked = np.zeros(len(self), dtype=bool)
        asked[index] = True
        known = np.array([one.texts is None for one in self.columns])
        known &= (counts == 0) | (len(index) == len(self) and bool(asked.all()))
        places = np.flatnonzero(~known)
        if len(places):
            others = self.only([name for name, done in zip(self.frame.columns, known, strict=True) if not done])
            counts[places] = super(StoredFrame, others).missing(index)
        return counts

    def is_constant(self, name: Any) -> bool:
        """As `Frame.is_constant`."""
        return self.columns[self._places[name]].is_constant

    def parts_of(self, index: np.ndarray) -> np.ndarray | None:
        """``(n,)`` the part that holds each of the rows at `index`; None if there is one."""
        if len(self.bounds) < 3:
            return None
        return (np.searchsorted(self.bounds, index, side="right") - 1).astype(np.int16)

    def read_part_ahead(self, part: int) -> None:
        """Ask the system to read a part from the disk."""
        self._read_ahead(int(self.bounds[part]), int(self.bounds[part + 1]))

    def read_ahead(self, index: np.ndarray) -> None:
        """Ask the system to read the rows between the first and the last one at `index` from the disk, if these are a
        few times as many as the rows themselves at most."""
        if len(index) and 0 <= index[-1] - index[0] <= MOST_AHEAD * len(index):
            self._read_ahead(int(index[0]), int(index[-1]) + 1)

    def _read_ahead(self, first: int, last: int) -> None:
        for file, _, _ in self._by_file:
            mapped = getattr(file, "_mmap", None)
            if mapped is None or not hasattr(mmap, "MADV_WILLNEED"):
                continue
            start = first * file.strides[0] // mmap.PAGESIZE * mmap.PAGESIZE
            mapped.madvise(mmap.MADV_WILLNEED, start, last * file.strides[0] - start)

    def column(self, name: Any, index: np.ndarray) -> pd.Series:
        """One column of the rows at `index`."""
        return self.columns[self._places[name]].values(index).rename(name)

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {name: place for place, name in enumerate(self.frame.columns)}

    @cached_property
    def _by_file(self) -> Sequence[tuple[np.ndarray, list[Any], list[StoredColumn]]]:
        """Each file with the names of its columns, and the columns."""
        found: dict[int, tuple[np.ndarray, list[Any], list[StoredColumn]]] = {}
        for name, column in zip(self.frame.columns, self.columns, strict=True):
            _, names, columns = found.setdefault(id(column.file), (column.file, [], []))
            names.append(name)
            columns.append(column)
        return list(found.values())

    @cached_property
    def _row_bytes(self) -> int:
        """Bytes that a row takes in memory."""
        return sum(column.dtype.itemsize for column in self.columns)

    def only(self, names: Sequence[Any]) -> StoredFrame:
        """The same rows with some of the columns."""
        places = [self._places[name] for name in names]
        return StoredFrame(self.frame[list(names)], [self.columns[place] for place in places], self.bounds, self.keeps)

    def distinct(self, name: Any, index: np.ndarray) -> np.ndarray:
        """The different values of one column in the rows at `index`, without missing ones."""
        column = self.columns[self._places[name]]
        if column.texts is None:
            return super().distinct(name, index)
        found = np.unique(column_cells(column.file, np.sort(index), column.place))
        return np.asarray(spelled(found[found >= 0], column.texts).dropna().unique())


def in_memory(column: Any) -> Any:
    """A column in memory; one that is not on disk is returned as it is."""
    return column.in_order() if isinstance(column, StoredColumn) else column


def stored_frame(columns: dict[str, StoredColumn], bounds: Sequence[int] = (), keeps: Any = None) -> StoredFrame:
    """A table of these columns."""
    import pandas as pd

    empty = np.zeros(0, np.int64)
    frame = pd.DataFrame({name: column.values(empty) for name, column in columns.items()})
    return StoredFrame(frame, [replace(one, positions=None) for one in columns.values()], bounds, keeps)
