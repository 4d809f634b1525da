"""A column of a later file, read by the format that training learned: what the cells are is never guessed anew.

The learned marks and date formats hold wherever they read the cells. Where they cannot, the cells are read in another
notation of the same kind, and a note says so: a file may come from another region, but a number stays a number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rarebird.data.schema import ColumnFormat
from rarebird.readers import dates, numbers, spellings, times_of_day
from rarebird.readers.columns import NO_HINTS, Column, Hints, chosen, quick_numbers
from rarebird.readers.numbers import Mark, Notation
from rarebird.readers.site import Site
from rarebird.readers.text_column import TextColumn, texts, without
from rarebird.readers.units import exclude_each_other

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def read(cells: TextColumn, form: ColumnFormat, site: Site, hints: Hints = NO_HINTS) -> Column:
    """Text cells in a known format.

    Args:
        cells: The column.
        form: As training learned it.
        site: For messages.
        hints: The other columns of this file, for a column of which training saw no decimal mark.

    Raises:
        DataError: A number is infinite.
    """
    if form.kind == "number":
        return _numbers(cells, form, site, hints)
    return {"boolean": _truths, "time": _times, "date": _dates, "text": _texts}[form.kind](cells, form)


def reads_quickly(form: ColumnFormat) -> bool:
    """Whether cells that are numbers as programs write them are numbers in this format."""
    return form.kind == "number" and form.decimal != "," and not form.thousands and not form.unit


def _numbers(cells: TextColumn, form: ColumnFormat, site: Site, hints: Hints) -> Column:
    if reads_quickly(form) and (quick := quick_numbers(cells, site)) is not None:
        return replace(quick, form=form)
    notation, ambiguous = _notation(cells, form, hints)
    read = numbers.parsed(cells.distinct, notation).to_numpy(zero_copy_only=False)
    values = np.array(read, dtype=np.float64)
    units = numbers.units(cells.distinct)
    strange = (units != form.unit) & ~np.isnan(values)
    if others := [unit for unit in set(units) if exclude_each_other(form.unit, unit)]:
        values[np.isin(units, others)] = np.nan
    if form.binary:
        meanings = [spellings.truth(text) for text in cells.distinct.to_pylist()] if len(values) < 1000 else []
        for place, meaning in enumerate(meanings):
            if np.isnan(values[place]) and meaning is not None:
                values[place] = float(meaning)
    other = form.decimal and notation.decimal != form.decimal
    otherwise = (_COMMA if notation.decimal == "," else _POINT) if other else _THOUSANDS if ambiguous else ""
    if (strange & ~np.isnan(values)).any():
        given = next(filter(None, units[strange & ~np.isnan(values)]), "")
        otherwise = otherwise or (f"numbers with {given}" if given else f"numbers without {form.unit}")
    column = _column(cells, form, np.isnan(values), _series(values, cells.codes), otherwise)
    return replace(column, ambiguous=ambiguous)


_LEAST_EXCHANGED, _SHARE_EXCHANGED = 3, 1 / 3
# What a file does otherwise than the training file; the names of the columns precede it in a note.
_COMMA, _POINT = "a decimal comma", "a decimal point"
_THOUSANDS = "a mark between thousands"
MARKS: dict[str, Mark] = {_COMMA: ",", _POINT: "."}
"""What is written otherwise -> the decimal mark that the file has in place of the learned one."""


def _notation(cells: TextColumn, form: ColumnFormat, hints: Hints) -> tuple[Notation, bool]:
    """The learned notation, unless more of the cells can only be read with the other decimal mark; and whether marks
    were taken to stand between thousands that training does not show and that could be decimal marks."""
    learned = Notation(form.decimal, form.thousands, form.unit)
    other: dict[Mark, Mark] = {".": ",", ",": "."}
    shown = numbers.evidence(cells.distinct)
    if form.decimal == "":
        found = numbers.notations(cells.distinct.filter(_mask(~cells.marks)))
        if found:
            return chosen(found, hints), len(found) > 1
        return replace(learned, decimal="," if shown[","] > shown["."] else "."), False
    mark = other[form.decimal]
    if shown[mark] > shown[form.decimal]:
        return replace(learned, decimal=mark), False
    if shown == {".": 0, ",": 0} and not form.thousands and numbers.ambiguous(cells.distinct, mark):
        if hints.decimal == mark:
            return replace(learned, decimal=mark), False
        return learned, True
    return learned, False


def _truths(cells: TextColumn, form: ColumnFormat) -> Column:
    meanings = [spellings.truth(text) for text in cells.distinct.to_pylist()]
    unread = np.array([meaning is None for meaning in meanings], dtype=bool)
    return _column(cells, form, unread, cells.spread(meanings))


def _times(cells: TextColumn, form: ColumnFormat) -> Column:
    """Hours; numbers among them are hours already."""
    read = times_of_day.hours(cells.distinct)
    plain = numbers.parsed(cells.distinct, Notation(".")).to_numpy(zero_copy_only=False)
    values = np.where(np.isnan(read), plain, read)
    return _column(cells, form, np.isnan(values), _series(values, cells.codes))


def _dates(cells: TextColumn, form: ColumnFormat) -> Column:
    valued = ~cells.marks
    distinct = cells.distinct.filter(_mask(valued))
    read, otherwise = dates.parsed(distinct, form.date or "ISO8601"), ""
    missed = read.values.isna()
    if missed.any():
        counts = cells.counts[valued]
        found = dates.found(distinct, counts, dates.is_day_first(form.date))
        if found is not None and found.values.isna().sum() < missed.sum() and _may_replace(found, form, counts, missed):
            read, otherwise = found, f"dates as {dates.described(found.form)}"
    values = np.full(len(valued), np.datetime64("NaT"), dtype="datetime64[us]")
    values[valued] = read.values.to_numpy()
    otherwise = otherwise if form.date else ""
    return _column(cells, form, np.isnat(values), dates.spread(values, cells.codes), otherwise)


def _may_replace(found: dates.Dates, form: ColumnFormat, counts: np.ndarray, missed: pd.Series) -> bool:
    """Whether another format may replace the learned one: one that exchanges day and month only where many cells have
    it, because a single typing error must not turn the other dates round."""
    order = dates.is_day_first(form.date)
    exchanged = order is not None and dates.is_day_first(found.form) == (not order)
    n = counts[missed.to_numpy()].sum()
    return not exchanged or (n >= _LEAST_EXCHANGED and n >= _SHARE_EXCHANGED * counts.sum())


def _texts(cells: TextColumn, form: ColumnFormat) -> Column:
    if form.missing:
        cells = TextColumn(without(cells.filled, tuple(word.lower() for word in form.missing)))
    if form.categories is None:
        return Column(cells.text_values(), form)
    known, near = set(form.categories), spellings.nearest_known(form.categories)
    nearly = spellings.nearest_known(form.categories, spellings.loose)

    def category(text: str) -> str:
        if text in known:
            return text
        whole = spellings.as_whole(text)
        if whole in known:
            return whole
        return near.get(spellings.folded(text)) or nearly.get(spellings.loose(text), text)

    places = [category(text) for text in cells.distinct.to_pylist()]
    strange = np.array([text not in known for text in places], dtype=bool)
    return Column(cells.spread(places), form, unseen=cells.positions(strange))


def _column(
    cells: TextColumn, form: ColumnFormat, unread: np.ndarray, values: pd.Series, otherwise: str = ""
) -> Column:
    """The column, whose unread texts are lost unless training took them for missing values."""
    import pyarrow.compute as pc

    expected = np.asarray(pc.is_in(cells.distinct, texts(*form.missing)), dtype=bool)
    marked = tuple((text, 1) for text in cells.distinct.filter(_mask(cells.marks)).to_pylist())
    return Column(values, form, cells.positions(unread & ~expected), marked=marked, otherwise=otherwise)


def _series(values: np.ndarray, codes: np.ndarray) -> pd.Series:
    import pandas as pd

    return pd.Series(np.append(values, np.nan)[codes])


def _mask(chosen_texts: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.array(chosen_texts)
