"""Rows with one cell more than there are column names: R writes the names of rows so, and some programs end each row
with a delimiter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rarebird.readers.false_rows import NAMELESS

if TYPE_CHECKING:
    import pyarrow as pa


def wider(names: list[str], rows: Sequence[Sequence[str]]) -> list[str] | None:
    """The names of all columns, of which one has none: the first, or the last where it is empty; None where the rows
    are not wider than the names by one cell.

    Args:
        names: The column names of the file.
        rows: The cells of its first rows.
    """
    if not rows or any(len(row) != len(names) + 1 for row in rows):
        return None
    if all(not row[-1].strip() for row in rows):
        return [*names, f"{NAMELESS}{len(names)}"]
    return [f"{NAMELESS}0", *names]


def fits(names: Sequence[str], columns: Sequence[pa.ChunkedArray]) -> bool:
    """Whether the cells confirm names from `wider`: the last column is empty, or the first one names rows. Cells of a
    text that holds the delimiter, or of numbers with a decimal comma, would be shifted without this check."""
    import pyarrow.compute as pc

    from rarebird.readers import numbers

    if names[-1] == f"{NAMELESS}{len(names) - 1}":
        return bool(pc.all(pc.equal(pc.utf8_trim_whitespace(columns[-1]), "")).as_py())
    first = columns[0]
    if pc.count_distinct(first).as_py() < len(first):
        return False
    counted = [str(row) for row in range(1, len(first) + 1)]
    return first.to_pylist() == counted or not pc.any(numbers.numeric(first)).as_py()
