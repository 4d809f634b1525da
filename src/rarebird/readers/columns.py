"""The columns of a table: raw text cells -> typed columns, and frames of any types -> the few types that a `Frame`
holds.

Types of a `Frame`: integers, floats (NaN where missing), booleans (objects with None where some are missing), dates as
naive UTC ``datetime64`` (NaT where missing), and text (None or NaN where missing).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MISSING = ("", "?", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "-")
# A leading zero marks a code (a postcode), and more digits than a float64 holds exactly mark an identifier.
_CODE = r"^[+-]?(0\d+|\d{16,})$"
_DATE_LIKE = (
    r"^\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}"
    r"|^\d{1,2}[ -][A-Za-z]{3,9}[ -,]+\d{2,4}"
    r"|^[A-Za-z]{3,9} \d{1,2},? \d{4}"
)
_DAYS = ("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y", "%Y年%m月%d日")
_WORDED_DAYS = ("%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
DATE_FORMATS = ("ISO8601", *(day + time for day in (*_DAYS, *_WORDED_DAYS) for time in _TIMES))
_NEARLY_ALL_DATES = 0.99
_NEARLY_ALL_NUMBERS = 0.95

Place = Callable[[int], str]


def typed(cells: pa.ChunkedArray, name: str, where: str, place: Place) -> tuple[pd.Series, list[str]]:
    """Text cells as numbers, booleans or dates if all cells that are not missing (for dates: nearly all) are such;
    otherwise as text.

    Args:
        cells: ``(n,)`` text; spaces around a cell do not count, and `MISSING`, in upper or lower case, means a missing
            value.
        name: The column's name, for messages.
        where: The file, for messages.
        place: Position of a row -> "line 7".

    Returns:
        The column and notes for the user.

    Raises:
        DataError: A number is infinite.
    """
    import pandas as pd
    import pyarrow.compute as pc

    filled = _filled(cells, MISSING)
    if filled.null_count == len(filled):
        return pd.Series(np.full(len(filled), np.nan)), []
    numbers = _numbers(filled, name, where, place)
    if numbers is not None:
        return numbers, []
    distinct = pc.unique(pc.utf8_lower(filled.slice(0, 100))).drop_null()
    if pc.all(pc.is_in(distinct, _texts("true", "false"))).as_py():
        truths = pc.utf8_lower(filled)
        if pc.all(pc.is_in(truths.drop_null(), _texts("true", "false"))).as_py():
            return pc.equal(truths, "true").to_pandas(), []
    dates, notes = _dates(filled, name)
    if dates is not None:
        return dates, notes
    return filled.to_pandas(), _nearly_numeric(filled, name, place)


def labels(cells: pa.ChunkedArray, name: str, where: str, place: Place) -> tuple[pd.Series, list[str]]:
    """Text cells of a target or of groups: as numbers if all are numbers, otherwise as labels.

    In a column of labels only an empty cell and "nan" mean a missing value: a class may be called "None" or "-".
    Arguments, result and errors are those of `typed`.
    """
    import pyarrow.compute as pc

    filled = _filled(cells, MISSING)
    numbers = _numbers(filled, name, where, place)
    if numbers is not None:
        return numbers, []
    if filled.null_count < len(filled):
        filled = _filled(cells, ("", "nan"))
    odd = [text for text in pc.unique(filled).drop_null().to_pylist() if text.lower() in MISSING]
    return filled.to_pandas(), [
        f"{text!r} in column {name!r} is taken as a label and not as a missing value." for text in odd
    ]


def plain(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """A frame of any pandas types (categories, nullable, Arrow, decimals, time zones) in the types that a `Frame`
    holds.

    Args:
        frame: Any frame; it is not changed. Its index is dropped.
        where: Its name in messages.

    Raises:
        DataError: Duplicate column names, infinite values, or a column of lists, bytes or complex numbers.
    """
    import pandas as pd

    names = [str(name) for name in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise DataError(f"{where} has more than one column named {repeated[0]!r}; give each column its own name.")
    series = {
        name: _plain(frame.iloc[:, place].reset_index(drop=True), name, where) for place, name in enumerate(names)
    }
    return pd.DataFrame(series, index=pd.RangeIndex(len(frame)))


def _filled(cells: pa.ChunkedArray, missing: tuple[str, ...]) -> pa.ChunkedArray:
    """Cells without the spaces around them, null where they spell a missing value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(cells)
    return pc.if_else(pc.is_in(pc.utf8_lower(trimmed), _texts(*missing)), pa.scalar(None, pa.string()), trimmed)


def _texts(*texts: str) -> pa.Array:
    import pyarrow as pa

    return pa.array(texts, pa.string())


