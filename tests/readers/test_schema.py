"""The memory of how cells are written: later files are read by the schema that training learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Splits
from rarebird.data.schema import Schema
from rarebird.readers import table
from rarebird.readers.options import ReadOptions
from rarebird.readers.python import from_arrays


def read(folder: Path, text: str, schema: Schema | None = None, **options: Any) -> Splits:
    path = folder / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return table.read(path, ReadOptions(schema=schema, **options))


def column(cells: list[str]) -> str:
    """A CSV of one column and a target of two classes."""
    return "x;target\n" + "".join(f"{cell};{'ab'[row % 2]}\n" for row, cell in enumerate(cells))


def later(folder: Path, training: list[str], cells: list[str]) -> tuple[list[Any], Splits]:
    """Cells as they are read after training on others."""
    schema = read(folder, column(training)).train.known_schema
    splits = read(folder, "x\n" + "".join(f'"{cell}"\n' for cell in cells), schema, labelled=False)
    values = splits.train.raw()["x"]
    return [None if pd.isna(value) else value for value in values], splits


def lost(splits: Splits) -> int:
    assert splits.train.reading is not None
    return splits.train.reading.lost.get("x", 0)


@pytest.mark.parametrize(
    ("training", "cells", "expected", "n_lost"),
    [
        (["51.2", "48"], ["1,050", "unknown", "50"], [1050, None, 50], 1),
        (["51.2", "48"], ["", "NA", "?"], [None, None, None], 0),
        (["51.2", ".", "48"], ["."], [None], 0),
        (["51,2", "48"], ["1.050", "3,5"], [1050, 3.5], 0),
        (["51,2", "48"], ["51.25", "3.5"], [51.25, 3.5], 0),
        (["51.2", "48"], ["51,25", "3,5", "$4"], [51.25, 3.5, 4], 0),
        (["$51.2", "$48"], ["3.5"], [3.5], 0),
        (["1", "0"], ["True", "no", "maybe"], [1, 0, None], 1),
        (["1", "2"], ["True"], [None], 1),
        (
            ["True", "False"],
            ["1", "0", "yes", "N", "1.0", "maybe", ""],
            [True, False, True, False, True, None, None],
            1,
        ),
        (["ja", "nein"], ["True", "oui"], [True, True], 0),
        (["1", "2", "x"], ["1.0", "2", "X", "3"], ["1", "2", "x", "3"], 0),
        (["08:15", "17:30:36"], ["9:30 pm", "7.5", "noon", "", "00:00"], [21.5, 7.5, None, None, 0], 1),
        (["Bonn", "A-1", "x"], ["'Bonn'", "A\u20131", "y"], ["Bonn", "A-1", "y"], 0),
        (["Male", "female"], ["male", " FEMALE ", "other"], ["Male", "female", "other"], 0),
    ],
)
def test_cells_of_later_files(
    training: list[str], cells: list[str], expected: list[Any], n_lost: int, tmp_path: Path
) -> None:
    values, splits = later(tmp_path, training, cells)
    assert values == expected
    assert lost(splits) == n_lost
    assert any("count" in note and "as missing" in note for note in splits.notes) == (n_lost > 0)


def test_dates_keep_their_order_of_day_and_month(tmp_path: Path) -> None:
    values, splits = later(tmp_path, ["25/12/2023", "01/02/2023"], ["01/07/2023", "02/08/2023", "2023-07-03"])
    assert values == [pd.Timestamp(2023, 7, 1), pd.Timestamp(2023, 8, 2), pd.Timestamp(2023, 7, 3)]
    assert not splits.notes
    values, splits = later(tmp_path, ["2023-12-25", "2023-02-01"], ["25.12.2023", "3.7.2023"])
    assert values == [pd.Timestamp(2023, 12, 25), pd.Timestamp(2023, 7, 3)]
    assert "day.month.year in 'x'" in splits.notes[0]
    values, splits = later(tmp_path, ["25/12/2023", "01/02/2023"], ["01/07/2023", "07/25/2023"])
    assert values == [pd.Timestamp(2023, 7, 1), None]
    assert lost(splits) == 1
    values, splits = later(
        tmp_path, ["25/12/2023", "01/02/2023"], ["01/07/2023", "07/25/2023", "8/13/2023", "9/14/2023"]
    )
    assert values[:2] == [pd.Timestamp(2023, 1, 7), pd.Timestamp(2023, 7, 25)]
    assert "month/day/year in 'x'" in splits.notes[0]


def test_what_can_be_read_in_two_ways_is_said(tmp_path: Path) -> None:
    values, splits = later(tmp_path, ["1.5", "2.25"], ["1,250", "3,500"])
    assert values == [1250, 3500]
    assert "a mark between thousands in 'x'" in splits.notes[0]


@pytest.mark.parametrize(
    ("training", "cells", "expected", "note"),
    [
        (["41%", "48.5%"], ["0.41", "3"], [0.41, 3], "numbers without % in 'x'"),
        (["0.41", "0.5"], ["41%", "50%"], [41, 50], "numbers with % in 'x'"),
        (["$41", "$48.5"], ["€41", "$3"], [41, 3], "numbers with € in 'x'"),
        (["41%", "48.5%"], ["41‰", "3%"], [None, 3], "such as '41‰' (line 2)"),
        (["51.5 kg", "60 kg"], ["110 lb", "3 kg"], [None, 3], "such as '110 lb' (line 2)"),
        (["51.5 kg", "60 kg"], ["61", "3 kg"], [61, 3], "numbers without kg in 'x'"),
        (["51.5", "60"], ["61 kg", "3 kg"], [61, 3], "numbers with kg in 'x'"),
    ],
)
def test_units_of_later_files(
    training: list[str], cells: list[str], expected: list[Any], note: str, tmp_path: Path
) -> None:
    """41 % is no .41, and no 41 per mille; 110 pounds are no 110 kg."""
    values, splits = later(tmp_path, training, cells)
    assert values == expected
    assert len(splits.notes) == 1
    assert note in splits.notes[0]


def test_unseen_categories_are_counted_and_named(tmp_path: Path) -> None:
    _, splits = later(tmp_path, ["red", "blue"], ["red", "green", "green", ""])
    reading = splits.train.reading
    assert reading is not None
    assert reading.for_machines() == {"lost_cells": {}, "unseen_categories": {"x": 2}}
    assert splits.notes == (
        "2 cells of column 'x' have a category that no training row has, such as 'green' (line 3).",
    )


def test_columns_in_another_spelling_and_columns_that_training_lacks(tmp_path: Path) -> None:
    schema = read(tmp_path, "Age,Dose mg,target\n1.5,2,a\n2,3,b\n").train.known_schema
    splits = read(tmp_path, "zzz,dose  MG,age\nq,7,8\n", schema, labelled=False)
    assert splits.train.raw().to_dict("list") == {"zzz": ["q"], "Dose mg": [7], "Age": [8]}
    assert "'dose  MG' as 'Dose mg'" in splits.notes[0]
    assert "not used: 'zzz'" in splits.notes[1]


@pytest.mark.parametrize(
    ("training", "later_labels", "expected"),
    [
        (["Yes", "no"], ["YES", " no "], ["Yes", "no"]),
        (["True", "False"], ["1", "0"], ["True", "False"]),
        (["1", "0"], ["1.0", "yes"], ["1", "1"]),
        (["1.0", "0.0"], ["False", "1"], ["0", "1"]),
        (["ill", "well"], ["Ill", "WELL"], ["ill", "well"]),
        (["<=50K", ">50K"], ["<=50K.", ">50K."], ["<=50K", ">50K"]),
        (["type-1", "type-2"], ["'type\u20131'", "Type-2"], ["type-1", "type-2"]),
        (["-1", "1"], ["\u22121", "+1"], ["-1", "1"]),
        (["01", "02"], ["1", "2.0"], ["01", "02"]),
    ],
)
def test_labels_of_later_files_are_those_of_training(
    training: list[str], later_labels: list[str], expected: list[str], tmp_path: Path
) -> None:
    def labelled(labels: list[str]) -> str:
        return "x,target\n" + "".join(f"{row},{label}\n" for row, label in enumerate(labels))

    train = read(tmp_path, labelled(training)).train
    rows = read(tmp_path, labelled(later_labels), train.known_schema, role="test rows").train.aligned(train.classes)
    assert [rows.classes[code] for code in rows.codes] == expected


def test_a_frame_is_read_by_the_schema_of_a_file_and_a_file_by_that_of_a_frame(tmp_path: Path) -> None:
    text = "x,flag,site,when,target\n1.5,yes,1,25/12/2023,a\n2,no,2,01/02/2023,b\n3,no,z,02/02/2023,b\n"
    frame = pd.DataFrame(
        {
            "x": [1.5, 2, 3],
            "flag": [True, False, False],
            "site": [1, 2, None],
            "when": pd.to_datetime(["2023-12-25", "2023-02-01", "2023-02-02"]),
        }
    )
    train = read(tmp_path, text).train
    rows = from_arrays(frame, schema=train.known_schema).raw()
    assert rows["flag"].tolist() == [True, False, False]
    assert rows["site"].tolist()[:2] == ["1", "2"]
    pd.testing.assert_series_equal(rows["when"], train.raw()["when"])
    of_frame = from_arrays(frame.assign(site=["1", "2", "z"]))
    again = read(tmp_path, text, of_frame.known_schema).train.raw()
    pd.testing.assert_frame_equal(again, of_frame.raw(), check_dtype=False)


def test_the_schema_round_trips_through_json(tmp_path: Path) -> None:
    schema = read(tmp_path, "x;y;z;target\n1,5;ja;25.12.23;a\n2;nein;.;b\n").train.known_schema
    assert schema is not None
    assert Schema.model_validate_json(schema.model_dump_json()) == schema
    assert (schema.columns["x"].decimal, schema.columns["z"].date) == (",", "%d.%m.%y")


def test_only_training_rows_tell_which_categories_are_known(tmp_path: Path) -> None:
    data = read(tmp_path, column(["red", "blue", "green", "red"])).train
    schema = data.take(np.array([0, 1, 3])).known_schema
    assert schema is not None
    assert schema.columns["x"].categories == ("blue", "red")
