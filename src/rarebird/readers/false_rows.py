"""Rows of a text file that are no examples: the column names once more, as where files were joined, and the line below
the column names of a printed table."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from rarebird.readers.site import File
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
    names = _names(columns) if len(columns) > 1 else rules[:0]
    notes = [f"The row below the column names ({file.place(int(row))}) is a line and is left out." for row in rules]
    if len(names):
        first = file.place(int(names[0]))
        several = f"{len(names):,} rows repeat the column names (the first is {first}) and are left out."
        notes.append(several if len(names) > 1 else f"A row repeats the column names ({first}) and is left out.")
    return np.union1d(rules, names), notes


def _names(columns: Mapping[str, TextColumn]) -> np.ndarray:
    """Positions of the rows that hold the column names."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows: np.ndarray | None = None
    for name, cells in columns.items():
        names = [name, ""] if name.startswith(NAMELESS) else [name]
        texts = cells.trimmed if rows is None else cells.trimmed.take(pa.array(rows))
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
