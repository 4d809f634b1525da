"""Columns of numbers as programs write them, many at a time: of a table with thousands of columns, a call for each
column takes longer than the training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from rarebird.data.schema import ColumnFormat
from rarebird.readers import numbers
from rarebird.readers.columns import Column
from rarebird.readers.numbers import Mark
from rarebird.readers.spellings import MISSING
from rarebird.readers.text_column import TextColumn, without

if TYPE_CHECKING:
    import pyarrow as pa

# Cells that are read together, and the fewest columns for which that pays.
BLOCK_CELLS, FEWEST = 2**20, 16
_WHOLE = r"^-?\d+$"


def found(cells: Mapping[str, TextColumn]) -> dict[str, Column]:
    """Those columns that `columns.quick_numbers` reads without a doubt, as it reads them; it decides on the others.

    Args:
        cells: Name -> text cells, of equally many rows.
    """
    read: dict[str, Column] = {}
    names = list(cells)
    n = len(cells[names[0]]) if names else 0
    step = BLOCK_CELLS // max(n, 1)
    if n and min(step, len(names)) >= FEWEST:
        likely = [name for name in names if _begins_with_number(cells[name])]
        for start in range(0, len(likely), step):
            read |= _block({name: cells[name] for name in likely[start : start + step]}, n)
    return read


def _begins_with_number(cells: TextColumn) -> bool:
    """Whether the first cell is a number, or missing: where it is something else, the column is."""
    text = (cells.cells[0].as_py() or "").strip().lower()
    if text in MISSING:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _block(cells: Mapping[str, TextColumn], n: int) -> dict[str, Column]:
    """The columns of a block; halves are tried where a cell is no number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pa.chunked_array([chunk for column in cells.values() for chunk in column.cells.chunks], pa.string())
    values = numbers.plain(text)
    if values is None or values.null_count or np.isnan(values.to_numpy()).any():
        text = without(pc.utf8_trim_whitespace(text), MISSING)
        values = numbers.plain(text)
    if values is not None:
        return dict(_columns(list(cells), text, values, n))
    if len(cells) < 2 * FEWEST:
        return {}
    names, middle = list(cells), len(cells) // 2
    halves = ({name: cells[name] for name in part} for part in (names[:middle], names[middle:]))
    return {name: column for half in halves for name, column in _block(half, n).items()}


def _columns(names: list[str], text: pa.ChunkedArray, values: pa.ChunkedArray, n: int) -> Iterator[tuple[str, Column]]:
    """The columns of a block whose cells are all numbers or missing.

    Args:
        names: Of the columns.
        text: ``(len(names) * n,)`` their cells, one column after the other; null where a cell is missing.
        values: The cells as numbers.
        n: The number of rows.
    """
    import pandas as pd

    shape = len(names), n
    # A copy, because Arrow's memory cannot be written to.
    array = np.array(values.to_numpy()).reshape(shape)
    missing = np.isnan(array)
    strange = (missing & ~values.is_null().to_numpy().reshape(shape)) | np.isinf(array)
    doubtful = strange.any(axis=1) | missing.all(axis=1)
    whole = ((np.floor(array) == array) | missing).all(axis=1)
    binary = ((array == 0) | (array == 1) | missing).all(axis=1)
    first = array[np.arange(len(names)), (~missing).argmax(axis=1)]
    # 01.1999 and 12.2099 may be months of a year.
    fraction = np.where(np.isinf(first), 0, first) % 1
    doubtful |= ~whole & (first >= 1) & (first < 13) & (fraction > 0.18) & (fraction < 0.22)
    integers = _integers(text, np.flatnonzero(whole & ~doubtful), missing.any(axis=1), n)
    for place, name in enumerate(names):
        if doubtful[place] or (whole[place] and place not in integers):
            continue
        column = integers[place] if whole[place] else array[place]
        form = _form("" if whole[place] else ".", bool(binary[place]))
        yield name, Column(pd.Series(array[place] if column is None else column, copy=False), form)


def _integers(
    text: pa.ChunkedArray, places: np.ndarray, has_missing: np.ndarray, n: int
) -> dict[int, np.ndarray | None]:
    """The columns of whole numbers that are no codes: place -> ``(n,)`` int64; None where a cell is missing, so that
    the numbers stay floats. Columns in which a whole number is written otherwise, such as "1.0", are left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(places):
        return {}
    own = pa.chunked_array([chunk for place in places for chunk in text.slice(place * n, n).chunks], pa.string())
    codes = pc.fill_null(pc.match_substring_regex(own, numbers.CODE), False).to_numpy().reshape(-1, n).any(axis=1)
    plain = pc.fill_null(pc.match_substring_regex(own, _WHOLE), False).to_numpy().reshape(-1, n).all(axis=1)
    found: dict[int, np.ndarray | None] = {
        int(place): None for place, code in zip(places, codes, strict=True) if has_missing[place] and not code
    }
    complete = np.flatnonzero(plain & ~codes & ~has_missing[places])
    if len(complete):
        chunks = [chunk for at in complete for chunk in own.slice(at * n, n).chunks]
        values = np.array(pc.cast(pa.chunked_array(chunks, pa.string()), pa.int64()).to_numpy()).reshape(-1, n)
        found |= {int(places[at]): row for at, row in zip(complete, values, strict=True)}
    return found


@cache
def _form(decimal: Mark, binary: bool) -> ColumnFormat:
    return ColumnFormat(kind="number", decimal=decimal, binary=binary)
