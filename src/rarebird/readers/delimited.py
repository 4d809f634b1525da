"""A delimited text file -> its header and raw text cells: encoding, delimiter, quotes and row widths, but no types
yet."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rarebird.core.checks import DataError, some
from rarebird.readers import compressed, encodings, row_names
from rarebird.readers.false_rows import NAMELESS
from rarebird.readers.other_content import refuse_blanks, refuse_other_content
from rarebird.readers.preamble import without_end, without_preamble
from rarebird.readers.quoting import usual
from rarebird.readers.records import SNIFFED, is_number, records
from rarebird.readers.spellings import plain

if TYPE_CHECKING:
    import pyarrow as pa

# Memory that a text takes while it is read, as a multiple of its file: decoded, split and typed.
TEXT_MEMORY = 5
_NAMED_ROWS = "The first cell of each row of {} has no column name, and is read as the name of the row."
_BLOCK_BYTES = 1 << 24  # a block of Arrow's parser; a line must fit into one


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


def read(path: Path, encoding: str = "", expected: Collection[str] = ()) -> Cells:
    """The header and the raw cells of a CSV-like file.

    Args:
        path: The file.
        encoding: That of the training file, which comes before others if the file is not UTF-8.
        expected: Column names that are known.

    Raises:
        DataError: No text, no rows, no or duplicate column names, rows of unequal width.
    """
    text, encoding, notes = decode(path, encoding)
    return cells_of(text, path, encoding, notes, expected)


def cells_of(
    text: str, path: Path, encoding: str = "", notes: Sequence[str] = (), expected: Collection[str] = ()
) -> Cells:
    """The header and the raw cells of delimited text.

    Args:
        text: The decoded text of the file.
        path: For messages.
        encoding: Of its bytes.
        notes: Notes for the user so far.
        expected: Column names that are known: a row that has them is that of the names, though others precede it.

    Raises:
        DataError: As for `read`.
    """
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    refuse_other_content(text, path)
    text, quoted = usual(text, path.name)
    text, delimiter, more = without_preamble(text, path.name, expected)
    first = next(records(text, delimiter), None)
    if first is None:
        raise DataError(f"{path} is empty; give a table with a line of column names and one line per row.")
    text, end = without_end(text, delimiter, len(first[1]), path.name)
    more = [*quoted, *more, *end]
    rows = [fields for _, fields in islice(records(text, delimiter), 1, 1 + SNIFFED)]
    names = _names(path, first[1])
    refuse_blanks(names, rows, path)
    columns: list[pa.ChunkedArray] = []
    if wider := row_names.wider(names, rows):
        with suppress(DataError):  # the message of the file's own column names is the better one
            columns = _columns(path, text, delimiter, wider, skip=first[0])
    if wider and columns and row_names.fits(wider, columns):
        names = wider
        more += [_NAMED_ROWS.format(path.name)] if wider[0].startswith(NAMELESS) else []
    else:
        columns = _columns(path, text, delimiter, names, skip=first[0])
    if not columns or len(columns[0]) == 0:
        raise DataError(f"{path} holds column names but no rows; give a table with one line per row.")
    return Cells(path, text, encoding, delimiter, names, columns, [*notes, *more])


def decode(path: Path, preferred: str = "") -> tuple[str, str, list[str]]:
    """The text of a file, its encoding, and notes; see `encodings.decoded`.

    Raises:
        DataError: The file cannot be opened, or is not text in a known encoding.
    """
    try:
        raw = compressed.content(path, TEXT_MEMORY)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    return encodings.decoded(raw, path, preferred)


def beginning(path: Path, most: int) -> str:
    """The text of a file's first lines, of at most so many bytes: enough to guess what the file holds.

    Raises:
        DataError: As for `decode`.
    """
    try:
        raw = compressed.beginning(path, most)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if len(raw) == most and b"\0" not in raw[:4]:
        # The last line may end within a letter. UTF-16, which has zeros, ends between two of its units.
        raw = raw[: raw.rfind(b"\n") + 1] or raw
    return encodings.decoded(raw, path)[0]


def separator(line: str) -> str | None:
    """The separator of a line of numbers: the first of tab, comma and semicolon that occurs in it; None means
    blanks."""
    return next((mark for mark in "\t,;" if mark in line), None)


def is_label_and_numbers(line: str, any_label: bool = False) -> bool:
    """Whether a line is a number (or any label) followed by at least two numbers or missing values, as in UCR's layout,
    and not column names."""
    label, *values = line.strip().split(separator(line)) or [""]
    return (
        len(values) >= 2
        and (any_label or is_number(label))
        and all(is_number(value) or value.strip() in ("", "?") for value in values)
    )


def _names(path: Path, header: list[str]) -> list[str]:
    names = [plain(name).strip() or f"{NAMELESS}{place}" for place, name in enumerate(header)]
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
        if next(islice(records(text, delimiter), 1, None), None) is None:  # column names alone
            return []
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
