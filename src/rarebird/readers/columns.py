"""The type of a column, learned once: text cells of a training file -> typed values, and the format by which later
files are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rarebird.data.schema import ColumnFormat
from rarebird.data.stored_frame import StoredColumn
from rarebird.readers import dates, numbers, spellings, times_of_day, why_text
from rarebird.readers.numbers import Mark, Notation
from rarebird.readers.site import Site
from rarebird.readers.text_column import TextColumn

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    # In memory, or on disk.
    Values = pd.Series | StoredColumn
    Cells = TextColumn | Values

# Of a column with this many different numbers, one cell, or one in a hundred, may be something else.
_MANY_NUMBERS, _STRAY = 20, 0.01
# So many different words among them mean missing values.
_MOST_WORDS = 3


@dataclass(frozen=True)
class Hints:
    """What the other columns of the file tell, for a column that can be read in two ways.

    Attributes:
        decimal: The decimal mark of the other columns; empty if they show none.
        day_first: Whether their dates have the day before the month; None if they do not tell.
        semicolons: Whether semicolons separate cells, as where the comma is the decimal mark.
    """

    decimal: Mark = ""
    day_first: bool | None = None
    semicolons: bool = False


NO_HINTS = Hints()


@dataclass(frozen=True, eq=False)
class Column:
    """A column that was read.

    Attributes:
        values: ``(n,)`` in one of the types that a `Frame` holds; in memory or on disk.
        form: How its cells are written.
        lost: Positions of cells that are no such values, and count as missing.
        unseen: Positions of cells with a category that no training row has.
        marked: Texts that were taken for missing values here, and would be text elsewhere -> their cells.
        ambiguous: Whether the cells could be read in another way, too.
        otherwise: What is written otherwise than in training, such as "a decimal comma"; empty if nothing is.
        notes: Sentences for the user.
    """

    values: Values
    form: ColumnFormat
    lost: Sequence[int] = ()
    unseen: Sequence[int] = ()
    marked: tuple[tuple[str, int], ...] = ()
    ambiguous: bool = False
    otherwise: str = ""
    notes: tuple[str, ...] = ()


def learned(cells: TextColumn, site: Site, hints: Hints = NO_HINTS) -> Column:
    """Text cells as numbers, yes and no, times of day, or dates, if all cells that are not missing (or nearly all) are
    such; otherwise as text.

    Raises:
        DataError: A number is infinite.
    """
    import pandas as pd

    if (quick := quick_numbers(cells, site)) is not None:
        return quick
    if len(cells.distinct) == 0:
        return Column(pd.Series(np.full(len(cells), np.nan)), ColumnFormat(kind="text"))
    found = _numbers(cells, hints) or _truths(cells) or _times(cells)
    return found or _dates(cells, site, hints) or _with_words(cells, site, hints) or _text(cells, site)


def quick_numbers(cells: TextColumn, site: Site) -> Column | None:
    """A column of numbers as programs write them; None if a cell is something else, or a code made of digits."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    text = cells.cells
    values = numbers.plain(text)
    if values is None or values.null_count or np.isnan(values.to_numpy()).any():
        text = cells.filled
        values = numbers.plain(text)
        if values is None or values.null_count == len(values):
            return None
    array = values.to_numpy()
    site.refuse_infinite(np.isinf(array))
    known = array[~np.isnan(array)] if values.null_count else array
    decimal: Mark = "."
    if (np.floor(known) == known).all():
        if numbers.has_codes(text):
            return None
        decimal = ""
        if values.null_count == 0:
            try:
                array = pc.cast(text, pa.int64()).to_numpy()
            except pa.ArrowInvalid:  # "1.0" is a float
                decimal = "."
    elif dates.is_months(text):
        return None
    form = ColumnFormat(kind="number", decimal=decimal, binary=_is_binary(known))
    # A copy, because Arrow's memory cannot be written to.
    return Column(pd.Series(array.copy()), form)


def alternative(column: Column, cells: TextColumn, hints: Hints) -> bool:
    """Whether quickly read numbers such as 1.050 may be whole, with a mark between thousands: the decimal mark of the
    file is a comma, and no cell speaks against it."""
    return (
        column.form.kind == "number"
        and column.form.decimal == "."
        and hints.decimal == ","
        and numbers.evidence(cells.distinct)["."] == 0
    )


def thousands(cells: TextColumn) -> Column:
    """Numbers whose points stand between thousands."""
    notation = Notation(",", ".")
    return _as_numbers(cells, notation, ~cells.marks, ambiguous=True)


def without_words(column: Column, cells: TextColumn, words: Collection[str]) -> Column:
    """A column of text in which these words mean a missing value."""
    marked = np.isin(cells.distinct.to_numpy(zero_copy_only=False), list(words))
    away = cells.rows_of(marked)
    counts = tuple(
        (word, int(count))
        for word, count in zip(cells.distinct.filter(_mask(marked)).to_pylist(), cells.counts[marked], strict=True)
    )
    return replace(
        column,
        values=column.values.where(~away, None)
        if not isinstance(column.values, StoredColumn)
        else column.values.without(cells.distinct.filter(_mask(marked)).to_pylist()),
        form=column.form.model_copy(update={"missing": tuple(sorted({*column.form.missing, *words}))}),
        unseen=[row for row in column.unseen if not away[row]],
        marked=counts,
    )


