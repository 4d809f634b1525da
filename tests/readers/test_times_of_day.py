"""Times of day and durations are hours, in files and in frames; as labels they stay what they are."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from rarebird.readers import table
from rarebird.readers.options import ReadOptions
from rarebird.readers.python import from_arrays
from rarebird.readers.times_of_day import hours, texts
from rarebird.runs.input_columns import _as_read
from rarebird.runs.row_files import write_rows

HOURS = [0.25, 8.5, 23.75, 12.0, np.nan, 7.25]


def test_texts_read_back_as_the_same_hours() -> None:
    given = np.round(np.random.default_rng(0).uniform(-30, 200, 500) * 3600) / 3600
    assert hours(pa.array(texts(given))) == pytest.approx(given)


@pytest.mark.parametrize(
    "cell", ["16:9", "1:100", "8:75", "13:00 pm", "0:00 am", "8:15:61", "08:15 here", "08:15-09:00"]
)
def test_what_is_no_time(cell: str) -> None:
    assert np.isnan(hours(pa.array([cell]))).all()


@pytest.mark.parametrize(
    "cells",
    [
        ["00:15", "8:30", "23:45", "12:00", "", "07:15"],
        ["00:15:00", "08:30:00", "23:45:00", "12:00:00", "NA", "07:15:00.0"],
        ["12:15 AM", "8:30 am", "11:45 PM", "12:00 pm", "", "7:15 a.m."],
        ["0h15", "8h30", "23h45", "12h00", "-", "7h15"],
        ["0:15 Uhr", "8:30 Uhr", "23:45 Uhr", "12:00 Uhr", "k.A.", "7:15 Uhr"],
    ],
)
def test_a_column_of_times_is_hours(cells: list[str], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x;target\n" + "".join(f"{cell};{'ab'[row % 2]}\n" for row, cell in enumerate(cells)), "utf-8")
    splits = table.read(path, ReadOptions())
    assert splits.train.raw()["x"].to_numpy() == pytest.approx(np.array(HOURS), nan_ok=True)
    assert not any("read as text" in note for note in splits.notes)


def test_frames_and_parquet_hold_times_of_their_own_types(tmp_path: Path) -> None:
    times = [None if np.isnan(hour) else datetime.time(int(hour), round(hour % 1 * 60)) for hour in HOURS]
    frame = pd.DataFrame({"x": times, "target": list("ababab")})
    given = from_arrays(frame[["x"]], frame["target"])
    frame.to_parquet(tmp_path / "rows.parquet")
    for rows in (given, table.read(tmp_path / "rows.parquet", ReadOptions()).train):
        assert rows.raw()["x"].to_numpy() == pytest.approx(np.array(HOURS), nan_ok=True)


def test_labels_stay_texts_and_durations_are_amounts(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x,target\n" + "".join(f"{row},{('08:00', '16:00')[row % 2]}\n" for row in range(40)), "utf-8")
    assert table.read(path, ReadOptions()).train.classes == ("08:00", "16:00")
    path.write_text("x,target\n" + "".join(f"{row},1:{row:02d}:30\n" for row in range(60)), "utf-8")
    rows = table.read(path, ReadOptions()).train
    assert rows.task == "regression"
    assert rows.y == pytest.approx(1 + (np.arange(60) + 0.5) / 60)


def test_rows_are_written_as_they_were_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x,target\n08:15,a\n23:59:30,b\n,a\n00:05,b\n", "utf-8")
    rows = table.read(path, ReadOptions()).train
    write_rows(rows, tmp_path / "new.csv", ReadOptions())
    assert pd.read_csv(tmp_path / "new.csv")["x"].fillna("").tolist() == ["08:15:00", "23:59:30", "", "00:05:00"]


def test_what_is_shown_beside_predictions_is_as_written(tmp_path: Path) -> None:
    """A time that the model knows, and one that no training row has."""
    training = pd.DataFrame({"x": ["08:15", "17:30", "23:00", "09:45"] * 5, "target": list("ab") * 10})
    schema = from_arrays(training[["x"]], training["target"]).known_schema
    (tmp_path / "new.csv").write_text("x,seen\n8:15,7:05\n17:30,\n", "utf-8")
    rows = table.read(tmp_path / "new.csv", ReadOptions(schema=schema, labelled=False, role="rows")).train
    assert _as_read("x", rows).tolist() == ["08:15:00", "17:30:00"]
    assert [None if pd.isna(cell) else cell for cell in _as_read("seen", rows)] == ["7:05", None]
