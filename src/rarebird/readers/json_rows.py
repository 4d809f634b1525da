"""Rows as JSON -> text cells: a list of objects, an object per line (JSON lines), or an object with a list per column.

Each value becomes the text that a CSV file would hold, so that one decision types the cells of every format.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rarebird.core.checks import DataError, some
from rarebird.readers import compressed, encodings, targets
from rarebird.readers.site import Place, row_number
from rarebird.readers.spellings import plain
from rarebird.readers.text_column import TextColumn

if TYPE_CHECKING:
    import pyarrow as pa

LINES = (".jsonl", ".ndjson")
SUFFIXES = (".json", *LINES)
# Memory that the values take while they are read, as a multiple of the file: lines one after the other, a whole
# document at once.
_MEMORY = {True: 12, False: 25}
_GIVE = "give a list of objects with one value per name, or one such object per line"


def read(path: Path, target: str, labelled: bool) -> tuple[dict[str, TextColumn], Place, list[str]]:
    """The columns of a file of JSON; where a row is; notes for the user.

    Args:
        path: The file, compressed or not.
        target: Without labels this column is not read, so that it cannot matter.
        labelled: Whether labels are wanted.

    Raises:
        DataError: It is not JSON, holds no rows, or a value is a list or an object.
    """
    by_line = compressed.suffix(path) in LINES
    text, _, notes = encodings.decoded(compressed.content(path, _MEMORY[by_line]), path)
    text = text.removeprefix("\ufeff")
    is_list = text.lstrip().startswith("[")
    columns, place = _by_line(text, path) if by_line and not is_list else _document(text, path)
    if not columns or not len(next(iter(columns.values()))):
        raise DataError(f"{path} holds no rows; {_GIVE}.")
    found = {}
    for name, values in columns.items():
        if name != target or labelled:
            found[name] = TextColumn(_cells(values, name, path, place, name == target))
    return found, place, notes


def _document(text: str, path: Path) -> tuple[dict[str, Sequence[Any]], Place]:
    """The columns of one JSON value; what cannot be one may be one object per line."""
    try:
        value = json.loads(text, object_pairs_hook=partial(_object, path))
    except json.JSONDecodeError as error:
        return _by_line(text, path, error)
    value = _of_frame(value)
    if isinstance(value, list):
        return _of_rows(value, row_number, path), row_number
    if isinstance(value, dict) and value and all(isinstance(cells, list) for cells in value.values()):
        lengths = {name: len(cells) for name, cells in value.items()}
        if len(set(lengths.values())) > 1:
            listed = some(f"{name!r} {count}" for name, count in lengths.items())
            raise DataError(f"The columns of {path} have different numbers of values ({listed}); {_GIVE}.")
        return _named(value.items(), path), row_number
    raise DataError(f"{path} holds no table; {_GIVE}.")


def _of_frame(value: Any) -> Any:
    """A list of objects, or an object with a list per column, where one is in what pandas' `to_json` or a server
    writes; anything else as it is."""
    if not isinstance(value, dict) or not value:
        return value
    if isinstance(names := value.get("columns"), list) and isinstance(rows := value.get("data"), list):
        whole = all(isinstance(row, list) and len(row) == len(names) for row in rows)
        return [dict(zip(map(str, names), row, strict=True)) for row in rows] if whole else value
    if isinstance(described := value.get("schema"), dict) and isinstance(rows := value.get("data"), list):
        index = described.get("primaryKey") or []
        return [{k: cell for k, cell in row.items() if k not in index} for row in rows if isinstance(row, dict)]
    inside = list(value.values())
    if len(inside) == 1 and isinstance(inside[0], list) and inside[0] and isinstance(inside[0][0], dict):
        return inside[0]
    if len(inside) > 1 and all(isinstance(cells, dict) and cells.keys() == inside[0].keys() for cells in inside):
        numbered = all(name.isdecimal() for name in value) and not all(name.isdecimal() for name in inside[0])
        return inside if numbered else {name: list(cells.values()) for name, cells in value.items()}
    return value if any(isinstance(cell, list | dict) for cell in inside) else [value]


def _by_line(
    text: str, path: Path, first: json.JSONDecodeError | None = None
) -> tuple[dict[str, Sequence[Any]], Place]:
    """The columns of one object per line.

    Args:
        text: The text of the file.
        path: For messages.
        first: Why the whole text is not one value, which is what the user learns unless the first line is one.
    """
    lines: list[int] = []

    def rows() -> Iterator[Any]:
        for number, line in enumerate(io.StringIO(text), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, object_pairs_hook=partial(_object, path))
            except json.JSONDecodeError as error:
                said, place = (error.msg, number) if first is None or lines else (first.msg, first.lineno)
                raise DataError(f"Line {place} of {path} is not JSON ({said}); correct that line.") from None
            lines.append(number)
            yield row

    def place(row: int) -> str:
        return f"line {lines[row]}"

    return _of_rows(rows(), place, path), place


def _object(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, of which no name is lost.

    Raises:
        DataError: A name is there twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"An object in {path} has more than one value named {twice!r}; give each its own name.")
    return found


def _of_rows(rows: Iterable[Any], place: Place, path: Path) -> dict[str, Sequence[Any]]:
    """The columns of objects, in the order in which their names first occur; None where a row lacks one."""
    columns: dict[str, list[Any]] = {}
    number = -1
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataError(f"{path} holds {_kind(row)} where an object should be ({place(number)}); {_GIVE}.")
        for name, value in row.items():
            cells = columns.get(name)
            if cells is None:
                cells = columns[name] = []
            if len(cells) < number:
                cells.extend([None] * (number - len(cells)))
            cells.append(value)
    for cells in columns.values():
        cells.extend([None] * (number + 1 - len(cells)))
    return _named(columns.items(), path)


def _named(columns: Iterable[tuple[str, Sequence[Any]]], path: Path) -> dict[str, Sequence[Any]]:
    found: dict[str, Sequence[Any]] = {}
    for place, (name, cells) in enumerate(columns):
        known = plain(name).strip() or f"Unnamed: {place}"
        if known in found:
            raise DataError(f"{path} has more than one column named {known!r}; give each column its own name.")
        found[known] = cells
    return found


def _cells(values: Sequence[Any], name: str, path: Path, place: Place, is_target: bool) -> pa.ChunkedArray:
    import pyarrow as pa

    def spelled() -> Iterator[str | None]:
        for row, value in enumerate(values):
            if isinstance(value, list | dict):
                where = f"Column {name!r} of {path}"
                if is_target and isinstance(value, list):
                    raise targets.multi_label(where)
                raise DataError(
                    f"{where} holds {_kind(value)} ({place(row)}); a table holds one value per cell: flatten or drop "
                    "it."
                )
            yield _text(value)

    return pa.chunked_array([pa.array(spelled(), pa.string())])


def _text(value: Any) -> str | None:
    """A value as a CSV file holds it."""
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return plain(value)
    return str(value)


_KINDS: Mapping[type, str] = {list: "a list", dict: "an object", str: "a text", bool: "true or false"}


def _kind(value: Any) -> str:
    return "null" if value is None else _KINDS.get(type(value), "a number")
