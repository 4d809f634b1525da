"""Columns of a table that carry nothing to learn: those that identify rows, and those that never vary.

The rules are conservative, because a column that is left out by mistake is lost: columns of floating-point numbers and
tables under 20 rows are left alone, and whole numbers that merely happen to differ in every row are kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from rarebird.data.sources import Frame

CONSTANT = "all its cells are alike"
"""Why a column that never varies is left out."""
_LEAST_ROWS = 20
_LEAST_ROWS_IN_ORDER = 100
_TEXT_DISTINCT = 0.99
# Words between separators, or the last word in camel case: patient_id, PatientId, row-index, 编号.
_ID_WORDS = r"id|ids|uid|uuid|guid|index|idx|key|rowid|row|serial|unnamed: \d+"
_ID_NAME = re.compile(rf"(?i:(?:^|[\W_])(?:{_ID_WORDS})(?:$|[\W_\d]))|[a-z](?:Id|ID)$|编号|序号|番号")
_TIME_NAME = re.compile(
    r"(?i:(?:^|[\W_])(?:year|yr|month|day|date|time|timestamp|hour|age)(?:$|[\W_\d]))|年|月|日|时间|時間"
)


def identifier_columns(frame: pd.DataFrame) -> dict[str, str]:
    """Columns that identify rows instead of describing them: name -> reason.

    - *Whole numbers* without missing values, different in every row, and: named like an identifier; or so dense that
      chance does not explain it (``n**2 > 18 * span``: numbers drawn at random from such a short span would repeat with
      probability ``1 - exp(-9)``); or rising or falling from row to row over at least 100 rows. Columns named like a
      time (year, date, age) are never identifiers.
    - *Text* that is different in every row (from 100 rows on, in 99 % of them), and is neither a number nor a date.

    Args:
        frame: Features only, ``(n, columns)``; with fewer than 20 rows the result is empty.
    """
    if len(frame) < _LEAST_ROWS:
        return {}
    # Numbers with a fraction never identify.
    names = frame.columns[[dtype.kind != "f" for dtype in frame.dtypes]]
    reasons = {str(name): _reason(frame[name], str(name)) for name in names}
    return {name: reason for name, reason in reasons.items() if reason}


def left_out(frame: pd.DataFrame) -> dict[str, str]:
    """Columns of training rows that a model leaves out: name -> reason."""
    return dict.fromkeys(constant_columns(frame), CONSTANT) | identifier_columns(frame)


def left_out_of(source: Frame, index: np.ndarray) -> dict[str, str]:
    """`left_out` of the rows at `index`; of a large table, whose columns do not fit into memory together, the few
    columns that a sample of the rows would leave out are looked at as a whole."""
    some = source.sampled(index)
    found = left_out(source.rows(index[some]))
    if len(some) == len(index):
        return found
    names = [name for name in source.frame.columns if str(name) in found]
    constant = [name for name in names if found[str(name)] == CONSTANT]
    constant = _alike(source, index[source.reading_order(index)], constant) if constant else []
    confirmed: dict[str, str] = {}
    for name in names:
        if found[str(name)] != CONSTANT:
            confirmed |= left_out(source.column(name, index).to_frame())
        elif name in constant:
            confirmed[str(name)] = CONSTANT
    return confirmed


def _alike(source: Frame, index: np.ndarray, names: list[Any]) -> list[Any]:
    """The columns of these that never vary in the rows at `index`: read together, and no further than until none is
    left."""
    import pandas as pd

    known = [name for name in names if source.is_constant(name)]
    names = [name for name in names if name not in known]
    step = source.rows_of_chunk
    for start in range(0, len(index), step):
        if not names:
            break
        some = source.only(names)
        shown = pd.concat([some.rows(index[:1]), some.rows(index[start : start + step])], ignore_index=True)
        alike = set(constant_columns(shown))
        names = [name for name in names if str(name) in alike]
    return known + names


def constant_columns(frame: pd.DataFrame) -> list[str]:
    """Columns with the same value in every row, or missing in every row. One value and missing ones together vary."""
    if not len(frame):
        return []
    # Two rows of different numbers show that a column varies, and are compared in all columns at once.
    numbers = frame.loc[:, [dtype.kind == "f" for dtype in frame.dtypes]].iloc[[0, len(frame) // 2, -1]]
    first, *others = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    varying = set(numbers.columns[np.any([np.abs(other - first) > 0 for other in others], axis=0)])
    rest = (name for name in frame.columns if name not in varying)
    return [str(name) for name in rest if frame[name].nunique(dropna=False) <= 1]


def _reason(column: pd.Series, name: str) -> str:
    import pandas as pd

    if pd.api.types.is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return ""
    if pd.api.types.is_integer_dtype(column):
        return _reason_of_whole_numbers(column, name)
    if pd.api.types.is_string_dtype(column) or column.dtype == object:
        return _reason_of_text(column)
    return ""


def _reason_of_whole_numbers(column: pd.Series, name: str) -> str:
    n = len(column)
    if column.isna().any() or column.nunique() < n or _TIME_NAME.search(name):
        return ""
    if _ID_NAME.search(name):
        return "named like an identifier, a different whole number in every row"
    values = column.to_numpy(dtype=np.float64)
    span = values.max() - values.min() + 1
    if n**2 > 18 * span:
        return "a numbering: whole numbers without wide gaps, different in every row"
    steps = np.diff(values)
    if n >= _LEAST_ROWS_IN_ORDER and (bool((steps > 0).all()) or bool((steps < 0).all())):
        return "whole numbers that rise or fall from each row to the next"
    return ""


def _reason_of_text(column: pd.Series) -> str:
    known = column.dropna()
    n, distinct = len(known), known.astype(str).nunique()
    enough = distinct >= _TEXT_DISTINCT * n if n >= _LEAST_ROWS_IN_ORDER else distinct == n
    if n < _LEAST_ROWS or not enough or _reads_as_numbers_or_dates(known):
        return ""
    return "text that is different in every row" if distinct == n else "text that is different in nearly every row"


def _reads_as_numbers_or_dates(known: pd.Series) -> bool:
    import pandas as pd

    sample = known.iloc[:: max(1, len(known) // 50)].astype(str)
    if pd.to_numeric(sample, errors="coerce").notna().mean() > 0.9:
        return True
    # Only texts of digits and separators are tried: pandas also reads names such as "April" as dates.
    dated = sample[sample.str.fullmatch(r"\d[\d\s:./\-T+Z]*")]
    return len(dated) > 0.9 * len(sample) and bool(
        pd.to_datetime(dated, errors="coerce", format="mixed", utc=True).notna().mean() > 0.9
    )
