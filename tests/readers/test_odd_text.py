"""Tables of text as programs, people and servers really write them: read as what they are, or one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rarebird import readers
from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.readers.options import ReadOptions

ROWS = "41.5,3,ill\n7.25,2,well\n30.5,1,well\n"


def read(folder: Path, text: str, name: str = "data.csv", encoding: str = "utf-8", **options: object) -> Splits:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return readers.read(path, ReadOptions(**options))  # type: ignore[arg-type]


def refused(folder: Path, text: str, name: str = "data.csv") -> str:
    with pytest.raises(DataError) as error:
        read(folder, text, name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_decimal_commas_below_column_names_without_one(tmp_path: Path) -> None:
    """The commas make even rows of three cells, and would make a title of the column names."""
    found = read(tmp_path, "alter;wert;target\n41,25;1234,50;ill\n7,5;10,75;well\n")
    assert found.train.raw().to_dict("list") == {"alter": [41.25, 7.5], "wert": [1234.5, 10.75]}


def test_column_names_that_come_again_are_no_example(tmp_path: Path) -> None:
    found = read(tmp_path, f"age,dose,target\n{ROWS}age,dose,target\n{ROWS} age ,dose,target\n{ROWS}")
    assert found.train.classes == ("ill", "well")
    assert found.train.raw()["age"].tolist() == [41.5, 7.25, 30.5] * 3
    assert found.notes == ("2 rows repeat the column names (the first is line 5) and are left out.",)
    twice = f"age,dose,target\n{ROWS}age,dose,target\n{ROWS}1,inf,ill\n"
    assert "infinite value (line 9)" in refused(tmp_path, twice)
    assert read(tmp_path, "age\n1\nage\n", labelled=False).train.raw()["age"].tolist() == ["1", "age"]


def test_a_printed_table(tmp_path: Path) -> None:
    lines = [f"| {row.replace(',', ' | ')} |" for row in ROWS.splitlines()]
    found = read(tmp_path, "\n".join(["| age | dose | target |", "|---|:---:|---|", *lines, ""]))
    assert found.train.classes == ("ill", "well")
    assert found.train.raw()["age"].tolist() == [41.5, 7.25, 30.5]
    assert "(line 2) is a line and is left out" in found.notes[0]


@pytest.mark.parametrize("units", ["years,mg,", "(years),(mg),label", "float,int,string"])
def test_a_row_of_units_or_types_is_no_example(tmp_path: Path, units: str) -> None:
    """It would be a class of one row, and a row to predict."""
    rows = "".join(f"{row + 0.5},{row},{'ab'[row % 2]}\n" for row in range(40))
    found = read(tmp_path, f"age,dose,target\n{units}\n{rows}")
    assert (len(found.train), found.train.classes) == (40, ("a", "b"))
    assert [column.dtype.kind for _, column in found.train.raw().items()] == ["f", "i"]
    assert "(line 2) holds units or types" in found.notes[0]
    assert (
        len(
            read(tmp_path, f"age,dose\nyears,mg\n{ROWS.replace(',ill', '').replace(',well', '')}", labelled=False).train
        )
        == 3
    )


@pytest.mark.parametrize("row", ["high,3,ill", "high,low,ill", "unknown,?,ill", "41.5,low,other"])
def test_a_first_row_with_values_is_an_example(tmp_path: Path, row: str) -> None:
    assert len(read(tmp_path, f"age,dose,target\n{row}\n{ROWS}").train) == 4


def test_empty_rows_at_the_end_are_no_examples(tmp_path: Path) -> None:
    found = read(tmp_path, "age,dose\n41,3\n,\n7,2\n,\n , \n", labelled=False)
    assert len(found.train) == 3
    assert found.notes == ("2 empty rows at the end (line 5 on) are left out.",)
    assert len(read(tmp_path, "age,dose\n,\n", labelled=False).train) == 1


def test_signs_that_nobody_sees_are_no_part_of_names_labels_and_numbers(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "\ufeff\ufeffage,to\u00adwn,target\n\ufeff41.5,Bonn\u200b,ill\u200b\n7.25,Bonn,ill\n30.5,Ulm\u200e,well\n",
    )
    assert found.train.raw().to_dict("list") == {"age": [41.5, 7.25, 30.5], "town": ["Bonn", "Bonn", "Ulm"]}
    assert found.train.classes == ("ill", "well")


@pytest.mark.parametrize("word", ["not done", "x", "#Error", "нет данных"])
def test_a_word_among_many_numbers_means_a_missing_value(tmp_path: Path, word: str) -> None:
    cells = [word if row % 9 == 0 else f"{row}.25" for row in range(60)]
    found = read(
        tmp_path, "age,dose,target\n" + "".join(f"{cell},{cell},{'ab'[row % 2]}\n" for row, cell in enumerate(cells))
    )
    ages = found.train.raw()["age"]
    assert (ages.dtype.kind, ages.isna().sum(), ages[1]) == ("f", 7, 1.25)
    assert found.notes == (f"{word!r} is read as a missing value in columns 'age', 'dose' (14 cells).",)
    later = read(tmp_path, f"age,dose\n{word},3\n5,2\n", labelled=False, schema=found.train.known_schema)
    assert later.train.raw()["age"].isna().tolist() == [True, False]
    assert not later.notes
    amounts = read(tmp_path, "age,target\n" + "".join(f"{row},{cell}\n" for row, cell in enumerate(cells)))
    assert (amounts.train.task, len(amounts.train)) == ("regression", 53)


def test_words_with_digits_and_many_words_stay_text(tmp_path: Path) -> None:
    for words in (["<0.5"], ["red", "blue", "green", "white"]):
        cells = [words[row % len(words)] if row % 3 == 0 else f"{row}.25" for row in range(60)]
        found = read(tmp_path, "age,target\n" + "".join(f"{cell},{'ab'[row % 2]}\n" for row, cell in enumerate(cells)))
        assert found.train.raw()["age"][0] == words[0]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("Y", "yes", "N", "No"), ("No", "yes")),
        (("1", "yes", "0", "no"), ("no", "yes")),
        (("True", "1", "False", "f"), ("False", "True")),
        (("yes", "no", "maybe", "y"), ("maybe", "no", "y", "yes")),
    ],
)
def test_words_of_yes_and_no_in_the_target_are_two_classes(
    tmp_path: Path, labels: tuple[str, ...], classes: tuple[str, ...]
) -> None:
    found = read(tmp_path, "age,target\n" + "".join(f"{row},{labels[row % 4]}\n" for row in range(40)))
    assert found.train.classes == classes
    assert any("all mean yes" in note for note in found.notes) == (len(classes) == 2)


def test_names_of_rows_without_a_column_name(tmp_path: Path) -> None:
    """As R's `write.table` writes them."""
    rows = "".join(f'"p{place}",{row}\n' for place, row in enumerate(ROWS.splitlines()))
    found = read(tmp_path, f"age,dose,target\n{rows}")
    assert found.train.raw().iloc[0].tolist() == ["p0", 41.5, 3]
    assert "is read as the name of the row" in found.notes[0]
    counted = "".join(f"{place + 1},{row}\n" for place, row in enumerate(ROWS.splitlines()))
    assert list(read(tmp_path, f"age,dose,target\n{counted}").train.raw()) == ["Unnamed: 0", "age", "dose"]


