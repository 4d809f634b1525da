"""Folders of tables, partitioned Parquet, and test rows without a target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird import readers
from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.readers.options import ReadOptions
from rarebird.runs.request import Request, read_data

ROWS = pd.DataFrame({"a": np.arange(1.5, 13), "site": ["n", "s", "n"] * 4, "target": ["u", "v"] * 6})


def read(path: Path) -> Splits:
    return readers.read(path, ReadOptions())


@pytest.mark.parametrize(
    "names", [("Train.csv", "Test.csv"), ("TRAINING.CSV", "testing.csv"), ("train.PQ", "test.csv")]
)
def test_names_of_parts_in_any_case(names: tuple[str, str], tmp_path: Path) -> None:
    for name, part in zip(names, (ROWS[:8], ROWS[8:]), strict=True):
        write = part.to_csv if name.lower().endswith("csv") else part.to_parquet
        write(tmp_path / name, index=False)
    data = read(tmp_path)
    assert data.test is not None
    assert (len(data.train), len(data.test)) == (8, 4)


def test_words_in_the_names_of_parts(tmp_path: Path) -> None:
    ROWS[:8].to_csv(tmp_path / "adult_train.csv", index=False)
    ROWS[8:].to_csv(tmp_path / "adult_test.csv", index=False)
    (tmp_path / "._adult_train.csv").write_bytes(b"\0\5\x16\7")
    data = read(tmp_path)
    assert data.test is not None
    assert (len(data.train), len(data.test)) == (8, 4)
    assert "is read as a split: adult_train.csv (training rows), adult_test.csv (test rows)." in data.notes[0]
    ROWS.to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(DataError, match="holds 3 tables"):
        read(tmp_path)


def test_series_of_the_archive_in_a_folder(tmp_path: Path) -> None:
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"Toy_{part}.tsv").write_text("1\t1\t2\t3\n2\t3\t2\t1\n")
    data = read(tmp_path)
    assert data.test is not None
    assert (data.train.kind, len(data.test)) == ("series", 2)


@pytest.mark.parametrize("name", ["{}", "{}.parquet"])
def test_folders_of_tables_are_parts(name: str, tmp_path: Path) -> None:
    for part, rows in (("train", ROWS[:8]), ("test", ROWS[8:])):
        folder = tmp_path / name.format(part)
        folder.mkdir()
        rows.to_parquet(folder / "part-0.parquet", index=False)
        (folder / "_SUCCESS").touch()
    data = read(tmp_path)
    assert data.test is not None
    assert (len(data.train), len(data.test)) == (8, 4)


def test_whole_numbers_in_one_file_and_decimals_in_another(tmp_path: Path) -> None:
    ROWS[:5].assign(a=range(5)).to_parquet(tmp_path / "part-0.parquet", index=False)
    ROWS[5:].to_parquet(tmp_path / "part-1.parquet", index=False)
    assert read(tmp_path).train.raw()["a"].tolist() == [*range(5), *ROWS["a"][5:]]


def test_texts_as_bytes(tmp_path: Path) -> None:
    """As old versions of Spark, Hive and Impala write them."""
    ROWS.assign(site=ROWS["site"].str.encode("utf-8"), target=ROWS["target"].str.encode("utf-8")).to_parquet(
        tmp_path / "rows.parquet"
    )
    data = read(tmp_path / "rows.parquet")
    assert (data.train.classes, data.train.raw()["site"].tolist()) == (("u", "v"), ROWS["site"].tolist())


def test_partitioned_parquet_is_one_table(tmp_path: Path) -> None:
    ROWS.to_parquet(tmp_path / "parts", partition_cols=["site"])
    frame = read(tmp_path / "parts").train.raw()
    assert frame["site"].tolist() == ["n"] * 8 + ["s"] * 4
    assert sorted(frame["a"]) == ROWS["a"].tolist()


def test_parquet_files_of_one_folder_are_one_table_if_their_columns_are_the_same(tmp_path: Path) -> None:
    ROWS[:5].to_parquet(tmp_path / "part-0.parquet", index=False)
    ROWS[5:].to_parquet(tmp_path / "part-1.parquet", index=False)
    (tmp_path / "_SUCCESS").touch()
    assert read(tmp_path).train.raw()["a"].tolist() == ROWS["a"].tolist()
    ROWS.drop(columns="site").to_parquet(tmp_path / "part-2.parquet", index=False)
    with pytest.raises(DataError, match=r"different columns \('site' in part-2\.parquet\)"):
        read(tmp_path)


def test_a_folder_of_other_tables(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    assert len(read(tmp_path).train) == 12
    ROWS.to_csv(tmp_path / "more.csv", index=False)
    with pytest.raises(DataError, match=r"holds 2 tables \(more\.csv, rows\.csv\); give one of them, or call"):
        read(tmp_path)


@pytest.mark.parametrize("lacking", ["column", "cells"])
def test_test_rows_without_target_are_left_out_of_scoring(lacking: str, tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "train.csv", index=False)
    rest = ROWS.drop(columns="target") if lacking == "column" else ROWS.assign(target="")
    rest.to_csv(tmp_path / "test.csv", index=False)
    asked = read_data(Request(tmp_path / "train.csv", test=tmp_path / "test.csv"))
    for data in (read(tmp_path), asked):
        assert data.test is None
        assert any("test.csv have no target, so they cannot be scored" in note for note in data.notes)


def test_test_rows_without_target_cannot_be_evaluated(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "train.csv", index=False)
    ROWS.drop(columns="target").to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(DataError, match=r"test\.csv has no column 'target'"):
        readers.read(tmp_path, ReadOptions(role="test rows"))


def test_test_rows_of_which_some_lack_the_target(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "train.csv", index=False)
    ROWS.assign(target=["u", "", "v"] * 4).to_csv(tmp_path / "test.csv", index=False)
    data = read(tmp_path)
    assert data.test is not None
    assert len(data.test) == 8
    assert "4 of 12 test rows have no 'target' (first line 3) and were left out." in data.notes


def test_an_index_that_pandas_saved_is_no_feature(tmp_path: Path) -> None:
    ROWS.set_index(ROWS["a"].rename("row name")).to_parquet(tmp_path / "rows.parquet")
    data = read(tmp_path / "rows.parquet")
    assert list(data.train.raw()) == ["a", "site"]
    assert "'row name'" in data.notes[0]


@pytest.mark.parametrize(
    ("name", "part"), [("a.tar.gz", "unpack"), ("a.xls", "as CSV"), ("a.feather", "as Parquet or CSV")]
)
def test_other_files_are_refused_with_what_to_do(name: str, part: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=part):
        read(tmp_path / name)
