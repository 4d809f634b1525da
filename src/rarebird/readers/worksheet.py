"""A sheet of an Excel workbook -> the text cells of the CSV file that Excel would save of it."""

from __future__ import annotations

import csv
import datetime
import io
import warnings
import zipfile
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rarebird.core.checks import DataError, some
from rarebird.core.memory import require_memory
from rarebird.readers import delimited
from rarebird.readers.records import SNIFFED, records
from rarebird.readers.spellings import folded

SUFFIXES = (".xlsx", ".xlsm")
# Memory that a sheet takes while it is read, as a multiple of its unpacked size.
_MEMORY = 3
# The first bytes of a workbook of Excel 97, and of a newer one in an envelope that a password opens.
_SEALED = b"\xd0\xcf\x11\xe0"
SAVE = "save its sheet as CSV in UTF-8, and give that file"


def read(path: Path, expected: Collection[str] = ()) -> delimited.Cells:
    """The header and the text cells of a workbook's first sheet that is not empty; the numbers of lines are those of
    the sheet's rows.

    Formulas count by the values that Excel stored. Charts and macros are not read.

    Args:
        path: The workbook.
        expected: Column names that are known.

    Raises:
        DataError: It is no workbook, does not fit into the memory, its sheets are empty, or the package that reads it
            is missing.
    """
    try:
        import openpyxl
    except ImportError:
        raise DataError(
            f"{path} needs the package openpyxl; install it with pip install 'rarebird[excel]', or {SAVE}."
        ) from None
    _check_size(path)
    with warnings.catch_warnings():
        # Of styles, print areas and the like that openpyxl does not keep: none of them is read.
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            title, text = _chosen(book.worksheets, expected)
            others = [sheet.title for sheet in book.worksheets if sheet.title != title]
        finally:
            book.close()
        if text and (lost := _columns_without_values(path, title, text)):
            raise DataError(
                f"The formulas in column {lost} of {path} have no values that Excel stored; open the workbook in "
                "Excel, and save it."
            )
    if not text:
        raise DataError(f"{path} has no sheet with cells; give a workbook with a table in its first sheet.")
    notes = []
    if others:
        notes.append(
            f"Only sheet {title!r} of {path.name} is read, not {some(map(repr, others))}; save another sheet as its "
            "own file to read it."
        )
    return delimited.cells_of(text, path, notes=notes, expected=expected)


def _chosen(sheets: Sequence[Any], expected: Collection[str]) -> tuple[str, str]:
    """The title and the text of the first sheet that is not empty, or of the first that has a known column name near
    its top, where that one has none; empty texts if all sheets are empty."""
    known = {folded(name) for name in expected}
    first = ("", "")
    for sheet in sheets:
        text = _as_csv(_rows(sheet))
        if not text.strip(",\n"):
            continue
        top = {folded(cell) for _, fields in islice(records(text, ","), SNIFFED) for cell in fields}
        if not known or known & top:
            return sheet.title, text
        first = first if first[1] else (sheet.title, text)
    return first


def _columns_without_values(path: Path, title: str, text: str) -> str:
    """The letter of a column that has formulas and no value at all, as programs other than Excel write them; empty if
    there is none."""
    import openpyxl
    from openpyxl.utils import get_column_letter

    rows = [fields for _, fields in records(text, ",")]
    header = max(rows, key=lambda fields: sum(map(bool, fields)))
    below = rows[rows.index(header) + 1 :]
    empty = [place for place, name in enumerate(header) if name and not any(fields[place] for fields in below)]
    if not empty or not below:
        return ""
    book = openpyxl.load_workbook(path, read_only=True, keep_links=False)
    try:
        for row in book[title].iter_rows(values_only=True):
            for place in empty:
                if place < len(row) and str(row[place] or "").startswith("="):
                    return str(get_column_letter(place + 1))
    finally:
        book.close()
    return ""


def _check_size(path: Path) -> None:
    """Refuse what takes more memory than there is: a few bytes of a workbook can stand for any number of equal cells.

    Raises:
        DataError: It does not fit, or is no workbook.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist() if info.filename.endswith(".xml"))
    except zipfile.BadZipFile:
        with path.open("rb") as file:
            if file.read(len(_SEALED)) == _SEALED:
                raise DataError(f"{path} is protected by a password, or of an old Excel; {SAVE}.") from None
        raise DataError(f"{path} is not an Excel workbook, despite its name; {SAVE}.") from None
    require_memory(_MEMORY * size, f"The workbook {path}", "split it, or save it as CSV or Parquet")


def _rows(sheet: Any) -> Iterator[list[str]]:
    """The texts of each row, without the empty cells at its end."""
    sheet.reset_dimensions()  # a size that a file declares may be wrong
    for row in sheet.iter_rows(values_only=True):
        texts = [_text(value) for value in row]
        while texts and not texts[-1]:
            texts.pop()
        yield texts


def _as_csv(rows: Iterator[list[str]]) -> str:
    """The rows as CSV, all as wide as the widest; a sheet's row is a line, also where it is empty."""
    kept = list(rows)
    width = max(map(len, kept), default=0)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in kept:
        if any(row):
            writer.writerow([*row, *[""] * (width - len(row))])
        else:
            text.write("\n")
    return text.getvalue()


def _text(value: Any) -> str:
    """A cell as CSV holds it, on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    if isinstance(value, datetime.timedelta):
        return str(value.total_seconds())
    return " ".join(str(value).split("\n")).replace("\r", " ")