def test_a_delimiter_at_the_end_of_each_row(tmp_path: Path) -> None:
    found = read(tmp_path, "age,dose,target\n" + ROWS.replace("\n", ",\n"))
    assert found.train.raw()["age"].tolist() == [41.5, 7.25, 30.5]
    assert found.train.classes == ("ill", "well")


def test_a_target_that_names_rows_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"{row},{row * 7 % 20},p{row}\n" for row in range(20))
    assert "another label in each of its 20 rows" in refused(tmp_path, f"age,dose,target\n{rows}")


@pytest.mark.parametrize(
    "rows",
    [
        "41,5,3,ill\n7,25,2,well\n41,75,1,well\n",  # decimal commas
        "41.5,'Rome, Italy',ill\n7.25,'Oslo, Norway',well\n",
        "p1,1,2,ill\np2,1,2,well\np1,1,2,well\n",  # not names: one is there twice
    ],
)
def test_cells_are_not_shifted_by_a_delimiter_in_a_text(tmp_path: Path, rows: str) -> None:
    assert "Line 2 of" in (said := refused(tmp_path, f"age,dose,target\n{rows}"))
    assert "has 4 cells, but the header has 3" in said


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-be"])
def test_utf_32(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-32-be" else ""
    assert read(tmp_path, f"{mark}âge,dose,target\n{ROWS}", encoding=encoding).train.raw()["âge"].tolist() == [
        *(41.5, 7.25, 30.5)
    ]


@pytest.mark.parametrize("cells", ["٤١٫٥ ٧ ٣٠", "۴۱٫۵ ۷ ۳۰", "४१.५ ७ ३०", "４１．５ ７ ３０"])
def test_digits_of_other_scripts(tmp_path: Path, cells: str) -> None:
    text = "".join(f"{cell},{label}\n" for cell, label in zip(cells.split(), ("ill", "well", "ill"), strict=True))
    assert read(tmp_path, f"age,target\n{text}").train.raw()["age"].tolist() == [41.5, 7, 30]


def test_numbers_with_and_without_percent_get_a_note(tmp_path: Path) -> None:
    found = read(tmp_path, "share,target\n12%,a\n0.4,b\n?,a\n50%,b\n0.5,a\n")
    np.testing.assert_array_equal(found.train.raw()["share"], [12, 0.4, np.nan, 50, 0.5])
    assert any("2 numbers without the % of the others, such as '0.4' (line 3)" in note for note in found.notes)
    assert not read(tmp_path, "share,target\n12%,a\n4%,b\n").notes


@pytest.mark.parametrize(
    ("ages", "noted"),
    [
        ("41 -999 30 -999 7", True),
        ("3 99 5 99 1", True),
        ("41 -999 30 12 7", False),  # once
        ("41 99 90 99 7", False),  # not far
        ("99 99 99 99 99", False),
    ],
)
def test_numbers_that_often_mean_a_missing_value_get_a_note(tmp_path: Path, ages: str, noted: bool) -> None:
    rows = "".join(f"{age},{label}\n" for age, label in zip(ages.split(), "ababa", strict=True))
    notes = read(tmp_path, f"age,target\n{rows}").notes
    assert [note.startswith("Column 'age' has 2 cells of ") for note in notes] == [True] * noted


def test_names_made_of_a_letter_and_digits_are_no_failed_numbers(tmp_path: Path) -> None:
    assert not read(tmp_path, "patient,age,target\ns1,4,a\ns2,5,b\ns1,6,a\n").notes
    assert any("'<5' (line 2) is no number" in note for note in read(tmp_path, "a,target\n<5,u\n<9,v\n").notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<!DOCTYPE html>\n<html><body>Sign in, please</body></html>\n", "is a web page"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 132735\n", "git lfs pull"),
        ('[{"age": 41, "target": "ill"},\n {"age": 7, "target": "well"}]\n', "call it data.json"),
        ("age   dose   target\n41.5  3      ill\n7.25  2      well\n", "are separated by blanks"),
        ("1 1:0.5 2:0.25\n0 1:0.75 2:2.5\n", "are separated by blanks"),
        ("age,dose,target", "column names but no rows"),
    ],
)
def test_what_is_no_table_of_delimited_text(tmp_path: Path, text: str, words: str) -> None:
    assert words in refused(tmp_path, text)


def test_a_column_of_sentences_is_no_table_separated_by_blanks(tmp_path: Path) -> None:
    found = read(tmp_path, "what patients say\nI am well\nI was ill\n", labelled=False)
    assert found.train.raw()["what patients say"].tolist() == ["I am well", "I was ill"]


def test_one_class_and_empty_cells_are_said_together(tmp_path: Path) -> None:
    said = refused(tmp_path, "age,target\n1,x\n2,\n3,x\n4,\n")
    assert "of which 2 of 4 cells are empty, holds only one class ('x')" in said


@pytest.mark.parametrize("name", ["rows.tab", "rows.psv", "rows.dat", "rows.data"])
def test_other_names_of_delimited_text(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f"age,dose,target\n{ROWS}", name).train.classes == ("ill", "well")
    assert "call it data.csv if it is delimited text" in refused(tmp_path, ROWS, "data.bak")
