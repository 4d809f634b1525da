"""Rows of other sources: labels are mapped, columns matched, and what does not fit is refused by one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird import readers
from rarebird.core.checks import DataError
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Splits
from rarebird.readers import label_map
from rarebird.readers.options import ReadOptions
from rarebird.readers.outside import fitted, with_outside


def table(path: Path, columns: str = "age,sex,target", rows: int = 40, labels: str = "no,yes") -> Path:
    names = labels.split(",")
    lines = [f"{20 + row},{'mf'[row % 2]},{names[row % len(names)]}" for row in range(rows)]
    path.write_text("\n".join([columns, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def own(tmp_path: Path) -> Splits:
    return readers.read(table(tmp_path / "own.csv"), ReadOptions(kind="table"))


def joined(own: Splits, path: Path, *maps: Path) -> Splits:
    return with_outside(own, [path], maps, ReadOptions(kind="table"))


def test_labels_are_mapped_and_an_empty_one_leaves_rows_out(own: Splits, tmp_path: Path) -> None:
    source = table(tmp_path / "other.csv", labels="N,Y,unsure,no")
    given = tmp_path / "map.csv"
    given.write_text("label,class\nN,no\nY,yes\nunsure,\n", encoding="utf-8")
    (outside,) = joined(own, source, given).outside
    assert outside.rows.classes == ("no", "yes")
    assert outside.rows.codes.tolist()[:3] == [0, 1, 0]
    assert (outside.n_given, len(outside.rows)) == (30, 30)
    assert outside.findings == ("10 rows are left out by the label map",)
    as_json = tmp_path / "map.json"
    as_json.write_text('{"N": "no", "Y": "yes", "unsure": null}', encoding="utf-8")
    assert joined(own, source, as_json).outside[0].fingerprint == outside.fingerprint


def test_unknown_labels_are_named(own: Splits, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels that own does not have: 'maybe' \(20 rows\)\. Give --label-map"):
        joined(own, table(tmp_path / "other.csv", labels="no,maybe"))
    given = tmp_path / "map.csv"
    given.write_text("maybe,yess\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"gives 'maybe' the label 'yess', which own does not have"):
        joined(own, table(tmp_path / "other.csv", labels="no,maybe"), given)
    given.write_text("maybe,\nno,\n", encoding="utf-8")
    with pytest.raises(DataError, match="leaves out all rows of other"):
        joined(own, table(tmp_path / "other.csv", labels="no,maybe"), given)


def test_columns_are_matched_by_name_and_what_is_missing_or_extra_is_said(own: Splits, tmp_path: Path) -> None:
    (outside,) = joined(own, table(tmp_path / "other.csv", columns="age,site,target")).outside
    assert list(outside.rows.raw().columns) == ["age", "sex"]
    assert outside.rows.raw()["sex"].isna().all()
    assert outside.absent == ("sex",)
    assert outside.findings == (
        "columns that it lacks, and that are empty in its rows: 'sex'",
        "columns that only it has, and that are not used: 'site'",
    )
    with pytest.raises(DataError, match="has none of the columns of own"):
        joined(own, table(tmp_path / "none.csv", columns="a,b,target"))


def test_rows_of_another_kind_or_task_are_refused(own: Splits) -> None:
    y = np.zeros(4, np.int64)
    pictures = Dataset(
        "image", "classification", Pixels(np.zeros((4, 1, 8, 8), np.uint8)), np.arange(4), y, ("no",), y.astype(str)
    )
    with pytest.raises(DataError, match="only rows of the same sort can join"):
        fitted(pictures, own.train)
    values = Dataset("table", "regression", own.train.source, own.train.index, np.arange(40.0), (), own.train.ids)
    with pytest.raises(DataError, match="A label map is for classes"):
        fitted(values, values, {"a": "b"})


def test_text_where_the_own_rows_have_numbers_is_refused(own: Splits) -> None:
    frame = pd.DataFrame({"age": ["young", "old"] * 10, "sex": "m"})
    y = np.arange(20) % 2
    source = Dataset("table", "classification", Frame(frame), np.arange(20), y, ("no", "yes"), y.astype(str), name="x")
    with pytest.raises(DataError, match=r"Column 'age' of x holds text such as 'young', but numbers in own"):
        fitted(source, own.train)


def test_pictures_get_the_value_range_of_the_own_ones_and_series_need_the_same_channels() -> None:
    y = np.arange(4) % 2
    bytes_ = np.random.default_rng(0).integers(0, 255, (4, 1, 8, 8)).astype(np.uint8)
    own, other = (
        Dataset("image", "classification", Pixels(array), np.arange(4), y, ("a", "b"), y.astype(str))
        for array in (bytes_, (bytes_ / 255).astype(np.float32))
    )
    np.testing.assert_array_equal(fitted(other, own).rows.raw(), bytes_)
    np.testing.assert_allclose(fitted(own, other).rows.raw(), bytes_ / 255, atol=1e-6)
    one, two = (
        Dataset(
            "series",
            "classification",
            Curves(np.zeros((4, n, 9), np.float32), np.full(4, 9)),
            np.arange(4),
            y,
            ("a", "b"),
            y.astype(str),
        )
        for n in (1, 2)
    )
    with pytest.raises(DataError, match="series of 2 channels, but data has 1"):
        fitted(two, one)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("map.csv", "", "is empty"),
        ("map.csv", "a,b\na,c\n", "names the label 'a' twice"),
        ("map.csv", "a\n", "Line 1 of the label map .* has 1 cells"),
        ("map.json", "{", "is no JSON"),
        ("map.json", "[1]", "must be one JSON object"),
        ("map.json", '{"a": "b", "a": "c"}', "names the label 'a' twice"),
    ],
)
def test_label_maps_that_cannot_be_used_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        label_map.read(tmp_path / name)
    with pytest.raises(DataError, match="There is no file"):
        label_map.read(tmp_path / "absent.csv")


def test_a_map_without_a_source_and_maps_that_do_not_pair_are_refused(own: Splits, tmp_path: Path) -> None:
    path = table(tmp_path / "other.csv")
    with pytest.raises(DataError, match="give the rows with --external"):
        with_outside(own, [], [path], ReadOptions(kind="table"))
    with pytest.raises(DataError, match="2 label maps for 3 sources"):
        with_outside(own, [path] * 3, [path] * 2, ReadOptions(kind="table"))
