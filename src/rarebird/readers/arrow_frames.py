"""Frames of other libraries (polars, pyarrow, DuckDB) -> frames of pandas, by the form of Arrow that they all give, its
PyCapsule interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def in_pandas(value: Any) -> Any:
    """A frame of another library as one of pandas, a column of it as a series; anything else as it is.

    Dates, decimals and categories keep their meaning, which an array of objects would lose.
    """
    if hasattr(value, "iloc") or not hasattr(value, "__arrow_c_stream__"):
        return value
    import pyarrow as pa

    is_frame = hasattr(value, "columns") or hasattr(value, "schema")
    return (pa.table(value) if is_frame else pa.chunked_array(value)).to_pandas()


def of_arrow_type(series: pd.Series) -> pd.Series:
    """A column of pandas' Arrow types (times, decimals and dictionaries, too) in the types that pandas had before."""
    import pyarrow as pa

    plain: pd.Series = pa.chunked_array(pa.array(series.array)).to_pandas()
    return plain
