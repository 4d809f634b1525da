"""The roles of a table's columns, and their cells as floats and back, where new cells are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from rarebird.data import columns

if TYPE_CHECKING:
    import pandas as pd

# One day in each unit of dates.
DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
Role = Literal["number", "date", "category", "identifier"]


def roles_of(frame: pd.DataFrame) -> dict[str, Role]:
    """Column name -> what its cells are."""
    import pandas as pd

    identifiers = columns.identifier_columns(frame)
    roles: dict[str, Role] = {}
    for name in map(str, frame.columns):
        dtype = frame[name].dtype
        number = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
        roles[name] = (
            "identifier" if name in identifiers else "date" if dtype.kind == "M" else "number" if number else "category"
        )
    return roles


def as_float(column: pd.Series) -> np.ndarray:
    """``(n,)`` float64, NaN where missing; dates in their own unit since 1970."""
    if column.dtype.kind != "M":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(column.isna(), np.nan, column.to_numpy().view(np.int64).astype(np.float64))


def like(column: pd.Series, values: np.ndarray) -> pd.Series:
    """Values as given by `as_float`, converted back to the type of their column."""
    import pandas as pd

    if column.dtype.kind != "M":
        return pd.Series(values.astype(column.to_numpy().dtype, copy=False), copy=False)
    missing = np.isnan(values)
    return pd.Series(np.where(missing, 0, values).astype(np.int64).view(column.to_numpy().dtype)).mask(missing)
