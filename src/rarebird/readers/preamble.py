"""What stands before the column names of a delimited text and behind its rows: titles, comments, sources, counts of
rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import islice

from rarebird.core.checks import some
from rarebird.readers.records import SNIFFED, SNIFFED_TEXT, is_number, records, sniff
from rarebird.readers.spellings import folded

_NAMED_DELIMITER = re.compile(r'^\ufeff?"?sep=([^\w\s"]|\t)"?\s*$', re.IGNORECASE)
# So many lines at the end of a file, in so many of its letters, may be no rows.
_MOST_LINES, _END = 6, 1 << 13


def without_preamble(text: str, name: str, expected: Collection[str] = ()) -> tuple[str, str, list[str]]:
    """A text with empty lines in place of what is before the column names (Excel's ``sep=;``, titles, comments), so
    that the numbers of lines stay; its delimiter; notes.

    Args:
        text: Of a file.
        name: Of the file, for notes.
        expected: Column names that are known, such as the target's: a row that has them is that of the names.
    """
    if named := _NAMED_DELIMITER.match(text[: text.find("\n")]):
        return text[text.find("\n") :], named[1], []
    delimiter = sniff(text)
    rows = list(islice(records(text[:SNIFFED_TEXT], delimiter), SNIFFED))
    header = _known_header([fields for _, fields in rows], expected)
    if header is None:
        filled = [sum(1 for cell in fields if cell.strip()) for _, fields in rows]
        header = next((place for place, n in enumerate(filled) if n > 1), 0)
        if header and not _are_names(rows[header][1]):
            header = 0
    if not header or len(rows) < header + 2:
        return text, delimiter, []
    lines = text.split("\n", rows[header - 1][0])
    titles = some((repr(next(filter(None, fields), "").strip()) for _, fields in rows[:header]), most=2)
    note = f"{name} begins with {titles} before its column names, which is passed over."
    return "\n" * rows[header - 1][0] + lines[-1], delimiter, [note]


def without_end(text: str, delimiter: str, width: int, name: str) -> tuple[str, list[str]]:
    """A text without its last lines that are no rows: comments, and what is behind an empty line and has fewer cells
    than a row; notes.

    Args:
        text: Of a file.
        delimiter: Of its cells.
        width: The number of columns.
        name: Of the file, for notes.
    """
    lines = text[-_END:].rstrip("\r\n").split("\n")[1:][-_MOST_LINES:]
    start = len(lines)
    while start and _cells(lines[start - 1], delimiter) < width:
        start -= 1
    behind = (place for place in range(start, len(lines)) if not lines[place].strip() or lines[place].startswith("#"))
    cut = lines[next(behind, len(lines)) :]
    left_out = [line.strip() for line in cut if line.strip()]
    if width < 2 or not left_out:
        return text, []
    kept = text.rstrip("\r\n")
    kept = kept[: len(kept) - sum(len(line) + 1 for line in cut)]
    if kept.count('"') % 2:  # the lines are part of a cell
        return text, []
    shown = some(map(repr, left_out), most=2)
    return kept + "\n", [f"{name} ends with {shown} behind its rows, which is passed over."]


def _cells(line: str, delimiter: str) -> int:
    """How many cells a line has; 1 where only the first holds a text, as sheets fill lines up."""
    fields = next((fields for _, fields in records(line, delimiter)), [])
    filled = [place for place, cell in enumerate(fields) if cell.strip()]
    alone = not filled or (filled == [0] and not is_number(fields[0]))
    return len(filled) if alone else len(fields)


def _known_header(rows: Sequence[Sequence[str]], expected: Collection[str]) -> int | None:
    """The first row that has known column names, if it is not the first of all; None if no row has them."""
    known = {folded(name) for name in expected}
    if not known:
        return None
    found = [len(known & {folded(cell) for cell in fields}) for fields in rows]
    place = max(range(len(rows)), key=lambda row: found[row], default=0)
    enough = bool(rows) and 2 * found[place] >= len(known) and not found[0]
    return place if enough and len(rows[place]) > 1 else None


def _are_names(fields: Sequence[str]) -> bool:
    """Whether cells can be column names after a title: none is empty, a number, or there twice."""
    names = [name.strip() for name in fields]
    return len(set(names)) == len(names) and all(name and not is_number(name) for name in names)
