"""A delimited text file -> its header and raw text cells: encoding, delimiter, quotes and row widths, but no types
yet."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rarebird.core.checks import DataError, some

if TYPE_CHECKING:
    import pyarrow as pa

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DELIMITERS = ",\t;|"
_BLOCK_BYTES = 1 << 24  # a block of Arrow's parser; a line must fit into one
_LONGEST_CELL = 1 << 30  # with a wrong delimiter, the whole line of a wide table is one cell


@dataclass(frozen=True, eq=False)
class Cells:
    """The text of a table.

    Attributes:
        path: The file.
        text: Its decoded text.
        delimiter: What separates its cells.
        encoding: Of its bytes.
        names: ``(n_columns,)`` distinct column names; a column without a name is called "Unnamed: 0" by its position.
        columns: ``(n_columns,)`` Arrow arrays of text, one cell per row, without delimiters and quotes.
        notes: Notes for the user.
    """

    path: Path
    text: str
    encoding: str
    delimiter: str
    names: list[str]
    columns: list[pa.ChunkedArray]
    notes: list[str]

    def line(self, row: int) -> int:
        """The line, counted from 1, that data row `row` (from 0) ends on. Reads the file again: for messages only."""
        return next(islice((line for line, _ in records(self.text, self.delimiter)), row + 1, None))


def read(path: Path, encoding: str = "") -> Cells:
    """The header and the raw cells of a CSV-like file.

    Raises:
        DataError: No text, no rows, no or duplicate column names, rows of unequal width.
    """
    text, encoding = decode(path)
    delimiter = sniff(text)
    first = next(records(text, delimiter), None)
    if first is None:
        raise DataError(f"{path} is empty; give a table with a line of column names and one line per row.")
    names = _names(path, first[1])
    columns = _columns(path, text, delimiter, names, skip=first[0])
    if not columns or len(columns[0]) == 0:
        raise DataError(f"{path} holds column names but no rows; give a table with one line per row.")
    notes = [] if encoding.startswith("utf") else [f"{path.name} is not UTF-8 and was read as {encoding.upper()}."]
    return Cells(path, text, encoding, delimiter, names, columns, notes)


def decode(path: Path) -> tuple[str, str]:
    """The text of a file and its encoding: that of its byte-order mark, otherwise UTF-8 or GB18030.

    Raises:
        DataError: The file cannot be opened, or is not text in one of these encodings.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    marked = next((encoding for mark, encoding in _BOMS if raw.startswith(mark)), None)
    if marked is None and b"\0" in raw:
        raise DataError(f"{path} is not a text file, despite its name; save the table as CSV in UTF-8.")
    for encoding in (marked,) if marked else ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path} is not text in UTF-8, UTF-16 or GB18030; save it as UTF-8.")


def sniff(text: str) -> str:
    """The delimiter (comma, tab, semicolon or bar) that splits the first lines into the most even rows; comma if none
    splits them."""

    beginning = text[:_BLOCK_BYTES]

    def evenness(delimiter: str) -> tuple[float, int]:
        widths = [len(fields) for _, fields in islice(records(beginning, delimiter), 20)]
        if not widths or widths[0] < 2:
            return (0.0, 0)
        return (sum(width == widths[0] for width in widths) / len(widths), widths[0])

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


def separator(line: str) -> str | None:
    """The separator of a line of numbers: the first of tab, comma and semicolon that occurs in it; None means
    blanks."""
    return next((mark for mark in "\t,;" if mark in line), None)


def is_label_and_numbers(line: str) -> bool:
    """Whether a line is a number followed by at least two numbers or missing values, as in UCR's layout, and not column
    names."""
    label, *values = line.strip().split(separator(line)) or [""]
    return (
        len(values) >= 2
        and is_number(label)
        and all(is_number(value) or value.strip() in ("", "?") for value in values)
    )


def _names(path: Path, header: list[str]) -> list[str]:
    names = [name.strip() or f"Unnamed: {place}" for place, name in enumerate(header)]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if all(is_number(name) for name in names) and (repeated or not all(name.isdigit() for name in names)):
        raise DataError(
            f"The first line of {path} holds numbers where column names should be; add a line of column names, "
            "or give --kind series where every line is a label and a series."
        )
    if repeated:
        raise DataError(
            f"{path} has more than one column named {some(map(repr, repeated))}; give each column its own name."
        )
    return names


def _columns(path: Path, text: str, delimiter: str, names: list[str], skip: int) -> list[pa.ChunkedArray]:
    """The cells of each column, by Arrow's parser, which is thirty times as fast as Python's; Python's explains
    errors."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if re.search(re.escape(delimiter) + ' +"', text):
        # Arrow sees a quote only right after the delimiter, so `a, "b, c"` is first written without the space.
        rows, skip = io.StringIO(), 0
        csv.writer(rows, delimiter=delimiter).writerows(
            fields for _, fields in islice(records(text, delimiter), 1, None)
        )
        body = rows.getvalue()
    else:
        body = text
    # Arrow gets the positions as names and need not know the user's names.
    places = [str(place) for place in range(len(names))]
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(body.removeprefix("\ufeff").encode()),
            read_options=arrow_csv.ReadOptions(column_names=places, skip_rows=skip, block_size=_BLOCK_BYTES),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(places, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise _explained(path, text, delimiter, len(names), error) from None
    columns = list(table.columns)
    if table.num_rows and text.count('"') % 2 and any("\n" in str(column[-1]) for column in columns):
        # Arrow reads everything after a quote that is never closed as one last cell, however many rows that is.
        opened = [line for line, _ in records(text, delimiter)][-2] + 1
        raise DataError(
            f"The quote on line {opened} of {path} is never closed; close it, or double it if it belongs to the text."
        )
    return columns


def _explained(path: Path, text: str, delimiter: str, width: int, error: Exception) -> DataError:
    """Arrow's error, with the number of the line in the user's file if Python's parser finds it."""
    try:
        for line, fields in records(text, delimiter):
            if len(fields) != width:
                return DataError(
                    f"Line {line} of {path} has {len(fields)} cells, but the header has {width}; correct that line."
                )
    except csv.Error as also:
        return DataError(f"{path} cannot be read as a table: {also}.")
    return DataError(f"{path} cannot be read as a table: {error}.")
