"""Tables: encodings, delimiters, types, roles of columns, Parquet, and bad input in one sentence."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.readers import table
from rarebird.readers.options import ReadOptions

TEXT = "名,n,target\n鸟,1.5,稀有\n猫,2,常见\n"


def read(path: Path, **options: Any) -> Dataset:
    return table.read(path, ReadOptions(**options)).train


def write(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def column(folder: Path, *cells: str, **options: Any) -> tuple[pd.Series, tuple[str, ...]]:
    """A CSV of one column, as it is read, with the notes."""
    lines = [f"{cell};{'ab'[row % 2]}" for row, cell in enumerate(cells)]
    splits = table.read(write(folder, "\n".join(["x;target", *lines])), ReadOptions(**options))
    return splits.train.raw()["x"], splits.notes


def refused(path: Path, *parts: str, **options: Any) -> None:
    with pytest.raises(DataError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert all(part in message for part in (path.name, *parts)), message
    assert "\n" not in message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings_read_the_same(tmp_path: Path, encoding: str) -> None:
    splits = table.read(write(tmp_path, TEXT, "数据.csv", encoding), ReadOptions())
    data = splits.train
    assert data.raw().to_dict("list") == {"名": ["鸟", "猫"], "n": [1.5, 2.0]}
    assert set(data.classes) == {"稀有", "常见"}
    assert data.name == "数据"
    assert bool(splits.notes) == (encoding == "gb18030")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_delimiters_and_line_ends_read_the_same(tmp_path: Path, delimiter: str, end: str) -> None:
    rows = [["a", "b", "target"], ["1", "x y", "u"], ["2", '"q ""1""' + delimiter + ' r"', "v"], []]
    data = read(write(tmp_path, end.join(delimiter.join(row) for row in rows)))
    assert data.raw().to_dict("list") == {"a": [1, 2], "b": ["x y", f'q "1"{delimiter} r']}
    assert data.classes == ("u", "v")


def test_agrees_with_pandas(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"f": rng.normal(size=50), "i": rng.integers(-9, 9, 50), "t": rng.choice(["a", "b, c", 'd"e', "f\ng"], 50)}
    )
    frame.loc[3, "f"] = np.nan
    frame["target"] = rng.choice(["u", "v"], 50)
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    data = read(path)
    expected = pd.read_csv(path).drop(columns="target")
    pd.testing.assert_frame_equal(data.raw(), expected, check_dtype=False, check_exact=True)
    assert [data.classes[code] for code in data.codes] == frame["target"].tolist()


def test_leading_spaces_do_not_count_even_before_quotes(tmp_path: Path) -> None:
    data = read(write(tmp_path, 'a, b, target\n 1, "x, y", u\n 2, z , v\n'))
    assert data.raw().to_dict("list") == {"a": [1, 2], "b": ["x, y", "z"]}
    assert data.classes == ("u", "v")


@pytest.mark.parametrize("spelling", ["", "?", "NA", "N/A", "null", "None", "-", "nan", "NaN", " "])
def test_missing_values_in_every_spelling(tmp_path: Path, spelling: str) -> None:
    numbers, notes = column(tmp_path, "1", spelling, "2.5")
    assert numbers.dtype == np.float64
    np.testing.assert_array_equal(numbers, [1, np.nan, 2.5])
    texts, _ = column(tmp_path, "x", spelling, "y")
    assert texts.isna().tolist() == [False, True, False]
    assert notes == ()


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (("1", "2", "-3"), "i", [1, 2, -3]),
        (("1", "+2"), "f", [1, 2]),
        (("1", "2.5", "1e3"), "f", [1, 2.5, 1000]),
        (("1", "", "2"), "f", [1, np.nan, 2]),
        (("true", "False"), "b", [True, False]),
        (("00123", "123"), "text", ["00123", "123"]),
        (("12345678901234567890", "1"), "text", ["12345678901234567890", "1"]),
        (("0", "0.5", "-0.25"), "f", [0, 0.5, -0.25]),
        (("?", "na"), "f", [np.nan, np.nan]),
        (("1_0", "2"), "text", ["1_0", "2"]),
        (("1.2.3", "4.5.6"), "text", ["1.2.3", "4.5.6"]),
    ],
)
def test_types(tmp_path: Path, cells: tuple[str, ...], kind: str, values: list[Any]) -> None:
    found, _ = column(tmp_path, *cells)
    assert (found.dtype.kind if found.dtype.kind in "ifbM" else "text") == kind
    assert all(a == b or (a != a and b != b) for a, b in zip(found.tolist(), values, strict=True))


def test_booleans_with_missing_cells_stay_booleans(tmp_path: Path) -> None:
    assert column(tmp_path, "TRUE", "", "false")[0].tolist() == [True, None, False]


@pytest.mark.parametrize(
    "cells",
    [
        ("2024-01-31", "2023-12-05"),
        ("2024-01-31 00:00", "2023-12-05 00:00"),
        ("2024-01-31T00:00:00Z", "2023-12-05T01:00:00+01:00"),
        ("2024/01/31", "2023/12/05"),
        ("31.01.2024", "05.12.2023"),
        ("01/31/2024", "12/05/2023"),
        ("31/01/2024", "05/12/2023"),
        ("31 Jan 2024", "5 Dec 2023"),
        ("January 31, 2024", "December 5, 2023"),
        ("2024年1月31日", "2023年12月5日"),
    ],
)
def test_dates(tmp_path: Path, cells: tuple[str, str]) -> None:
    dates, notes = column(tmp_path, *cells, "")
    assert dates.dtype.kind == "M"
    assert dates.isna().tolist() == [False, False, True]
    assert dates[:2].tolist() == [pd.Timestamp("2024-01-31"), pd.Timestamp("2023-12-05")]
    assert notes == ()


def test_dates_of_two_readings_are_said(tmp_path: Path) -> None:
    splits = table.read(write(tmp_path, "x,target\n01/02/2024,a\n03/04/2024,b\n"), ReadOptions())
    assert splits.train.raw()["x"][0] == pd.Timestamp("2024-01-02")
    assert "month before day" in splits.notes[0]
    # Semicolons separate cells where people write commas in numbers, and the day before the month.
    dates, notes = column(tmp_path, "01/02/2024", "03/04/2024")
    assert dates[0] == pd.Timestamp("2024-02-01")
    assert "day before month" in notes[0]


def test_dates_with_a_stray_cell(tmp_path: Path) -> None:
    dates, notes = column(tmp_path, *["2024-01-31"] * 199, "soon")
    assert dates.dtype.kind == "M"
    assert "'soon'" in notes[0]
    assert column(tmp_path, *["2024-01-31"] * 19, "soon")[0].dtype.kind != "M"


def test_a_stray_text_among_numbers_is_said(tmp_path: Path) -> None:
    cells, notes = column(tmp_path, *["1.5"] * 30, "<0.1", "")
    assert cells[0] == "1.5"
    assert "'x' is read as text" in notes[0]
    assert "'<0.1' (line 32)" in notes[0]


@pytest.mark.parametrize(
    ("cells", "part"),
    [
        (["1", "2", "x"] * 4, "4 of its 12 cells: 'x' (line 4) is no number"),
        (["00123", "17"], "'00123' (line 2) begins with a zero"),
        (["12-30", "13-45"], "'12-30' (line 2) is no number; others are '13-45'"),
        (["$5", "€6"], "has another unit than others"),
        (["<0.1", "2", "3.5", ">100"], "'<0.1' (line 2) is no number; others are '>100'"),
    ],
)
def test_one_note_says_what_kept_digits_from_being_numbers(cells: list[str], part: str, tmp_path: Path) -> None:
    _, notes = column(tmp_path, *cells)
    assert len(notes) == 1
    assert part in notes[0]


def test_one_wrong_cell_in_a_hundred_does_not_turn_amounts_into_text(tmp_path: Path) -> None:
    cells = [f"{place / 7:.3f}" for place in range(150)]
    numbers, notes = column(tmp_path, *cells, "12..5")
    assert numbers.dtype == np.float64
    assert notes == ("1 cell of column 'x' is no number, such as '12..5' (line 152), and counts as missing.",)
    # Of a code with few values, the odd one is a value.
    assert column(tmp_path, *["1", "2"] * 75, "x")[0].dtype.kind != "f"


def test_categories_that_differ_by_case_are_said(tmp_path: Path) -> None:
    texts, notes = column(tmp_path, "Red", "red", "blue")
    assert texts.tolist() == ["Red", "red", "blue"]
    assert "differ only by case or blanks ('Red', 'red')" in notes[0]


def test_names_of_files_stay_as_they_are_written(tmp_path: Path) -> None:
    text = "file,a,target\n1.10,1,u\n2.0,2,v\n"
    assert read(write(tmp_path, text), names="file").raw()["file"].tolist() == ["1.10", "2.0"]


def test_long_cells_and_wide_tables(tmp_path: Path) -> None:
    assert len(read(write(tmp_path, f"a,target\n{'x' * 200_000},u\nx,v\n")).raw()["a"][0]) == 200_000
    names = [f"column_{place}" for place in range(300)] + ["x" * 140_000, "target"]
    assert read(write(tmp_path, "\n".join(",".join(row) for row in (names, ["1"] * 302, ["2"] * 302)))).raw().shape == (
        2,
        301,
    )


def test_a_nameless_column_is_called_by_its_place(tmp_path: Path) -> None:
    assert list(read(write(tmp_path, ",a,target\n0,1,u\n1,2,v\n")).raw()) == ["Unnamed: 0", "a"]


def test_a_line_that_names_the_delimiter(tmp_path: Path) -> None:
    splits = table.read(write(tmp_path, "sep=;\na;target\n1,5;u\n2,25;v\n"), ReadOptions())
    assert splits.train.raw().to_dict("list") == {"a": [1.5, 2.25]}
    refused(write(tmp_path, '"sep=|"\na|target\n1|u\n2\n'), "Line 4", "1 cells, but the header has 2")


@pytest.mark.parametrize("title", ["Patients of 2023\n\n", "Patients of 2023,,\nmade by X,,\n", "# made by X\n"])
def test_titles_before_the_column_names(title: str, tmp_path: Path) -> None:
    splits = table.read(write(tmp_path, f"{title}a,b,target\n1,2,u\n2,3,v\n"), ReadOptions())
    assert splits.train.raw().to_dict("list") == {"a": [1, 2], "b": [2, 3]}
    assert repr(title.splitlines()[0].rstrip(",")) in splits.notes[0]
    line = title.count("\n") + 3
    refused(write(tmp_path, f"{title}a,b,target\n1,2,u\n2,3\n"), f"Line {line}")


@pytest.mark.parametrize("last", ["Total,6,,", "Total,6,10,u", "Mean,2,3.33,"])
def test_a_last_row_of_totals_is_no_example(last: str, tmp_path: Path) -> None:
    text = "name,a,b,target\nx,1,2,u\ny,2,3,v\nz,3,5,u\n"
    splits = table.read(write(tmp_path, text + last + "\n"), ReadOptions())
    assert splits.train.raw()["a"].tolist() == [1, 2, 3]
    assert "The last row (line 5) holds totals" in splits.notes[0]
    assert len(table.read(write(tmp_path, text + "Total,4,7,v\n"), ReadOptions()).train) == 4


# Targets and the other roles


def test_rows_without_target_are_left_out_with_a_note(tmp_path: Path) -> None:
    splits = table.read(write(tmp_path, "a,target\n1,u\n2,\n3,v\n"), ReadOptions())
    assert splits.train.ids.tolist() == ["1", "3"]
    assert splits.train.raw()["a"].tolist() == [1, 3]
    assert splits.notes == ("1 of 3 training rows have no 'target' (first line 3) and were left out.",)


def test_target_labels_stand_as_written(tmp_path: Path) -> None:
    splits = table.read(write(tmp_path, "a,target\n1,None\n2,true\n3,-\n"), ReadOptions())
    assert splits.train.classes == ("-", "None", "true")
    assert any("'None'" in note for note in splits.notes)
    assert read(write(tmp_path, "a,target\n1,1.0\n2,0\n3,NA\n")).classes == ("0", "1")


def test_other_roles_leave_the_features(tmp_path: Path) -> None:
    path = write(tmp_path, "y,a,g,w,t\nu,1,007,1,2024-01-02\nv,2,7,0,2024-01-01\nu,3,x,2.5,2023-01-01\n")
    data = read(path, target="y", groups="g", weight="w", time="t")
    assert list(data.raw()) == ["a"]
    assert data.target == "y"
    assert data.group is not None
    assert data.group.tolist() == ["007", "7", "x"]
    assert data.weights.tolist() == [1, 0, 2.5]
    assert data.time is not None
    assert data.time.argsort().tolist() == [2, 1, 0]


def test_without_labels_the_target_does_not_matter(tmp_path: Path) -> None:
    with_target = read(write(tmp_path, "a,target\n1,inf\n2,\n"), labelled=False, groups="g")
    assert (list(with_target.raw()), with_target.y, with_target.classes) == (["a"], None, ())
    assert list(read(write(tmp_path, "a\n1\n2\n"), labelled=False).raw()) == ["a"]


def test_regression(tmp_path: Path) -> None:
    data = read(write(tmp_path, "a,target\n" + "\n".join(f"{row},{row / 7}" for row in range(30))))
    assert (data.task, data.classes) == ("regression", ())
    assert read(write(tmp_path, "a,target\n1,1\n2,2\n"), task="regression").task == "regression"


# Bad input


def test_unequal_rows_name_the_line(tmp_path: Path) -> None:
    refused(write(tmp_path, 'a,target\n"1\n1",u\n2\n'), "Line 4", "1 cells, but the header has 2")
    refused(write(tmp_path, "a,target\n1,u\n2,v,3\n"), "Line 3", "3 cells, but the header has 2")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["is empty"]),
        ("\n\n", ["is empty"]),
        ("a,target\n", ["no rows"]),
        ("a,a,target\n1,2,u\n", ["more than one column named 'a'"]),
        ("1.5,2.5,0\n1,2,3\n", ["numbers where column names should be", "--kind series"]),
        ("a,b\n1,2\n", ["no column 'target'", "--target", "a, b"]),
        ("a,target\n1,u\n-inf,v\n", ["'a'", "infinite", "line 3"]),
        ("a,target\n\n1,1\n2,Infinity\n", ["'target'", "infinite", "line 4"]),
        ("a,target\n1,\n2,\n", ["'target'", "missing in every row"]),
        ("a,target\n1,NA\n2,?\n", ["'target'", "missing in every row"]),
        ("a,target\n1,u\n2,u\n", ["only one class ('u')"]),
        ("target,\nu\n", ["Line 2"]),
        ('a,target\n1,u\n2,"v\n3,u\n', ["quote on line 3", "never closed"]),
        ("target\nu\nv\n", ["no column of features"]),
        ('a,target\n1,"[1, 2]"\n2,"[1]"\n', ["multi-label targets are not supported yet"]),
    ],
)
def test_bad_text(tmp_path: Path, text: str, parts: list[str]) -> None:
    refused(write(tmp_path, text), *parts)


def test_a_wrong_name_gives_the_nearest_column(tmp_path: Path) -> None:
    path = write(tmp_path, "age,Outcome,g\n1,u,1\n2,v,2\n")
    refused(path, "no column 'outcome' (--target)", "did you mean 'Outcome'?", target="outcome")
    refused(path, "no column 'patient' (--groups)", "age, Outcome, g", target="Outcome", groups="patient")
    refused(path, "--groups and --weight", "'g'", target="Outcome", groups="g", weight="g")
    refused(path, "--groups-pattern", "--groups", target="Outcome", groups_pattern="(.)")
    # Of short names, chance makes some alike.
    refused(write(tmp_path, "age,dose\n1,2\n"), "no column 'target' (--target); it has age, dose.", target="target")


@pytest.mark.parametrize(
    ("cells", "role", "parts"),
    [
        (["1", "-1"], "weight", ["weight -1 (line 3)", "at least 0"]),
        (["1", ""], "weight", ["weight nan (line 3)"]),
        (["0", "0"], "weight", ["every row the weight 0"]),
        (["x", "1"], "weight", ["not numeric"]),
        (["x", ""], "groups", ["no group (line 3)"]),
        (["x", "y"], "time", ["neither numbers nor dates"]),
        (["2024-01-01", ""], "time", ["no time (line 3)"]),
    ],
)
def test_bad_roles(tmp_path: Path, cells: list[str], role: str, parts: list[str]) -> None:
    path = write(tmp_path, f"a,r,target\n1,{cells[0]},u\n2,{cells[1]},v\n")
    refused(path, "'r'", *parts, **{role: "r"})


def test_no_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"PK\x03\x04\x00\x00binary")
    refused(path, "not a text file")
    path.write_bytes(b"a,target\n\xff\xff,\x81\x98\n")
    refused(path, "not text in UTF-8, UTF-16, GB18030")


# Parquet


def test_parquet_of_every_type(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "category": pd.Categorical(["a", None, "b"]),
            "integer": pd.array([1, None, 3], "Int64"),
            "whole": pd.array([1, 2, 3], "Int64"),
            "truth": pd.array([True, None, False], "boolean"),
            "time": pd.to_datetime(["2024-01-01", "2024-01-02", None]).tz_localize("Asia/Shanghai"),
            "date": [datetime.date(2024, 1, 1), None, datetime.date(2024, 1, 3)],
            "decimal": [decimal.Decimal("1.50"), None, decimal.Decimal("2.25")],
            "float": np.float32([1, np.nan, 2]),
            "text": ["x", None, "?"],
            "target": ["u", "v", "u"],
        },
        index=pd.Index([5, 6, 7], name="__index_level_0__"),
    )
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    rows = read(path).raw()
    assert list(rows) == [name for name in frame if name != "target"]
    kinds = {name: rows[name].dtype.kind for name in ("integer", "whole", "time", "date", "decimal", "float")}
    assert kinds == {"integer": "f", "whole": "i", "time": "M", "date": "M", "decimal": "f", "float": "f"}
    assert rows["truth"].tolist() == [True, None, False]
    assert rows["time"][0] == pd.Timestamp("2023-12-31 16:00")
    assert rows["decimal"][2] == 2.25
    assert rows["category"].isna().tolist() == [False, True, False]
    assert not isinstance(rows["category"].dtype, pd.CategoricalDtype)


def test_csv_and_parquet_agree(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, np.nan, 1.5], "c": ["x", None, "y"], "target": [0, 1, 0]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    text, columnar = read(tmp_path / "t.csv"), read(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(text.raw(), columnar.raw())
    assert text.classes == columnar.classes
    np.testing.assert_array_equal(text.codes, columnar.codes)


def test_bad_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_text("a,b")
    refused(path, "cannot be read as Parquet")
    parquet.write_table(pa.table({"a": [[1], [2]], "target": ["u", "v"]}), path)
    refused(path, "'a'", "nested")
    parquet.write_table(pa.table({"a": [1, 2], "target": [["u"], ["v"]]}), path)
    refused(path, "'target'", "multi-label targets are not supported yet")
    parquet.write_table(pa.table({"a": [1.0, float("inf")], "target": ["u", "v"]}), path)
    refused(path, "'a'", "infinite value (row 2)")
    parquet.write_table(pa.table({"a": [b"\xff", b"y"], "target": ["u", "v"]}), path)
    refused(path, "'a'", "bytes")
    parquet.write_table(pa.table({"a": pa.array([], pa.int64()), "target": pa.array([], pa.string())}), path)
    refused(path, "no rows")


# Real data


@pytest.mark.real_data
def test_adult(shared_data: Path) -> None:
    data = read(shared_data / "tables/adult.train.csv")
    assert data.classes == ("common", "rare")
    assert data.class_counts is not None
    assert data.class_counts.tolist() == [26008, 8181]
    frame = data.raw()
    assert frame["c1"].isna().sum() > 0
    assert not frame["c1"].dropna().str.startswith(" ").any()


@pytest.mark.real_data
def test_california_housing_is_regression(shared_data: Path) -> None:
    data = read(shared_data / "tables/california-housing.train.csv")
    assert data.task == "regression"
    assert data.raw().isna().any().sum() == 1


@pytest.mark.real_data
def test_no_class_of_ecoli_is_lost(shared_data: Path) -> None:
    data = read(shared_data / "tables/ecoli.train.csv")
    assert data.n_classes == 8
    assert data.class_counts is not None
    assert data.class_counts.min() == 1