def _numbers(filled: pa.ChunkedArray, name: str, where: str, place: Place) -> pd.Series | None:
    """Cells as int64 (if none is missing) or float64; None if one is not a number, or is a code made of digits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        numbers = pc.cast(filled, pa.float64())
    except pa.ArrowInvalid:
        return None
    if filled.null_count == len(filled):
        return None
    refuse_infinite(np.flatnonzero(pc.is_inf(numbers).to_numpy()), name, where, place)
    if pc.all(pc.equal(pc.floor(numbers), numbers)).as_py():
        if pc.any(pc.match_substring_regex(filled, _CODE)).as_py():
            return None
        if filled.null_count == 0:
            with contextlib.suppress(pa.ArrowInvalid):  # "1.0" is a float
                numbers = pc.cast(filled, pa.int64())
    series: pd.Series = numbers.to_pandas()
    return series


def refuse_infinite(rows: np.ndarray, name: str, where: str, place: Place) -> None:
    """Raise an error if any `rows` of the column hold an infinite number; the message names the first."""
    if len(rows):
        first = place(int(rows[0]))
        raise DataError(f"Column {name!r} of {where} holds an infinite value ({first}); remove that row or correct it.")


def _dates(filled: pa.ChunkedArray, name: str) -> tuple[pd.Series | None, list[str]]:
    """Cells as dates in the format that reads most of them; None if no format reads nearly all."""
    import pyarrow.compute as pc

    sample = filled.drop_null().slice(0, 200)
    if pc.mean(pc.match_substring_regex(sample, _DATE_LIKE)).as_py() < _NEARLY_ALL_NUMBERS:
        return None, []
    sample_text, text = sample.to_pandas(), filled.to_pandas()
    likely = [form for form in DATE_FORMATS if _parsed(sample_text, form).notna().mean() >= _NEARLY_ALL_NUMBERS]
    if not likely:
        return None, []
    readings = {form: _parsed(text, form) for form in likely}
    best = max(likely, key=lambda form: readings[form].notna().sum())
    lost = np.flatnonzero(readings[best].isna() & text.notna())
    if len(lost) > (1 - _NEARLY_ALL_DATES) * text.notna().sum():
        return None, []
    notes = (
        [f"Column {name!r} holds dates; {len(lost)} cells such as {text[lost[0]]!r} are not, and count as missing."]
        if len(lost)
        else []
    )
    rival = re.sub("%[dm]", lambda part: "%m" if part[0] == "%d" else "%d", best)
    if rival != best and rival in readings and (readings[rival].isna() == readings[best].isna()).all():
        order = "month before day" if best.index("%m") < best.index("%d") else "day before month"
        notes.append(f"Column {name!r} is read as dates with {order}; write them as 2024-01-31 if that is wrong.")
    return readings[best], notes


def _parsed(text: pd.Series, form: str) -> pd.Series:
    import pandas as pd

    dates = pd.to_datetime(text, format=form, errors="coerce", utc=True)
    return dates.dt.tz_localize(None).astype("datetime64[us]")


def _nearly_numeric(filled: pa.ChunkedArray, name: str, place: Place) -> list[str]:
    """A note on a column that would be numeric without a few of its cells."""
    import pyarrow.compute as pc

    numeric = pc.match_substring_regex(filled, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    other = np.flatnonzero(pc.equal(numeric, False).fill_null(False).to_numpy())
    if len(other) and pc.mean(numeric).as_py() >= _NEARLY_ALL_NUMBERS:
        first = int(other[0])
        cells = f"{len(other)} of its cells, such as {filled[first].as_py()!r} ({place(first)})"
        return [f"Column {name!r} is read as text because of {cells}; correct or empty them if the column is numeric."]
    return []


def _plain(series: pd.Series, name: str, where: str) -> pd.Series:
    """One column in the types that a `Frame` holds."""
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _plain(
            series.astype(dtype.categories.dtype if not series.hasnans else object).infer_objects(), name, where
        )
    if isinstance(dtype, pd.ArrowDtype):
        series = series.convert_dtypes(dtype_backend="numpy_nullable")
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
        refuse_infinite(np.flatnonzero(np.isinf(series.to_numpy())), name, where, lambda row: f"row {row + 1}")
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
    nested = series[~missing].map(lambda cell: isinstance(cell, list | tuple | set | dict | bytes | np.ndarray))
    if nested.any() or what in ("bytes", "complex"):
        raise _unsupported(name, where, type(series[~missing].iloc[int(nested.to_numpy().argmax())]).__name__)
    return series.map(str, na_action="ignore").where(~missing, None)


def _unsupported(name: str, where: str, what: str) -> DataError:
    return DataError(
        f"Column {name!r} of {where} holds values of type {what}; "
        "a table holds numbers, booleans, dates and text, one per cell."
    )
