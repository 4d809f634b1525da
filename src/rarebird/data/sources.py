"""Where raw rows are kept: a table's frame, pictures of one size, or series of one padded length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.core.checks import require

if TYPE_CHECKING:
    import pandas as pd

# Cells of a table that are worked on at a time.
CHUNK_CELLS = 2**22
# Cells above which what is learned of columns as a whole (quantiles, which columns may identify rows) is learned of a
# sample of the rows, because it needs whole columns at once.
SAMPLE_CELLS = 2**25


@dataclass(frozen=True, eq=False)
class Frame:
    """Rows of a table: one pandas frame without target, weight or group columns; types are as read, missing values are
    NaN or None."""

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def parts_of(self, index: np.ndarray) -> np.ndarray | None:
        """``(n,)`` the part on disk that holds each of the rows at `index`; None: in memory, or in one part."""
        return None

    def reading_order(self, index: np.ndarray) -> np.ndarray:
        """``(n,)`` positions in `index` in the order in which the rows are read quickest: as they are."""
        return np.arange(len(index))

    def rows(self, index: np.ndarray) -> pd.DataFrame:
        """The rows at `index`, in that order, with a fresh row index."""
        return self.frame.iloc[index].reset_index(drop=True)

    def column(self, name: Any, index: np.ndarray) -> pd.Series:
        """One column of the rows at `index`."""
        found: pd.Series = self.frame[name].iloc[index].reset_index(drop=True)
        return found

    def only(self, names: Sequence[Any]) -> Frame:
        """The same rows with some of the columns."""
        return Frame(self.frame[list(names)])

    def distinct(self, name: Any, index: np.ndarray) -> np.ndarray:
        """The different values of one column in the rows at `index`, without missing ones."""
        found: np.ndarray = self.column(name, index).dropna().unique()
        return found

    @property
    def sample_rows(self) -> int:
        """Rows of `SAMPLE_CELLS` cells, at least one."""
        return max(1, SAMPLE_CELLS // max(1, len(self.frame.columns)))

    @property
    def rows_of_chunk(self) -> int:
        """Rows of `CHUNK_CELLS` cells, at least one."""
        return max(1, CHUNK_CELLS // max(1, len(self.frame.columns)))

    def sampled(self, index: np.ndarray, seed: int = 0, tables: int = 1) -> np.ndarray:
        """``(m,)`` positions in `index`, in order: all of them, or of a table of more than `SAMPLE_CELLS` cells a
        random sample.

        Args:
            index: ``(n,)`` rows.
            seed: Chooses the sample.
            tables: How many tables share the cells.
        """
        most = max(1, self.sample_rows // tables)
        if len(index) <= most:
            return np.arange(len(index))
        return np.sort(np.random.default_rng(seed).choice(len(index), most, replace=False, shuffle=False))

    def nearby(self, order: np.ndarray, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``(n,)`` positions in `index`, which are in a random order, in one in which rows that are near each other on
        disk follow each other; the order as it is for rows in memory."""
        return order

    def is_constant(self, name: Any) -> bool:
        """Whether all cells of a column are known to be alike without a look at them."""
        return False

    def missing(self, index: np.ndarray) -> np.ndarray:
        """``(columns,)`` missing cells of each column in the rows at `index`."""
        index = index[self.reading_order(index)]
        counts = [frame.isna().to_numpy().sum(axis=0) for frame in self.chunks(index)]
        found: np.ndarray = np.sum(counts, axis=0)
        return found

    def chunks(self, index: np.ndarray) -> Iterator[pd.DataFrame]:
        """The rows at `index` in order, a bounded number of cells at a time."""
        step = self.rows_of_chunk
        yield from (self.rows(index[start : start + step]) for start in range(0, max(len(index), 1), step))


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pictures of one working size, in memory or memory-mapped.

    Attributes:
        array: ``(n, channels, height, width)``, uint8 in 0..255, or float32 in 0..1 where the originals hold more than
            8 bits.
    """

    array: np.ndarray

    def __post_init__(self) -> None:
        require(self.array.ndim == 4, "pixels are (n, channels, height, width)", shape=self.array.shape)
        require(self.array.dtype in (np.uint8, np.float32), "pixels are uint8 or float32", dtype=str(self.array.dtype))

    def __len__(self) -> int:
        return len(self.array)

    def rows(self, index: np.ndarray) -> np.ndarray:
        """A copy of the pictures at `index`, in that order."""
        return np.asarray(self.array[index])


@dataclass(frozen=True, eq=False)
class Curves:
    """Series of one or more channels, padded at the end to one length.

    Attributes:
        values: ``(n, channels, length)`` float32; NaN where a value is missing or beyond the series' own length.
        lengths: ``(n,)`` int64, each series' own length, at least 1.
    """

    values: np.ndarray
    lengths: np.ndarray

    def __post_init__(self) -> None:
        require(self.values.ndim == 3, "series are (n, channels, length)", shape=self.values.shape)
        require(
            len(self.values) == len(self.lengths),
            "one length per series",
            n=len(self.values),
            lengths=len(self.lengths),
        )

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A copy of the values and lengths at `index`, in that order."""
        return self.values[index], self.lengths[index]


Source = Frame | Pixels | Curves
