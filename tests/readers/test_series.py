"""Series: UCR text and `.ts`, unequal lengths, missing values, labels, and bad input in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rarebird import readers
from rarebird.core.checks import DataError
from rarebird.data.dataset import Curves, Dataset
from rarebird.readers import series
from rarebird.readers.options import ReadOptions

NAN = np.nan
TS = """# A comment
@problemName Toy
@timeStamps false
@univariate false
@dimensions 2
@equalLength false
@classLabel true walk 静止
@data
1,2,3:4,5,6:walk
7,?:8,9,10,11:静止
"""


def write(folder: Path, text: str, name: str = "Toy_TRAIN.tsv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path, **options: Any) -> Dataset:
    return series.read(path, ReadOptions(**options)).train


def source(data: Dataset) -> Curves:
    assert isinstance(data.source, Curves)
    return data.source


def refused(path: Path, *parts: str, **options: Any) -> None:
    with pytest.raises(DataError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert all(part in message for part in (path.name, *parts)), message
    assert "\n" not in message


# The layout of values, whatever the file


def test_padding_ends_each_channel_with_nan() -> None:
    values = series.padded([[np.array([1.0, 2.0]), np.array([3.0])], [np.array([4.0]), np.array([5.0, 6.0, 7.0])]])
    np.testing.assert_array_equal(values, np.float32([[[1, 2, NAN], [3, NAN, NAN]], [[4, NAN, NAN], [5, 6, 7]]]))


def test_lengths_end_at_the_last_value_of_any_channel() -> None:
    values = np.array([[[1, NAN, NAN, NAN], [NAN, NAN, 2, NAN]], [[NAN, 1, NAN, NAN], [NAN, NAN, NAN, NAN]]])
    curves = series.curves(values, "X")
    assert curves.lengths.tolist() == [3, 2]
    assert curves.values.shape == (2, 2, 3)
    np.testing.assert_array_equal(curves.values, values[:, :, :3])


def test_more_padding_changes_nothing() -> None:
    values = np.random.default_rng(0).normal(size=(3, 2, 5)).astype(np.float32)
    once, again = (
        series.curves(values, "X"),
        series.curves(np.pad(values, ((0, 0), (0, 0), (0, 4)), constant_values=NAN), "X"),
    )
    np.testing.assert_array_equal(once.values, again.values)
    np.testing.assert_array_equal(once.lengths, again.lengths)


# UCR


@pytest.mark.parametrize("separator", ["\t", ",", ";", "   ", " "])
def test_separators_read_the_same(tmp_path: Path, separator: str) -> None:
    lines = [
        ["1.0000000e+00", "0.5", "-2e-1", "3"],
        ["2.0000000e+00", "1", "2", "NaN"],
        ["1.0000000e+00", "1", "NaN", "2"],
    ]
    data = read(write(tmp_path, "\n".join(separator.join(line) for line in lines) + "\n"))
    assert data.classes == ("1", "2")
    assert data.codes.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(source(data).values, np.float32([[[0.5, -0.2, 3]], [[1, 2, NAN]], [[1, NAN, 2]]]))
    assert source(data).lengths.tolist() == [3, 2, 3]
    assert data.ids.tolist() == ["1", "2", "3"]


def test_numpy_reads_the_same(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(20, 30))
    values[:, 0] = np.arange(20) % 3
    path = tmp_path / "Toy_TRAIN.tsv"
    np.savetxt(path, values, delimiter="\t")
    data = read(path)
    np.testing.assert_allclose(source(data).values[:, 0], np.loadtxt(path)[:, 1:], rtol=1e-6)
    np.testing.assert_array_equal(data.codes, values[:, 0])


def test_rows_without_padding(tmp_path: Path) -> None:
    data = read(write(tmp_path, "a\t1\t2\t3\nb\t4\n"))
    assert (data.classes, source(data).lengths.tolist()) == (("a", "b"), [3, 1])


def test_labels_are_classes_unless_regression_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f"{row * 3}\t1\t{row}\n" for row in range(60)))
    assert read(path).n_classes == 60
    assert read(path, task="regression").y.tolist() == [row * 3 for row in range(60)]


def test_series_without_label_are_left_out_with_a_note(tmp_path: Path) -> None:
    splits = series.read(write(tmp_path, "1\t1\t2\nNaN\t3\t4\n2\t5\t6\n"), ReadOptions())
    assert splits.train.ids.tolist() == ["1", "3"]
    assert "1 of 3 training rows have no label (first row 2)" in splits.notes[0]


def test_without_labels_the_first_cell_is_ignored(tmp_path: Path) -> None:
    data = read(write(tmp_path, "?\t1\t2\n?\t3\t4\n"), labelled=False)
    assert data.y is None
    np.testing.assert_array_equal(source(data).values[:, 0], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["no series"]),
        ("1\t2\t3\n1\t4\t5\n", ["only one class ('1')"]),
        ("1\t2\t3\n2\n", ["Line 2", "no series"]),
        ("1\t2\t3\n2\tx\t5\n", ["Line 2", "'x' as value 1", "not a number"]),
        ("1\t2\t3\n2\t4\tinf\n", ["Series 2", "infinite"]),
        ("1\t2\t3\n2\t4\t1e60\n", ["Series 2", "infinite"]),
        ("1\t2\t3\n2\tNaN\tNaN\n", ["Series 2", "no value at all"]),
        ("\t2\t3\n\t4\t5\n", ["missing in every row"]),
    ],
)
def test_bad_ucr(tmp_path: Path, text: str, parts: list[str]) -> None:
    refused(write(tmp_path, text), *parts)


def test_messages_count_series_as_the_file_does(tmp_path: Path) -> None:
    refused(write(tmp_path, "\t1\t2\n1\t1\t2\n2\tinf\t2\n"), "Series 3", "infinite")


@pytest.mark.parametrize("option", ["groups", "groups_pattern", "weight", "time"])
def test_series_have_no_columns(tmp_path: Path, option: str) -> None:
    refused(write(tmp_path, "1\t1\t2\n2\t1\t2\n"), "--" + option.replace("_", "-"), **{option: "x"})


# .ts


def test_ts(tmp_path: Path) -> None:
    data = read(write(tmp_path, TS, "Toy.ts"))
    assert data.classes == ("walk", "静止")
    assert source(data).lengths.tolist() == [3, 4]
    expected = [[[1, 2, 3, NAN], [4, 5, 6, NAN]], [[7, NAN, NAN, NAN], [8, 9, 10, 11]]]
    np.testing.assert_array_equal(source(data).values, np.float32(expected))


def test_a_ts_file_of_one_channel_equals_ucr(tmp_path: Path) -> None:
    ts = read(
        write(
            tmp_path,
            "@univariate true\n@classLabel true 1 2\n@data\n1,2,?:1\n3,?,4:2.0\n".replace("2.0", "2"),
            "Toy.ts",
        )
    )
    ucr = read(write(tmp_path, "1\t1\t2\tNaN\n2\t3\tNaN\t4\n"))
    np.testing.assert_array_equal(source(ts).values, source(ucr).values)
    np.testing.assert_array_equal(ts.codes, ucr.codes)
    assert ts.classes == ucr.classes


def test_ts_regression(tmp_path: Path) -> None:
    data = read(write(tmp_path, "@targetLabel TRUE\n@data\n1,2:3,4:0.5\n1,2:3,4:7\n", "Toy.ts"))
    assert (data.task, data.classes, data.y.tolist()) == ("regression", (), [0.5, 7.0])


def test_ts_without_labels(tmp_path: Path) -> None:
    path = write(tmp_path, TS.replace("true walk 静止", "false").replace(":walk", "").replace(":静止", ""), "Toy.ts")
    assert source(read(path, labelled=False)).values.shape == (2, 2, 4)
    refused(path, "no labels", "@classLabel false")


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("@timeStamps false", "@timeStamps true", ["timestamps"]),
        ("1,2,3:", "(0,1),(1,2):", ["Line 9", "timestamps"]),
        ("@data\n", "", ["Line 8", "before @data"]),
        ("walk\n", "run\n", ["Line 9", "'run'", "walk, 静止"]),
        ("1,2,3:", "1,2,3:9:", ["Line 9", "3 channels, but 2 are expected"]),
        ("1,2,3:", "1,b,3:", ["Line 9", "'b' as value 2"]),
        ("8,9,10,11", "8,9,inf,11", ["Series 2", "infinite"]),
    ],
)
def test_bad_ts(tmp_path: Path, old: str, new: str, parts: list[str]) -> None:
    refused(write(tmp_path, TS.replace(old, new, 1), "Toy.ts"), *parts)


def test_a_header_without_data(tmp_path: Path) -> None:
    refused(write(tmp_path, "@classLabel true a b\n", "Toy.ts"), "no line @data")
    refused(write(tmp_path, "@classLabel true a b\n@data\n", "Toy.ts"), "no series")


# Real data


@pytest.mark.real_data
def test_ecg5000(shared_data: Path) -> None:
    data = read(shared_data / "series/ECG5000_TRAIN.tsv")
    assert data.class_counts is not None
    assert data.class_counts.tolist() == [292, 177, 10, 19, 2]
    assert source(data).values.shape == (500, 1, 140)


@pytest.mark.real_data
def test_japanese_vowels_of_unequal_lengths(shared_data: Path) -> None:
    data = read(shared_data / "series/JapaneseVowels_TRAIN.ts")
    curves = source(data)
    assert curves.values.shape == (270, 12, 26)
    assert (curves.lengths.min(), curves.lengths.max()) == (7, 26)
    beyond = np.arange(26) >= curves.lengths[:, None]
    np.testing.assert_array_equal(np.isnan(curves.values), np.broadcast_to(beyond[:, None], curves.values.shape))


def test_a_line_of_column_names_is_passed_over(tmp_path: Path) -> None:
    text = "label,t0,t1,t2\na,1,2,\nb,3,,5\n"
    data = read(write(tmp_path, text, "header.csv"))
    assert data.classes == ("a", "b")
    np.testing.assert_array_equal(source(data).values[:, 0], [[1, 2, NAN], [3, NAN, 5]])


def test_series_to_predict_that_hold_nothing_usable_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path, "x\t1\t2\nx\tNaN\tNaN\nx\t3\tinf\nx\t4\t5\n")
    splits = series.read(path, ReadOptions(labelled=False))
    assert splits.train.ids.tolist() == ["1", "4"]
    assert [(row.place, row.id, row.reason) for row in splits.unread] == [
        (1, "2", "it has no value"),
        (2, "3", "it has an infinite value"),
    ]
    refused(path, "infinite", role="rows")


@pytest.mark.parametrize(("declared", "written"), [("-1 1", "{}.0"), ("-1.0 1.0", "{}"), ("-1 1", "{}.0000000e+00")])
def test_whole_numbers_are_the_declared_labels_in_any_notation(tmp_path: Path, declared: str, written: str) -> None:
    text = f"@classLabel true {declared}\n@data\n1,2:{written.format(-1)}\n3,4:{written.format(1)}\n"
    data = read(write(tmp_path, text, "toy.ts"))
    assert data.classes == ("-1", "1")
    assert data.codes.tolist() == [0, 1]


def test_labels_with_many_decimals_are_amounts(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f"{row / 7:.4f}\t1\t2\t{row}\n" for row in range(30)), "Toy_TRAIN.tsv")
    assert read(path).task == "regression"
    assert read(path, task="classification").task == "classification"
    halves = write(tmp_path, "".join(f"{row % 3 / 2}\t1\t2\t{row}\n" for row in range(30)), "Toy_TRAIN.tsv")
    assert read(halves).classes == ("0", "0.5", "1")


def test_labels_of_text_in_a_file_of_the_archive(tmp_path: Path) -> None:
    path = write(tmp_path, "walk\t1\t2\t3\nrun\t3\t2\t1\n", "Toy_TRAIN.tsv")
    assert (readers.read(path, ReadOptions()).train.kind, read(path).classes) == ("series", ("run", "walk"))