def chosen(found: Sequence[Notation], hints: Hints) -> Notation:
    """Of several notations that read a column, the one that fits the other columns."""
    by_mark = {one.decimal: one for one in reversed(found)}
    if len(by_mark) == 1 or "" in by_mark:
        return found[0]
    comma, point = by_mark[","], by_mark["."]
    if hints.decimal:
        return by_mark[hints.decimal]
    if point.thousands:  # 1,050: a thousand, unless commas are what the file's cells hold
        return comma if hints.semicolons else point
    return point


def _numbers(cells: TextColumn, hints: Hints) -> Column | None:
    import pyarrow.compute as pc

    valued = ~cells.marks
    found = numbers.notations(cells.distinct.filter(_mask(valued)))
    if not found and valued.any():
        numeric = valued & np.asarray(pc.fill_null(numbers.numeric(cells.distinct), False), dtype=bool)
        strays = cells.counts[valued & ~numeric].sum()
        if numeric.sum() <= _MANY_NUMBERS or strays > max(1, _STRAY * cells.counts[valued].sum()):
            return None
        valued = numeric
        found = numbers.notations(cells.distinct.filter(_mask(valued)))
    return _as_numbers(cells, chosen(found, hints), valued, ambiguous=len(found) > 1) if found else None


def _with_words(cells: TextColumn, site: Site, hints: Hints) -> Column | None:
    """Numbers, times or dates among which a few words stand, such as "not done": these mean a missing value."""
    import pyarrow.compute as pc

    words = ~np.asarray(pc.match_substring_regex(cells.distinct, r"\pN"), dtype=bool) & ~cells.marks
    valued = ~words & ~cells.marks
    few = cells.counts[words].sum() <= cells.counts[valued].sum() and 0 < words.sum() <= _MOST_WORDS
    if valued.sum() <= _MANY_NUMBERS or not few:
        return None
    marked = cells.with_marks(words)
    return _numbers(marked, hints) or _times(marked) or _dates(marked, site, hints)


def _as_numbers(cells: TextColumn, notation: Notation, valued: np.ndarray, ambiguous: bool) -> Column:
    """Cells as numbers in a notation.

    Args:
        cells: The column.
        notation: It reads all texts that are `valued`.
        valued: Which of the distinct texts are numbers; the others are missing or lost.
        ambiguous: Whether another notation reads them, too.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    read = numbers.parsed(pc.if_else(_mask(valued), cells.distinct, pa.scalar(None, pa.string())), notation)
    of_distinct = np.append(read.to_numpy(zero_copy_only=False), np.nan)
    values = of_distinct[cells.codes]
    series = pd.Series(values)
    whole = not numbers.shows(cells.distinct.filter(_mask(valued)), notation.decimal)
    if whole and not np.isnan(values).any() and np.abs(values).max(initial=0) < 2**53:
        series = pd.Series(values.astype(np.int64))
    form = ColumnFormat(
        kind="number",
        decimal=notation.decimal,
        thousands=notation.thousands,
        unit=notation.unit,
        binary=_is_binary(of_distinct[~np.isnan(of_distinct)]),
        missing=_marks_of(cells),
    )
    lost = cells.positions(~valued & ~cells.marks)
    return Column(series, form, lost, marked=_marked(cells), ambiguous=ambiguous)


def _truths(cells: TextColumn) -> Column | None:
    valued = ~cells.marks
    if valued.sum() > spellings.MOST_WORDS:
        return None
    meanings = spellings.truths(cells.distinct.filter(_mask(valued)).to_pylist())
    if meanings is None:
        return None
    values = cells.spread([meanings.get(text) for text in cells.distinct.to_pylist()])
    return Column(values, ColumnFormat(kind="boolean", missing=_marks_of(cells)), marked=_marked(cells))


def _times(cells: TextColumn) -> Column | None:
    import pandas as pd

    valued = ~cells.marks
    found = times_of_day.found(cells.distinct.filter(_mask(valued)), cells.counts[valued])
    if found is None:
        return None
    read = np.full(len(valued) + 1, np.nan)
    read[:-1][valued] = found
    lost = cells.positions(valued & np.isnan(read[:-1]))
    form = ColumnFormat(kind="time", missing=_marks_of(cells))
    return Column(pd.Series(read[cells.codes]), form, lost, marked=_marked(cells))


def _dates(cells: TextColumn, site: Site, hints: Hints) -> Column | None:
    valued = ~cells.marks
    found = dates.found(cells.distinct.filter(_mask(valued)), cells.counts[valued], hints.day_first)
    if found is None:
        return None
    read = np.full(len(valued), np.datetime64("NaT"), dtype="datetime64[us]")
    read[valued] = found.values.to_numpy()
    lost = cells.positions(valued & np.isnat(read))
    notes = dates.notes(found, site.column)
    form = ColumnFormat(kind="date", date=found.form, missing=_marks_of(cells))
    ambiguous = found.rival is not None
    values = dates.spread(read, cells.codes)
    return Column(values, form, lost, marked=_marked(cells), ambiguous=ambiguous, notes=tuple(notes))


def _text(cells: TextColumn, site: Site) -> Column:
    return Column(
        cells.text_values(),
        ColumnFormat(kind="text"),
        notes=(*why_text.notes(cells, site), *why_text.notes_on_case(cells, site)),
    )


def _mask(chosen: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.array(chosen)


def _is_binary(values: np.ndarray) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _marks_of(cells: TextColumn) -> tuple[str, ...]:
    return tuple(sorted({text for text, _ in _marked(cells)}))


def _marked(cells: TextColumn) -> tuple[tuple[str, int], ...]:
    """Texts that mean a missing value in this column, and how many cells have them."""
    found = cells.distinct.filter(_mask(cells.marks)).to_pylist()
    return tuple(zip(found, cells.counts[cells.marks].tolist(), strict=True))
