"""Frames of any pandas types -> the few types that a `Frame` holds.

Types of a `Frame`: integers, floats (NaN where missing), booleans (objects with None where some are missing), dates as
naive UTC ``datetime64`` (NaT where missing), and text (None or NaN where missing).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import DataError
from rarebird.readers.arrow_frames import of_arrow_type
from rarebird.readers.site import Site, row_number
from rarebird.readers.spellings import plain as plain_text
from rarebird.readers.text_column import TextColumn, of_series, spelled

if TYPE_CHECKING:
    import pandas as pd


def plain(frame: pd.DataFrame, where: str) -> dict[str, TextColumn | pd.Series]:
    """The columns of a frame of any pandas types (categories, nullable, Arrow, decimals, time zones): text as cells,
    whose type is not known yet, and everything else, categories among it, in the types that a `Frame` holds.

    Args:
        frame: Any frame; it is not changed. Its index is dropped.
        where: Its name in messages.

    Raises:
        DataError: Duplicate column names, infinite values, or a column of lists, bytes or complex numbers.
    """
    import pandas as pd

    names = [composed(name) for name in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise DataError(f"{where} has more than one column named {repeated[0]!r}; give each column its own name.")

    def column(name: str, place: int) -> TextColumn | pd.Series:
        series = frame.iloc[:, place].reset_index(drop=True)
        if isinstance(series.dtype, pd.ArrowDtype):
            series = of_arrow_type(series)
        if isinstance(series.dtype, pd.CategoricalDtype):
            return _categories(series)
        values = _plain(series, name, where)
        return of_series(values) if _is_text(values) else values

    return {name: column(name, place) for place, name in enumerate(names)}


def composed(name: object) -> str:
    """The name of a column, so that two ways to write the same letters are one name (NFC)."""
    return plain_text(str(name))


def _categories(series: pd.Series) -> pd.Series:
    """Declared categories as text without blanks around it, whatever their type; missing where they mean that."""
    import pandas as pd

    names = of_series(series.cat.categories.to_series().map(spelled)).filled.to_pylist()
    texts = np.array([*names, None], dtype=object)[series.cat.codes]

    return pd.Series(texts, dtype=object)


def _is_text(values: pd.Series) -> bool:
    """Whether a column holds text; booleans with missing ones among them are objects, too."""
    import pandas as pd

    if values.dtype.kind in "biufM":
        return False
    return pd.api.types.infer_dtype(values, skipna=True) not in ("boolean", "empty")


def _plain(series: pd.Series, name: str, where: str) -> pd.Series:
    """One column in the types that a `Frame` holds."""
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.IntervalDtype):
        series = series.astype(object)
    if isinstance(dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    if isinstance(dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    if not isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf":
        series = _without_na(series)
    if isinstance(series.dtype, pd.StringDtype) and series.dtype.na_value is pd.NA:
        series = series.astype(object).where(series.notna(), None)
    if series.dtype.kind == "m":
        seconds: pd.Series = series.dt.total_seconds()
        return seconds
    if series.dtype.kind == "O" and isinstance(series.dtype, np.dtype):
        return _from_objects(series, name, where)
    if series.dtype.kind == "f":
        if series.dtype == np.longdouble and series.dtype != np.float64:
            series = series.astype(np.float64)
        Site(name, where, row_number).refuse_infinite(np.isinf(series.to_numpy()))
    if series.dtype.kind not in "biufMOU":
        raise _unsupported(name, where, str(series.dtype))
    return series


def _without_na(series: pd.Series) -> pd.Series:
    """A nullable column in NumPy's own type; with missing values, numbers become floats and booleans become objects."""
    import pandas as pd

    if not series.isna().any():
        return series.astype(series.dtype.type)
    if series.dtype.kind == "b":
        return series.astype(object).where(series.notna(), None)
    return pd.Series(series.to_numpy(dtype=np.float64, na_value=np.nan))


def _from_objects(series: pd.Series, name: str, where: str) -> pd.Series:
    """A column of Python objects, typed by its cells."""
    import pandas as pd

    missing = series.isna()
    what = pd.api.types.infer_dtype(series, skipna=True)
    if what == "empty":
        return pd.Series(np.full(len(series), np.nan))
    if what == "boolean":
        return series.astype(bool) if not missing.any() else series.where(~missing, None)
    if what in ("decimal", "integer", "floating", "mixed-integer-float"):
        whole = what == "integer" and not missing.any()
        numbers = [
            cell if whole else float("nan") if absent else float(cell)
            for cell, absent in zip(series, missing, strict=True)
        ]
        return _plain(pd.Series(numbers), name, where)
    if what in ("date", "datetime", "datetime64"):
        return pd.to_datetime(series, utc=True).dt.tz_localize(None)
    if what == "bytes":  # as old programs write texts into Parquet
        with suppress(UnicodeDecodeError):
            return series.map(lambda cell: cell.decode("utf-8"), na_action="ignore").where(~missing, None)
    nested = series[~missing].map(_is_no_cell)
    if nested.any() or what in ("bytes", "complex"):
        raise _unsupported(name, where, type(series[~missing].iloc[int(nested.to_numpy().argmax())]).__name__)
    return series.map(str, na_action="ignore").where(~missing, None)


def _is_no_cell(value: object) -> bool:
    """Whether a value has parts, or no text but its address in memory."""
    own = type(value)
    return isinstance(value, list | tuple | set | dict | bytes | np.ndarray) or (
        own.__str__ is object.__str__ and own.__repr__ is object.__repr__
    )


def _unsupported(name: str, where: str, what: str) -> DataError:
    return DataError(
        f"Column {name!r} of {where} holds values of type {what}; "
        "a table holds numbers, booleans, dates and text, one per cell."
    )
