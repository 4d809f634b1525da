"""All columns of a table, typed: by what their cells show in training, and by the training's schema ever after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rarebird.data.schema import ColumnFormat, Schema
from rarebird.data.stored_frame import StoredColumn, in_memory
from rarebird.readers import by_format, column_notes, columns, dates, number_columns, numbers
from rarebird.readers.columns import Column, Hints
from rarebird.readers.numbers import Mark
from rarebird.readers.site import File, Site
from rarebird.readers.spellings import MISSING_AMONG_VALUES, folded
from rarebird.readers.text_column import TextColumn, of_series

if TYPE_CHECKING:
    from rarebird.readers.columns import Cells, Values


@dataclass(frozen=True, eq=False)
class TypedColumns:
    """The columns of a table.

    Attributes:
        values: Name -> ``(n,)`` values in one of the types that a `Frame` holds.
        forms: Name -> how the cells are written.
        lost: Name -> how many cells could not be read, and count as missing.
        unseen: Name -> how many cells have a category that no training row has.
        notes: Sentences for the user.
    """

    values: dict[str, Values]
    forms: dict[str, ColumnFormat]
    lost: dict[str, int]
    unseen: dict[str, int]
    notes: list[str]


def learn(raw: Mapping[str, Cells], file: File) -> TypedColumns:
    """The columns of a training file, typed by their cells.

    Raises:
        DataError: A number is infinite.
    """
    texts = {name: cells for name, cells in raw.items() if isinstance(cells, TextColumn)}
    quick = number_columns.found(texts)
    found = {name: quick.get(name) or _learned(cells, file.site(name), columns.NO_HINTS) for name, cells in raw.items()}
    hints = _hints(found, texts, file.semicolons)
    for name, cells in texts.items():
        if found[name].ambiguous:
            found[name] = columns.learned(cells, file.site(name), hints)
        elif columns.alternative(found[name], cells, hints):
            found[name] = columns.thousands(cells)
    found |= _texts_without_marks(found, texts)
    if hints.decimal:
        found = {name: _with_decimal(column, hints.decimal) for name, column in found.items()}
    notes = [*column_notes.on_marks(found), *column_notes.on_thousands(found, raw, file)]
    notes += [*column_notes.on_percent(found, raw, file), *column_notes.on_sentinels(found)]
    return _typed(found, raw, file, notes)


def follow(raw: Mapping[str, Cells], schema: Schema, file: File) -> TypedColumns:
    """The columns of a later file, read by the training's schema; columns that it does not have are typed by their
    cells.

    Raises:
        DataError: A number is infinite.
    """
    known = {name: schema.columns.get(name) for name in raw}
    texts = {name: cells for name, cells in raw.items() if isinstance(cells, TextColumn)}
    quick = number_columns.found(texts)
    found = {
        name: _quickly_followed(quick.get(name), known[name])
        or _followed(cells, known[name], file.site(name), columns.NO_HINTS)
        for name, cells in raw.items()
    }
    doubtful = [name for name, column in found.items() if column.ambiguous]
    if doubtful:
        hints = _hints_of_later_file(raw, found, file.semicolons)
        found |= {name: _followed(raw[name], known[name], file.site(name), hints) for name in doubtful}
    found |= _with_mark_of_file(found, texts, file)
    found |= _texts_without_marks(found, texts)
    return _typed(found, raw, file, column_notes.on_otherwise(found, file))


def matched_names(names: Iterable[str], schema: Schema) -> dict[str, str]:
    """Columns of a later file that training has under a name in another case or with other blanks: new name -> name in
    training."""
    given = list(names)
    near: dict[str, list[str]] = {}
    for name in schema.columns:
        if name not in given:
            near.setdefault(folded(name), []).append(name)
    strange = [name for name in given if name not in schema.columns]
    once = Counter(folded(name) for name in strange)
    return {
        name: near[folded(name)][0]
        for name in strange
        if once[folded(name)] == 1 and len(near.get(folded(name), ())) == 1
    }


def _learned(cells: Cells, site: Site, hints: Hints) -> Column:
    if isinstance(cells, TextColumn):
        return columns.learned(cells, site, hints)
    kind = cells.dtype.kind
    if _is_empty(cells):
        return Column(cells, ColumnFormat(kind="text"))
    if kind in "iuf":
        binary = cells.binary if isinstance(cells, StoredColumn) else bool(cells.dropna().isin((0, 1)).all())
        form = ColumnFormat(kind="number", decimal="" if kind in "iu" else ".", binary=binary)
        return Column(cells, form)
    if kind == "M":
        return Column(cells, ColumnFormat(kind="date", date="ISO8601"))
    return Column(cells, ColumnFormat(kind="boolean" if _is_boolean(cells) else "text"))


def _quickly_followed(quick: Column | None, form: ColumnFormat | None) -> Column | None:
    """A column of quickly read numbers, if it was one in training, or unknown there."""
    if quick is None or form is None:
        return quick
    return replace(quick, form=form) if by_format.reads_quickly(form) else None


def _followed(cells: Cells, form: ColumnFormat | None, site: Site, hints: Hints) -> Column:
    if form is None:
        found = _learned(cells, site, hints)
        if found.form.kind == "time" and isinstance(cells, TextColumn):
            # No model learned from it: it is only shown beside predictions, as it is written.
            return Column(cells.text_values(), ColumnFormat(kind="text"))
        return found
    if isinstance(cells, TextColumn):
        return by_format.read(cells, form, site, hints)
    kind = cells.dtype.kind
    numeric, other = kind in "iuf", _is_boolean(cells)
    same = {"number": numeric and not form.unit, "time": numeric, "date": kind == "M", "boolean": other, "text": False}
    if same[form.kind] or _is_empty(cells):
        return Column(cells, form)
    return by_format.read(of_series(in_memory(cells)), form, site, hints)


def _is_empty(cells: Values) -> bool:
    return cells.known == 0 if isinstance(cells, StoredColumn) else bool(cells.isna().all())


def _is_boolean(cells: Values) -> bool:
    import pandas as pd

    if cells.dtype.kind == "b":
        return True
    if cells.dtype.kind != "O" or isinstance(cells, StoredColumn):
        return False
    return pd.api.types.infer_dtype(cells, skipna=True) == "boolean"


def _with_mark_of_file(found: Mapping[str, Column], texts: Mapping[str, TextColumn], file: File) -> dict[str, Column]:
    """Columns of numbers that show no decimal mark of their own, read by the one that the file's other columns have in
    place of the learned one: where these hold 41,25, the cell 7.584 is a whole number."""
    marks = {by_format.MARKS[column.otherwise] for column in found.values() if column.otherwise in by_format.MARKS}
    if len(marks) != 1:
        return {}
    (mark,) = marks
    changed = {}
    for name, cells in texts.items():
        form = found[name].form
        if form.kind != "number" or form.decimal in ("", mark) or found[name].otherwise in by_format.MARKS:
            continue
        if not any(numbers.evidence(cells.distinct).values()):
            other = form.model_copy(update={"decimal": mark, "thousands": "," if mark == "." else "."})
            changed[name] = replace(by_format.read(cells, other, file.site(name)), form=form)
    return changed


def _texts_without_marks(found: Mapping[str, Column], texts: Mapping[str, TextColumn]) -> dict[str, Column]:
    """Columns of text in which a word is missing that means a missing value in the file's other columns; a category of
    the training rows stays one."""
    marks = {text for column in found.values() for text, _ in column.marked if text.lower() in MISSING_AMONG_VALUES}
    changed = {}
    for name, cells in texts.items():
        form = found[name].form
        if not marks or form.kind != "text":
            continue
        words = marks.intersection(cells.distinct.to_pylist()) - set(form.categories or ())
        if words and len(words) < len(cells.distinct):
            changed[name] = columns.without_words(found[name], cells, words)
    return changed


def _hints(found: Mapping[str, Column], texts: Mapping[str, TextColumn], semicolons: bool) -> Hints:
    """What the columns that can be read in one way only tell of the others."""
    sure = {name: found[name].form for name in texts if not found[name].ambiguous}
    commas = sum(form.kind == "number" and form.decimal == "," for form in sure.values())
    points = [name for name, form in sure.items() if form.kind == "number" and form.decimal == "."]
    if commas:
        # 1.050 may be a thousand and fifty, so it does not speak for the point.
        points = [name for name in points if numbers.evidence(texts[name].distinct)["."]]
    decimal: Mark = "," if commas > len(points) else "." if points else ""
    orders = Counter(dates.is_day_first(form.date) for form in sure.values() if form.kind == "date")
    first, last = orders[True], orders[False]
    day_first = first > last if first != last else True if decimal == "," or semicolons else None
    return Hints(decimal, day_first, semicolons)


def _hints_of_later_file(raw: Mapping[str, Cells], found: Mapping[str, Column], semicolons: bool) -> Hints:
    marks: Counter[Mark] = Counter()
    for name, cells in raw.items():
        if isinstance(cells, TextColumn) and found[name].form.kind == "number":
            shown = numbers.evidence(cells.distinct)
            marks.update({mark: int(count > 0) for mark, count in shown.items()})
    decimal: Mark = "," if marks[","] > marks["."] else "." if marks["."] else ""
    return Hints(decimal, None, semicolons)


def _with_decimal(column: Column, decimal: Mark) -> Column:
    """A column of whole numbers, in which later files may have decimals, with the decimal mark of the file."""
    form = column.form
    if form.kind != "number" or form.decimal:
        return column
    return replace(column, form=form.model_copy(update={"decimal": decimal}))


def _typed(found: Mapping[str, Column], raw: Mapping[str, Cells], file: File, notes: list[str]) -> TypedColumns:
    lost = {name: len(column.lost) for name, column in found.items() if len(column.lost)}
    unseen = {name: len(column.unseen) for name, column in found.items() if len(column.unseen)}
    notes = [note for column in found.values() for note in column.notes] + notes
    notes += [
        *column_notes.on_cells(found, raw, "lost", file),
        *column_notes.on_cells(found, raw, "unseen", file),
    ]
    return TypedColumns(
        {name: column.values for name, column in found.items()},
        {name: column.form for name, column in found.items()},
        lost,
        unseen,
        notes,
    )
