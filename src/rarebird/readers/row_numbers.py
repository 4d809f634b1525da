"""Names of rows that are their numbers, without a text for each of millions of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def column_of(ids: Any) -> Any:
    """The names of rows as a column of a table."""
    return ids.texts() if isinstance(ids, RowNumbers) else ids


class RowNumbers:
    """Takes the place of an array of texts: "1", "2", and so on.

    Args:
        numbers: ``(n,)`` int.
    """

    dtype = np.dtype(object)

    def __init__(self, numbers: np.ndarray) -> None:
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, rows: Any) -> Any:
        """The name of one row, or the names of some."""
        found = self._numbers[rows]
        return RowNumbers(found) if isinstance(found, np.ndarray) else str(found)

    def __iter__(self) -> Iterator[str]:
        return map(str, self._numbers)

    def texts(self) -> pd.Series:
        """All names as a column, which takes less memory than a text each."""
        import pyarrow as pa

        names: pd.Series = pa.array(self._numbers).cast(pa.string()).to_pandas()
        return names

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All names, in memory."""
        return np.array([*self], dtype=object)
