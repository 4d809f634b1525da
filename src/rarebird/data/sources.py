"""Where raw rows are kept: a table's frame, pictures of one size, or series of one padded length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import require

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Frame:
    """Rows of a table: one pandas frame without target, weight or group columns; types are as read, missing values are
    NaN or None."""

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def rows(self, index: np.ndarray) -> pd.DataFrame:
        """The rows at `index`, in that order, with a fresh row index."""
        return self.frame.iloc[index].reset_index(drop=True)


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
