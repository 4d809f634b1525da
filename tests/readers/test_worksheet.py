"""Excel's workbooks: read as the CSV file that Excel would save, or one sentence."""

from __future__ import annotations

import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from rarebird import readers
from rarebird.core import memory
from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.readers.options import ReadOptions

FRAME = pd.DataFrame(
    {
        "age": [41.5, np.nan, 7.0, 12.25, 30.0],
        "code": ["007", "012", "100", "101", "007"],
        "since": pd.to_datetime(
            ["2024-03-01", "2024-03-31 12:30", "2024-04-02", "2024-05-01", "2024-05-02"], format="ISO8601"
        ),
        "member": [True, False, True, True, False],
        "note": ["two\nlines", 'with "quotes"', "a, b", None, "#DIV/0!"],
        "target": ["yes", "no", "no", "yes", "no"],
    }
)


def read(path: Path) -> Splits:
    return readers.read(path, ReadOptions())


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_sheet_is_its_csv(tmp_path: Path) -> None:
    FRAME.to_excel(tmp_path / "book.xlsx", index=False)
    FRAME.assign(note=FRAME["note"].str.replace("\n", " ")).to_csv(tmp_path / "book.csv", index=False)
    sheet, csv = read(tmp_path / "book.xlsx"), read(tmp_path / "book.csv")
    assert fingerprint(sheet.train) == fingerprint(csv.train)
    assert sheet.notes == csv.notes


def test_what_openpyxl_does_not_keep_of_a_book_is_not_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    FRAME.to_excel(tmp_path / "book.xlsx", index=False)
    load = openpyxl.load_workbook

    def warning(*given: object, **named: object) -> object:
        warnings.warn("Data Validation extension is not supported and will be removed", stacklevel=2)
        return load(*given, **named)

    monkeypatch.setattr(openpyxl, "load_workbook", warning)
    assert len(read(tmp_path / "book.xlsx").train) == len(FRAME)
    assert not recwarn.list


def test_titles_totals_empty_sheets_and_the_row_of_a_message(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        pd.DataFrame().to_excel(book, sheet_name="Cover")
        total = pd.DataFrame({"age": [90.75], "code": ["Total"]})
        shown = pd.concat([FRAME, total]).loc[:, ["code", "age", "target"]]
        shown.to_excel(book, sheet_name="Data", startrow=3, index=False)
        book.sheets["Data"]["A1"] = "Measured in spring"
        FRAME.head(2).to_excel(book, sheet_name="Codes", index=False)
    found = read(tmp_path / "book.xlsx")
    assert len(found.train) == 5
    assert list(found.train.raw()) == ["code", "age"]
    text = " ".join(found.notes)
    assert "Only sheet 'Data' of book.xlsx is read, not 'Cover', 'Codes'" in text
    assert "Measured in spring" in text
    assert "The last row (line 10) holds totals" in text


def test_what_is_no_workbook_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.xlsx").write_text("a,target\n1,x\n", encoding="utf-8")
    assert "text.xlsx is not an Excel workbook, despite its name" in refused(tmp_path / "text.xlsx")
    with zipfile.ZipFile(tmp_path / "other.xlsx", "w") as archive:
        archive.writestr("a.csv", "a,target\n1,x\n")
    assert "other.xlsx cannot be read" in refused(tmp_path / "other.xlsx")
    (tmp_path / "locked.xlsx").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    assert "locked.xlsx is protected by a password" in refused(tmp_path / "locked.xlsx")
    pd.DataFrame().to_excel(tmp_path / "empty.xlsx")
    assert "empty.xlsx has no sheet with cells" in refused(tmp_path / "empty.xlsx")
    pd.DataFrame({"a": np.zeros(3_000), "target": "x"}).to_excel(tmp_path / "large.xlsx", index=False)
    monkeypatch.setattr(memory, "free_bytes", lambda: float(1 << 17))
    assert "The workbook" in refused(tmp_path / "large.xlsx")
    assert "are free" in refused(tmp_path / "large.xlsx")


def test_without_the_package_the_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FRAME.to_excel(tmp_path / "book.xlsx", index=False)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "install it with pip install 'rarebird[excel]', or save its sheet as CSV" in refused(tmp_path / "book.xlsx")


def book_of(path: Path, **sheets: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.remove(book.worksheets[0])
    book.save(path)
    return path


ROWS: list[list[object]] = [["age", "dose", "target"], [41.5, 3, "ill"], [7.25, 2, "well"], [30.5, 1, "well"]]


def test_the_sheet_that_has_the_target(tmp_path: Path) -> None:
    path = book_of(tmp_path / "b.xlsx", about=[["Read me"], ["Legend", "Meaning"]], data=ROWS)
    found = read(path)
    assert found.train.raw()["age"].tolist() == [41.5, 7.25, 30.5]
    assert "Only sheet 'data' of b.xlsx is read, not 'about'" in found.notes[0]


def test_formulas_without_values_are_refused(tmp_path: Path) -> None:
    """openpyxl, as most programs, writes no values of formulas."""
    rows = [ROWS[0], *([row[0], f"=A{place + 2}*2", row[2]] for place, row in enumerate(ROWS[1:]))]
    assert "The formulas in column B of" in refused(book_of(tmp_path / "b.xlsx", data=rows))


def test_empty_columns_and_lines_around_a_table(tmp_path: Path) -> None:
    shifted: list[list[object]] = [[None, *row] for row in ROWS]
    path = book_of(tmp_path / "b.xlsx", data=[["Report"], [], *shifted, [], ["Source: X"]])
    found = read(path)
    assert list(found.train.raw()) == ["age", "dose"]
    assert len(found.train) == 3
