"""The rows of a table that stay on disk: each type's columns are one file, row by row, and are memory-mapped. Rows are
read when they are asked for, so that the memory does not depend on how many there are."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
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

    def without(self, words: Sequence[str]) -> StoredColumn:
        """The column with missing values in place of some of its texts."""
        import pyarrow as pa
        import pyarrow.compute as pc

        gone = pc.is_in(self.texts, pa.array(words, pa.string()))
        return replace(self, texts=pc.if_else(gone, pa.scalar(None, pa.string()), self.texts))

    def values(self, index: np.ndarray) -> pd.Series:
        """The values at these places of the file, in memory, with a fresh row index."""
        return spelled(np.array(self.file[index, self.place]), self.texts)

    def in_order(self) -> pd.Series:
        """All values, in memory, in the order of the rows."""
        return self.values(np.arange(len(self)) if self.positions is None else self.positions)


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
    """

    columns: Sequence[StoredColumn] = ()
    bounds: Sequence[int] = ()
    keeps: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "keeps": None}  # a process that maps the files does not remove them

    def reading_order(self, index: np.ndarray) -> np.ndarray:
        """``(n,)`` positions in `index` in the order in which the disk has the rows."""
        return np.argsort(index, kind="stable")

    def rows(self, index: np.ndarray) -> pd.DataFrame:
        """The rows at `index`, in that order, in memory, with a fresh row index."""
        import pandas as pd

        row = sum(column.dtype.itemsize for column in self.columns)
        if len(index) * row > LARGE:
            advice = "give fewer rows, or a recipe that needs few of them at once"
            require_memory(2.0 * len(index) * row, f"{len(index):,} rows of the table", advice)
        parts: list[pd.DataFrame] = []
        names = list(self.frame.columns)
        for file, places in self._by_file:
            # Read in the file's order, which is faster on disks.
            order = np.argsort(index, kind="stable")
            read = np.empty((len(index), file.shape[1]), file.dtype)
            read[order] = file[index[order]]
            own = [self.columns[place] for place in places]
            if own[0].texts is not None:
                parts += [
                    spelled(read[:, one.place], one.texts).to_frame(names[place])
                    for one, place in zip(own, places, strict=True)
                ]
                continue
            if [one.place for one in own] != list(range(file.shape[1])):
                read = read[:, [one.place for one in own]]
            parts.append(pd.DataFrame(read, columns=[names[place] for place in places], copy=False))
        if len(parts) == 1:
            return parts[0]
        joined: pd.DataFrame = pd.concat(parts, axis=1)
        return joined[names]

    def parts_of(self, index: np.ndarray) -> np.ndarray | None:
        """``(n,)`` the part that holds each of the rows at `index`; None if there is one."""
        if len(self.bounds) < 3:
            return None
        return (np.searchsorted(self.bounds, index, side="right") - 1).astype(np.int16)

    def read_ahead(self, part: int) -> None:
        """Ask the system to read a part from the disk."""
        for file, _ in self._by_file:
            mapped = getattr(file, "_mmap", None)
            if mapped is None or not hasattr(mmap, "MADV_WILLNEED"):
                continue
            first, last = (int(self.bounds[place]) * file.strides[0] for place in (part, part + 1))
            start = first // mmap.PAGESIZE * mmap.PAGESIZE
            mapped.madvise(mmap.MADV_WILLNEED, start, last - start)

    def column(self, name: Any, index: np.ndarray) -> pd.Series:
        """One column of the rows at `index`."""
        return self.columns[self._places[name]].values(index).rename(name)

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {name: place for place, name in enumerate(self.frame.columns)}

    @property
    def _by_file(self) -> Iterator[tuple[np.ndarray, list[int]]]:
        """Each file with the positions of its columns."""
        found: dict[int, list[int]] = {}
        for place, column in enumerate(self.columns):
            found.setdefault(id(column.file), []).append(place)
        yield from ((self.columns[places[0]].file, places) for places in found.values())

    def only(self, names: Sequence[Any]) -> StoredFrame:
        """The same rows with some of the columns."""
        places = [self._places[name] for name in names]
        return StoredFrame(self.frame[list(names)], [self.columns[place] for place in places], self.bounds, self.keeps)

    def distinct(self, name: Any, index: np.ndarray) -> np.ndarray:
        """The different values of one column in the rows at `index`, without missing ones."""
        column = self.columns[self._places[name]]
        if column.texts is None:
            return super().distinct(name, index)
        found = np.unique(column.file[index, column.place])
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
