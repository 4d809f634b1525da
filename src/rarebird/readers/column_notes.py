"""Sentences for the user on how the cells of a table were read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import some
from rarebird.data.stored_frame import StoredColumn, in_memory
from rarebird.readers.columns import Column
from rarebird.readers.site import File, Site
from rarebird.readers.text_column import TextColumn

if TYPE_CHECKING:
    from rarebird.readers.columns import Cells

# Columns with a note of their own on lost cells; of more, one note names the rest.
_MOST_NOTES = 5
# What programs and people write for a missing number.
_SENTINELS = {sign * (10.0**digits - 1) for sign in (-1, 1) for digits in range(2, 7)} | {-9.0, -1e6, -1e9}
_NO_VALUES = {
    "number": "no numbers",
    "time": "no times of day",
    "date": "no dates",
    "boolean": "neither yes nor no",
    "text": "no text",
}


def on_cells(found: Mapping[str, Column], raw: Mapping[str, Cells], places: str, file: File) -> list[str]:
    """How many cells of each column are ``lost`` or ``unseen``, with the first of them."""
    counts = {name: len(rows) for name, column in found.items() if len(rows := getattr(column, places))}
    notes = [_note_on_cells(found[name], raw[name], places, file.site(name)) for name in list(counts)[:_MOST_NOTES]]
    if rest := list(counts)[_MOST_NOTES:]:
        n = sum(counts[name] for name in rest)
        what = "are no such values" if places == "lost" else "have a category that no training row has"
        notes.append(f"{n:,} cells of {len(rest)} more columns {what}: {some(map(repr, rest))}.")
    return notes


def _note_on_cells(column: Column, raw: Cells, places: str, site: Site) -> str:
    rows = column.lost if places == "lost" else column.unseen
    first = int(rows[0])
    text = raw.filled[first].as_py() if isinstance(raw, TextColumn) else str(in_memory(raw).iloc[first])
    cells = f"{len(rows):,} cell{'s' if len(rows) > 1 else ''} of column {site.column!r}"
    example = f"such as {text!r} ({site.place(first)})"
    one = len(rows) == 1
    if places == "unseen":
        return f"{cells} {'has' if one else 'have'} a category that no training row has, {example}."
    what = _NO_VALUES[column.form.kind]
    what = what.replace("numbers", "number").replace("times", "time").replace("dates", "date") if one else what
    return f"{cells} {'is' if one else 'are'} {what}, {example}, and count{'s' if one else ''} as missing."


def on_marks(found: Mapping[str, Column]) -> list[str]:
    """Which texts were taken for missing values because the other cells of their columns are values."""
    marks: dict[str, dict[str, int]] = {}
    for name, column in found.items():
        for text, count in column.marked:
            marks.setdefault(text, {})[name] = count
    return [
        f"{text!r} is read as a missing value in column{'s' if len(where) > 1 else ''} {some(map(repr, where))} "
        f"({sum(where.values()):,} cell{'s' if sum(where.values()) > 1 else ''})."
        for text, where in marks.items()
    ]


def on_thousands(found: Mapping[str, Column], raw: Mapping[str, Cells], file: File) -> list[str]:
    """How numbers such as 1,050 were read."""
    notes = []
    for name, column in found.items():
        cells = raw[name]
        if not (column.ambiguous and column.form.kind == "number" and isinstance(cells, TextColumn)):
            continue
        row = int(np.flatnonzero(cells.codes >= 0)[0])
        marked = (row for row, code in enumerate(cells.codes) if code >= 0 and set(".,") & set(_cell(cells, row)))
        row = next(marked, row)
        value = in_memory(column.values)[row]
        notes.append(
            f"Column {name!r} is read with {_cell(cells, row)!r} ({file.place(row)}) as {value:g}; "
            "write numbers without marks between thousands if that is wrong."
        )
    return notes


def on_percent(found: Mapping[str, Column], raw: Mapping[str, Cells], file: File) -> list[str]:
    """Columns in which some numbers have the sign of percent and others do not: 0.4 may mean 40%."""
    import pyarrow.compute as pc

    notes = []
    for name, column in found.items():
        cells, unit = raw[name], column.form.unit
        if unit not in ("%", "‰") or not isinstance(cells, TextColumn):
            continue
        without = cells.rows_of(~np.asarray(pc.match_substring(cells.distinct, unit), dtype=bool) & ~cells.marks)
        if without.any():
            row = int(without.argmax())
            value = in_memory(column.values)[row]
            notes.append(
                f"Column {name!r} has {without.sum():,} numbers without the {unit} of the others, such as "
                f"{_cell(cells, row)!r} ({file.place(row)}); they are read as {value:g} {unit}: correct "
                "them if they mean something else."
            )
    return notes


def on_sentinels(found: Mapping[str, Column]) -> list[str]:
    """Columns of numbers with several cells of -999, 99 or the like, far from all others: they often mean a missing
    value."""
    notes = []
    for name, column in found.items():
        if column.form.kind != "number" or column.values.dtype.kind not in "iuf":
            continue
        if isinstance(column.values, StoredColumn) and not _SENTINELS & set(column.values.extremes):
            continue
        values = in_memory(column.values).to_numpy(dtype=np.float64)
        known = values[~np.isnan(values)]
        for mark in {known.min(), known.max()} & _SENTINELS if len(known) else ():
            others = known[known != mark]
            count = len(known) - len(others)
            if count > 1 and len(others) and np.abs(others - mark).min() > others.max() - others.min() > 0:
                notes.append(
                    f"Column {name!r} has {count:,} cells of {mark:g}, far from all others; leave them empty if they "
                    "mean a missing value."
                )
    return notes


def _cell(cells: TextColumn, row: int) -> str:
    return str(cells.filled[row].as_py())


def on_otherwise(found: Mapping[str, Column], file: File) -> list[str]:
    """What is written otherwise than in training: one note for the file."""
    ways: dict[str, list[str]] = {}
    for name, column in found.items():
        if column.otherwise:
            ways.setdefault(column.otherwise, []).append(name)
    if not ways:
        return []
    listed = "; ".join(f"{way} in {some(map(repr, names))}" for way, names in ways.items())
    return [f"{file.name} is written otherwise than the training rows, and read so: {listed}."]
