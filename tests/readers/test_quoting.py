"""Delimited text in the quotes, escapes, delimiters and surroundings of other programs: the same table."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarebird import readers
from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.readers.options import ReadOptions

HEADER = ["age", "dose", "target"]
ROWS = [["41.5", "3", "ill"], ["7.25", "2", "well"], ["30.5", "1", "well"]]
TABLE = [HEADER, *ROWS]
CSV = "".join(",".join(row) + "\n" for row in TABLE)


def read(folder: Path, text: str | bytes, **options: object) -> Splits:
    path = folder / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return readers.read(path, ReadOptions(**options))  # type: ignore[arg-type]


def is_the_table(found: Splits) -> bool:
    values = found.train.raw().to_dict("list")
    labels = [found.train.classes[code] for code in found.train.codes]
    return values == {"age": [41.5, 7.25, 30.5], "dose": [3, 2, 1]} and labels == ["ill", "well", "well"]


@pytest.mark.parametrize("mark", ["^", "~", "¦", "||", "::", ":", "#", "\x1f", "\x01"])
def test_other_delimiters(tmp_path: Path, mark: str) -> None:
    assert is_the_table(read(tmp_path, "".join(mark.join(row) + "\n" for row in TABLE)))


@pytest.mark.parametrize("pair", ["''", "“”", "„“", "«»"])
def test_other_quotes(tmp_path: Path, pair: str) -> None:
    quoted = [[f"{pair[0]}{cell}{pair[1]}" for cell in row] for row in TABLE]
    assert is_the_table(read(tmp_path, "".join(",".join(row) + "\n" for row in quoted)))


def test_a_delimiter_within_other_quotes(tmp_path: Path) -> None:
    found = read(tmp_path, "'age','town','target'\n41,'Rome, Italy','ill'\n7,'Oslo','well'\n")
    assert found.train.raw()["town"].tolist() == ["Rome, Italy", "Oslo"]


def test_rows_that_are_one_quoted_cell(tmp_path: Path) -> None:
    assert is_the_table(read(tmp_path, "".join(f'"{line}"\n' for line in CSV.splitlines())))
    found = read(tmp_path, '"town"\n"Rome, Italy"\n"Oslo, Norway"\n', labelled=False)
    assert found.train.raw()["town"].tolist() == ["Rome, Italy", "Oslo, Norway"]


def test_quotes_that_a_backslash_escapes(tmp_path: Path) -> None:
    found = read(tmp_path, 'age,note,target\n41,"5\\" wide, or \\"6\\"",ill\n7,"C:\\dir",well\n')
    assert found.train.raw()["note"].tolist() == ['5" wide, or "6"', "C:\\dir"]
    found = read(tmp_path, 'age,note,target\n41,"C:\\",ill\n7,"D:\\",well\n')
    assert found.train.raw()["note"].tolist() == ["C:\\", "D:\\"]


@pytest.mark.parametrize(
    "before",
    ["# made by X\n# v2, 2023\n", "Report, 2023\n\n", "Export:,2023,\nHospital:,North,\n,,\n", "Demo,,Outcome\n"],
)
def test_the_row_that_has_the_target_names_the_columns(tmp_path: Path, before: str) -> None:
    found = read(tmp_path, before + CSV)
    assert is_the_table(found)
    assert "before its column names, which is passed over" in found.notes[0]
    later = before + "".join(",".join(row[:2]) + "\n" for row in TABLE)
    assert len(read(tmp_path, later, labelled=False, schema=found.train.known_schema).train) == 3


@pytest.mark.parametrize(
    "end", ["\nSource: WHO\n", "\n(3 rows affected)\n\n", "# end, of file\n", "\n\nSum of all,6\n"]
)
def test_what_is_behind_the_rows(tmp_path: Path, end: str) -> None:
    found = read(tmp_path, CSV + end)
    assert is_the_table(found)
    assert "behind its rows, which is passed over" in found.notes[0]


@pytest.mark.parametrize("end", ["12.5\n", "Source: WHO\n", "\n1,2,3,4\n", '1,"\n\nx\n'])
def test_damaged_rows_at_the_end_are_refused(tmp_path: Path, end: str) -> None:
    with pytest.raises(DataError, match=r"data\.csv"):
        read(tmp_path, CSV + end)


def test_empty_lines_between_rows_and_quoted_delimiters_at_the_end(tmp_path: Path) -> None:
    found = read(tmp_path, 'age,town,target\n41,Rome,ill\n\n7,"Oslo, Norway",well\n')
    assert found.train.raw()["town"].tolist() == ["Rome", "Oslo, Norway"]


def test_zeros_and_the_mark_of_an_end(tmp_path: Path) -> None:
    assert is_the_table(read(tmp_path, f"{CSV}\x1a"))
    assert "ends with 9 zero bytes" in read(tmp_path, CSV + "\0" * 9).notes[0]
    with pytest.raises(DataError, match=r"Line 3 of .* holds a zero byte"):
        read(tmp_path, CSV.replace("7.25", "\0") + CSV * 5)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"PAR1\0", "call it data.parquet"),
        (b"%PDF-1.7\n1,2", "is a PDF document"),
        (b"{\\rtf1 a,b\n}", "save the table"),
    ],
)
def test_other_formats_are_named(tmp_path: Path, start: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(tmp_path, start)


def test_columns_that_are_called_as_formats_begin(tmp_path: Path) -> None:
    for name in ("PAR1", "ORCID", "ARROW1"):
        assert list(read(tmp_path, CSV.replace("age", name)).train.raw()) == [name, "dose"]


def test_a_target_in_another_case(tmp_path: Path) -> None:
    found = read(tmp_path, CSV.replace("target", "Target"))
    assert is_the_table(found)
    later = read(
        tmp_path, CSV.replace("target", "TARGET"), schema=found.train.known_schema, target="Target", role="test rows"
    )
    assert is_the_table(later)
    assert "'TARGET' as 'Target'" in later.notes[0]


def test_values_in_place_of_column_names_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="may hold values in place of column names"):
        read(tmp_path, CSV.partition("\n")[2])


def test_groups_that_differ_only_by_case_are_said(tmp_path: Path) -> None:
    found = read(tmp_path, "age,site,target\n1,P1,a\n2,p1,b\n3,P2,a\n", groups="site")
    assert any("'site' has categories that differ only by case or blanks ('P1', 'p1')" in note for note in found.notes)
