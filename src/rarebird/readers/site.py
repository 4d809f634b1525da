"""Where a column is, for messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rarebird.core.checks import DataError

# Position of a row -> "line 7".
Place = Callable[[int], str]


def row_number(row: int) -> str:
    """The place of a row that has no line.

    >>> row_number(0)
    'row 1'
    """
    return f"row {row + 1}"


@dataclass(frozen=True)
class Site:
    """A column of a file.

    Attributes:
        column: Its name.
        file: The file, or "X".
        place: Position of a row -> "line 7".
    """

    column: str
    file: str
    place: Place = row_number

    def refuse_infinite(self, infinite: np.ndarray) -> None:
        """Raise an error if any row of ``(n,)`` is marked; the message names the first."""
        rows = np.flatnonzero(infinite)
        if len(rows):
            first = self.place(int(rows[0]))
            raise DataError(
                f"Column {self.column!r} of {self.file} holds an infinite value ({first}); "
                "remove that row or correct it."
            )


@dataclass(frozen=True)
class File:
    """Where a table is, for messages.

    Attributes:
        name: The file, or "X".
        place: Position of a row -> "line 7".
        semicolons: Whether semicolons separate its cells.
    """

    name: str
    place: Place
    semicolons: bool = False

    def site(self, column: str) -> Site:
        """Where a column is."""
        return Site(column, self.name, self.place)
