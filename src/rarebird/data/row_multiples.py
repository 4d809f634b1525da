"""What a column of a table says that a mistake on each row costs, as a multiple."""

from __future__ import annotations

import numpy as np

from rarebird.core.checks import DataError, nearest
from rarebird.data.dataset import Dataset, Frame


def row_multiples(data: Dataset, column: str) -> np.ndarray:
    """``(n,)`` the column's values, which multiply costs.

    Raises:
        DataError: The rows are no table, there is no such column, or a value is no number of at least 0.
    """
    if not isinstance(data.source, Frame):
        raise DataError(f"{data.name} is no table, so that it has no column {column!r} of costs.")
    frame = data.raw()
    if column not in frame.columns:
        raise DataError(f"{data.name} has no column {column!r} of costs; {nearest(column, map(str, frame.columns))}")
    try:
        values = np.asarray(frame[column], dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"The column {column!r} of {data.name} holds text, but costs are numbers.") from None
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"The column {column!r} of {data.name} has the cost {values[row]:g} in row {data.ids[row]!r}; a cost of a "
            "row is a number of at least 0."
        )
    return values
