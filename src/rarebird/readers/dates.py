"""Dates as people write them: which format reads a column, and its cells read in that format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rarebird.readers import date_words

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_LETTERS = r"[^\W\d_]"
_DATE_LIKE = re.compile(
    r"\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}"
    rf"|\d{{1,2}}\.? ?[ -]?{_LETTERS}{{3,10}}\.?[ ,-]+(?:de )?\d{{2,4}}"
    rf"|\d{{1,2}} de {_LETTERS}{{3,10}} de \d{{4}}"
    rf"|{_LETTERS}{{3,10}}\.? \d{{1,2}},? \d{{4}}"
    r"|(?:19|20)\d\d[-/年](?:0?[1-9]|1[0-2])月?$"
    r"|(?:0?[1-9]|1[0-2])[-/.](?:19|20)\d\d$"
    rf"|{_LETTERS}{{3,10}}\.?[ '-]+(?:\d\d|(?:19|20)\d\d)$"
    rf"|(?:19|20)\d\d[ -]{_LETTERS}{{3,10}}$"
)
_DAYS = ("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y", "%Y年%m月%d日")
_SHORT_DAYS = ("%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%m-%d-%y", "%d-%m-%y", "%y-%m-%d", "%y/%m/%d", "%y.%m.%d")
_WORDED_DAYS = ("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%b %d %Y", "%d-%b-%y", "%d %b %y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_MONTHS = ("%Y/%m", "%m/%Y", "%m.%Y", "%m-%Y", "%Y年%m月", "%b %Y", "%b-%Y", "%Y %b", "%Y-%b")
_SHORT_MONTHS = ("%b-%y", "%b %y")
FORMATS = (
    "ISO8601",
    *(day + time for day in (*_DAYS, *_SHORT_DAYS, *_WORDED_DAYS) for time in _TIMES),
    *_MONTHS,
    *_SHORT_MONTHS,
)
_SAMPLED, _LONGEST = 200, 60
_DIGIT = re.compile(r"\d")
_MONTH_OF_YEAR = r"(0[1-9]|1[0-2])\.(19|20)\d\d"
_NEARLY_ALL_OF_SAMPLE = 0.95
NEARLY_ALL = 0.99


@dataclass(frozen=True, eq=False)
class Dates:
    """Cells read as dates.

    Attributes:
        values: ``(n,)`` naive UTC ``datetime64``; NaT where a cell is missing or no date.
        form: The format that read them.
        rival: Another format that reads all of them, with day and month exchanged; None if there is none.
    """

    values: pd.Series
    form: str
    rival: str | None = None


def found(distinct: pa.Array, counts: np.ndarray, day_first: bool | None) -> Dates | None:
    """Distinct texts in the format that reads most cells; None if no format reads nearly all.

    Args:
        distinct: Texts without missing ones.
        counts: How many cells have each text.
        day_first: Whether days come before months in the file's other dates, which decides where both can be; None if
            it is not known.
    """
    if len(distinct) == 0:
        return None
    sample, known = distinct.slice(0, _SAMPLED), counts[:_SAMPLED]
    if known[are_alike(sample)].sum() < _NEARLY_ALL_OF_SAMPLE * known.sum():
        return None
    sample_text, text = _plain(sample.to_pandas()), _plain(distinct.to_pandas())
    least = _NEARLY_ALL_OF_SAMPLE * known.sum()
    readings = {form: _read(text, form) for form in FORMATS if known[_read(sample_text, form).notna()].sum() >= least}
    read = {form: counts[reading.notna()].sum() for form, reading in readings.items()}
    most = max(read.values(), default=0)
    if most < NEARLY_ALL * counts.sum():
        return None
    best = [form for form in readings if read[form] == most]
    best = _years_of_two_digits(best, readings)
    form = next((form for form in best if day_first is not None and is_day_first(form) == day_first), best[0])
    rival = re.sub("%[dm]", lambda part: "%m" if part[0] == "%d" else "%d", form)
    return Dates(readings[form], form, rival if rival != form and rival in best else None)


def parsed(distinct: pa.Array, form: str) -> Dates:
    """Texts in one format, and dates as ISO 8601 writes them, which can be read in one way only."""
    text = _plain(distinct.to_pandas())
    values = _parsed(text, form)
    if form != "ISO8601" and values.isna().any():
        values = values.fillna(_parsed(text, "ISO8601"))
    return Dates(values, form)


def are_alike(texts: pa.Array) -> np.ndarray:
    """``(n,)`` whether a text has the form of a date in any format."""
    short = [text if len(text) <= _LONGEST and _DIGIT.search(text) else "" for text in texts.to_pylist()]
    return np.array([bool(text) and _DATE_LIKE.match(date_words.plain(text)) is not None for text in short], dtype=bool)


def _read(text: pd.Series, form: str) -> pd.Series:
    """Texts in one format; where it reads some but not all, also dates as ISO 8601 writes them."""
    values = _parsed(text, form)
    if form == "ISO8601" or values.isna().all() or values.notna().all():
        return values
    return values.fillna(_parsed(text, "ISO8601"))


def _years_of_two_digits(best: list[str], readings: Mapping[str, pd.Series]) -> list[str]:
    """Formats that read all cells, without those that take days for years: of 22-01-14 and 22-11-03 the last part has
    more different values than the first, as days have."""
    first = [form for form in best if form.startswith("%y")]
    if not first or first == best:
        return best
    read = readings[first[0]].dt
    return first if read.year.nunique() < read.day.nunique() else [form for form in best if form not in first]


def is_day_first(form: str) -> bool | None:
    """Whether a format has the day before the month; None if it has no number of both."""
    if "%d" not in form or "%m" not in form or form.lower().startswith("%y"):
        return None
    return form.index("%d") < form.index("%m")


def described(form: str) -> str:
    """A format in words, for messages: "day/month/year"."""
    words = {"%d": "day", "%m": "month", "%Y": "year", "%y": "year in two digits", "%b": "month"}
    text = re.sub("%[dmYyb]", lambda part: words[part[0]], form.partition("%H")[0].partition("%I")[0].strip())
    return "year-month-day" if form == "ISO8601" else text


def notes(found: Dates, column: str) -> list[str]:
    """What the user should check of a column that was read as dates."""
    if found.rival is not None:
        order = "day before month" if is_day_first(found.form) else "month before day"
        return [f"Column {column!r} is read as dates with {order}; write them as 2024-01-31 if that is wrong."]
    if "%y" in found.form:
        way = described(found.form)
        return [f"Column {column!r} is read as dates, {way}; two digits are years from 1969 to 2068."]
    return []


def is_months(cells: pa.ChunkedArray) -> bool:
    """Whether texts that are numbers, such as "01.2023", are months of a year: a number has no leading zero."""
    import pyarrow.compute as pc

    known = (text for text in cells.slice(0, _SAMPLED).to_pylist() if text is not None)
    if not re.fullmatch(_MONTH_OF_YEAR, next(known, "")):
        return False
    distinct = pc.unique(cells).drop_null()
    months = pc.match_substring_regex(distinct, f"^{_MONTH_OF_YEAR}$")
    return bool(pc.all(months).as_py()) and bool(pc.any(pc.starts_with(distinct, "0")).as_py())


def _plain(text: pd.Series) -> pd.Series:
    """Texts in the forms that `FORMATS` has; see `date_words`."""
    if not text.str.contains("[^\\W\\d_]|[,(] ?|\\. \\d", regex=True).fillna(False).any():
        return text
    plain: pd.Series = text.map(date_words.plain, na_action="ignore")
    return plain


def _parsed(text: pd.Series, form: str) -> pd.Series:
    import pandas as pd

    dates = pd.to_datetime(text, format=form, errors="coerce", utc=True)
    return dates.dt.tz_localize(None).astype("datetime64[us]")


def spread(values: np.ndarray, codes: np.ndarray) -> pd.Series:
    """Values of distinct texts, spread over the rows: code -1 is a missing cell."""
    import pandas as pd

    padded = np.append(values, np.datetime64("NaT"))
    return pd.Series(padded[codes])
