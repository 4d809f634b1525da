"""Delimited text -> its rows: what separates the cells, and the fields of each line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice

# Rows that decide on the delimiter, and among which titles may be; the text that holds them.
SNIFFED, SNIFFED_TEXT = 20, 1 << 24
_DELIMITERS = ",\t;|\x1f\x01"
_LONGEST_CELL = 1 << 30  # with a wrong delimiter, the whole line of a wide table is one cell


def sniff(text: str) -> str:
    """The delimiter (comma, tab, semicolon or bar) that splits the first lines into the most even rows; comma if none
    splits them."""
    beginning = text[:SNIFFED_TEXT]

    def evenness(delimiter: str) -> tuple[float, int, int]:
        widths = [len(fields) for _, fields in islice(records(beginning, delimiter), SNIFFED)]
        # Titles before the column names have one cell. But of alter;wert and 41,25;7,5 the comma would make a title
        # and even rows, so that the fewest titles count.
        titles = next((place for place, width in enumerate(widths) if width > 1), len(widths))
        widths = widths[titles:]
        if len(widths) < 2:
            return (0.0, 0, 0)
        return (sum(width == widths[0] for width in widths) / len(widths), -titles, widths[0])

    return max(_DELIMITERS, key=evenness)


def records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a delimited text, with the header and without empty lines: (number of the line on which the row ends,
    from 1; its fields)."""
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    for fields in reader:
        if fields:
            yield reader.line_num, fields


def is_number(cell: str) -> bool:
    """Whether a cell is a number (NaN counts as one)."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
