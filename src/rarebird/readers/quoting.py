"""Delimited text in the quotes, escapes and delimiters of other programs -> as CSV usually has them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from functools import partial
from itertools import islice

from rarebird.readers.records import SNIFFED, SNIFFED_TEXT, is_number, records, sniff

# A quote that a backslash precedes and a letter follows stands within a cell, as in "5\\" wide".
_ESCAPED = re.compile(r'\\"(?=[^,;\t|\r\n"])')
_QUOTES = (("'", "'"), ("“", "”"), ("„", "“"), ("«", "»"), ("‘", "’"))
# Delimiters that are looked for only where the usual ones give one column, and the fewest cells they must give.
_SEPARATORS = {"^": 2, "~": 2, "¦": 2, "§": 2, "||": 2, "::": 2, ":": 3, "#": 3, "!": 3}
_UNIT = "\x1f"  # what separates cells in their place


def usual(text: str, name: str) -> tuple[str, list[str]]:
    """A text as CSV usually is, with as many lines; notes for the user.

    Args:
        text: Of a file.
        name: Of the file, for notes.
    """
    for changed in (_rows_in_quotes, _other_quotes, _escaped_quotes):
        text = changed(text)
    return _other_separator(text, name)


def _rows_in_quotes(text: str) -> str:
    """Rows each of which is one quoted cell, as "1,2,ill": a table that was saved as CSV twice."""
    if not text.startswith('"'):
        return text
    rows = [fields for _, fields in islice(records(text[:SNIFFED_TEXT], ","), SNIFFED)]
    lines = text[:SNIFFED_TEXT].splitlines()[: len(rows)]
    whole = len(rows) > 1 and all(len(fields) == 1 for fields in rows)
    if not whole or not all(line.startswith('"') and line.rstrip().endswith('"') for line in lines):
        return text
    inner = "\n".join(fields[0] for fields in rows)
    widths = {len(fields) for _, fields in records(inner, sniff(inner))}
    if len(widths) != 1 or widths == {1}:
        return text
    return _rewritten(text, ",", lambda fields: ",".join(fields), '"')


def _other_quotes(text: str) -> str:
    """Cells in quotes of another form, if all column names are in them."""
    if '"' in text[:SNIFFED_TEXT]:
        return text
    first, delimiter = text.lstrip("\ufeff\r\n").partition("\n")[0], sniff(text)
    cells = [cell.strip() for cell in first.split(delimiter)]
    for start, end in _QUOTES:
        if len(cells) < 2 or not all(len(cell) > 1 and cell[0] == start and cell[-1] == end for cell in cells):
            continue
        if start != end:
            return text.replace(start, '"').replace(end, '"')
        return _rewritten(text, delimiter, partial(_as_csv, delimiter), start)
    return text


def _escaped_quotes(text: str) -> str:
    """Quotes that a backslash escapes, as Spark and MySQL write them."""
    return text.replace('\\"', '""') if '\\"' in text and _ESCAPED.search(text) else text


def _other_separator(text: str, name: str) -> tuple[str, list[str]]:
    """Cells that something else separates than a comma, tab, semicolon or bar."""
    lines = [line for line in islice(io.StringIO(text[:SNIFFED_TEXT]), SNIFFED) if line.strip()]
    if len(lines) < 2 or any(mark in lines[0] for mark in ",\t;\x1f\x01"):
        return text, []
    if lines[0].count("|") != 2 * lines[0].count("||"):
        return text, []
    for mark, fewest in _SEPARATORS.items():
        if any(is_number(cell) for cell in lines[0].split(mark)):
            continue
        widths = {len(line.split(mark)) for line in lines}
        if len(widths) == 1 and widths.pop() >= fewest:
            return text.replace(mark, _UNIT), [f"The cells of {name} are separated by {mark!r}."]
    return text, []


def _rewritten(text: str, delimiter: str, written: Callable[[list[str]], str], quote: str) -> str:
    """The text with each row written anew; empty lines stay."""
    file = io.StringIO(text, newline="")
    rows = csv.reader(file, delimiter=delimiter, quotechar=quote, skipinitialspace=True)
    return "\n".join(written(fields) if fields else "" for fields in rows) + "\n"


def _as_csv(delimiter: str, fields: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="").writerow(fields)
    return line.getvalue()
