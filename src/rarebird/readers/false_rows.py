"""Rows of a text file that are no examples: the column names once more, as where files were joined; the line below the
column names of a printed table; a row of units or types below them; rows at the end that are empty."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from rarebird.core.checks import some
from rarebird.readers import numbers
from rarebird.readers.site import File
from rarebird.readers.spellings import MISSING, MISSING_AMONG_VALUES, plain
from rarebird.readers.text_column import TextColumn

NAMELESS = "Unnamed: "
_RULE = r"^:?[-=]{3,}:?$"


def found(columns: Mapping[str, TextColumn], file: File) -> tuple[np.ndarray, list[str]]:
    """Positions of such rows, and a sentence for the user on each kind.

    Args:
        columns: Name -> text cells.
        file: Where they are.
    """
    rules = _rules(columns)
    names, empty = (_names(columns), _empty_end(columns)) if len(columns) > 1 else (rules[:0], rules[:0])
    units = _units(columns)
    notes = [f"The row below the column names ({file.place(int(row))}) is a line and is left out." for row in rules]
    if len(names):
        first = file.place(int(names[0]))
        several = f"{len(names):,} rows repeat the column names (the first is {first}) and are left out."
        notes.append(several if len(names) > 1 else f"A row repeats the column names ({first}) and is left out.")
    if len(units):
        texts = some((repr(text) for cells in columns.values() if (text := _first(cells))), most=2)
        place = file.place(int(units[0]))
        notes.append(f"The row below the column names ({place}) holds units or types ({texts}) and is left out.")
    if len(empty):
        first = file.place(int(empty[0]))
        several = f"{len(empty):,} empty rows at the end ({first} on) are left out."
        notes.append(several if len(empty) > 1 else f"The last row ({first}) is empty and is left out.")
    return np.concatenate([rules, names, units, empty]).astype(np.int64), notes


def _names(columns: Mapping[str, TextColumn]) -> np.ndarray:
    """Positions of the rows that hold the column names."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows: np.ndarray | None = None
    for name, cells in columns.items():
        names = [name, ""] if name.startswith(NAMELESS) else [name]
        texts = cells.visible if rows is None else cells.visible.take(pa.array(rows))
        same = np.flatnonzero(pc.is_in(texts, pa.array(names, pa.string())))
        rows = same if rows is None else rows[same]
        if not len(rows):
            break
    return np.zeros(0, np.int64) if rows is None else rows


def _rules(columns: Mapping[str, TextColumn]) -> np.ndarray:
    """The first row, if all its cells below a name are lines."""
    cells = [str(column.cells[0].as_py() or "").strip() for name, column in columns.items() if NAMELESS not in name]
    is_rule = bool(cells) and all(re.match(_RULE, cell) for cell in cells)
    return np.arange(int(is_rule))


def _first(cells: TextColumn) -> str:
    return plain(str(cells.cells[0].as_py() or "")).strip()


def _units(columns: Mapping[str, TextColumn]) -> np.ndarray:
    """The first row, if it describes the columns: it has a text above the numbers of two columns or more, or of one
    beside labels of which it has another; no number of its own, and no text that another row has, too."""
    nothing = np.zeros(0, np.int64)
    firsts = {name: _first(cells) for name, cells in columns.items()}
    if len(columns) < 2 or any(text[:1].isdigit() or text[1:2].isdigit() for text in firsts.values()):
        return nothing
    described, own = 0, False
    for name, cells in columns.items():
        text = firsts[name]
        if text.lower() in (*MISSING, *MISSING_AMONG_VALUES):
            continue
        below = cells.filled.slice(1).drop_null().unique()
        if text in set(below.to_pylist()):
            return nothing
        numeric = np.asarray(numbers.numeric(below).fill_null(False), dtype=bool)
        described += bool(len(below) and numeric.all())
        own |= not numeric.any() and 2 * len(below) <= len(cells)
    return np.zeros(1, np.int64) if described > 1 or (described and own) else nothing


def _empty_end(columns: Mapping[str, TextColumn]) -> np.ndarray:
    """The rows at the end that have no text in any column, unless no row has any."""
    n = len(next(iter(columns.values())))
    filled = n
    while filled and not any(str(cells.cells[filled - 1].as_py() or "").strip() for cells in columns.values()):
        filled -= 1
    return np.arange(filled if filled else n, n)
