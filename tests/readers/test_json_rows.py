"""Rows as JSON: typed as the cells of a CSV file are, and one sentence where they are no table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rarebird import readers
from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.readers.options import ReadOptions

ROWS: list[dict[str, Any]] = [
    {"age": 41.5, "code": "007", "since": "2024-03-01", "member": True, "city": "Köln", "target": "yes"},
    {"age": None, "code": "012", "since": "2024-03-31", "member": False, "city": "unknown", "target": "no"},
    {"age": 7, "code": "100", "since": "2024-04-02", "member": True, "city": "Oslo", "target": "no"},
]


def read(path: Path, **options: object) -> Splits:
    return readers.read(path, ReadOptions(**options))  # type: ignore[arg-type]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shape_of_json_is_the_csv_of_its_rows(tmp_path: Path) -> None:
    lines = [",".join("" if value is None else str(value) for value in row.values()) for row in ROWS]
    csv = read(written(tmp_path, "rows.csv", "\n".join([",".join(ROWS[0]), *lines, ""])))
    one_per_line = "\n".join(json.dumps(row) for row in ROWS) + "\n\n"
    shapes = {
        "rows.json": json.dumps(ROWS, indent=1),
        "rows.jsonl": one_per_line,
        "lines.json": "\ufeff" + one_per_line,
        "columns.json": json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}),
        "list.jsonl": json.dumps(ROWS),
        "inside.json": json.dumps({"data": ROWS}),
        # What pandas' `to_json` writes.
        "by_column.json": json.dumps({name: {str(at): row[name] for at, row in enumerate(ROWS)} for name in ROWS[0]}),
        "by_row.json": json.dumps({str(at): row for at, row in enumerate(ROWS)}),
        "split.json": json.dumps(
            {"columns": [*ROWS[0]], "index": [0, 1, 2], "data": [[*row.values()] for row in ROWS]}
        ),
        "table.json": json.dumps({"schema": {"primaryKey": ["at"]}, "data": [{"at": 0} | row for row in ROWS]}),
    }
    for name, text in shapes.items():
        found = read(written(tmp_path, name, text))
        assert fingerprint(found.train) == fingerprint(csv.train), name
        assert found.train.known_schema.columns == csv.train.known_schema.columns, name


def test_a_name_that_a_row_lacks_is_a_missing_value(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"a": 1, "target": "x"}\n{"target": "y", "b": 3}\n{"a": 2, "target": "y"}\n')
    frame = read(path).train.raw()
    assert frame["a"].tolist()[::2] == [1, 2]
    assert frame.isna().to_numpy().tolist() == [[False, True], [True, False], [False, True]]


def test_later_rows_are_read_without_their_target(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"a": 1, "target": [1]}\n{"a": 2, "target": {}}\n')
    assert list(read(path, labelled=False).train.raw()) == ["a"]


def test_an_object_is_one_row(tmp_path: Path) -> None:
    assert read(written(tmp_path, "a.json", '{"a": 1, "b": "x"}'), labelled=False).train.raw().to_dict("list") == {
        "a": [1],
        "b": ["x"],
    }


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", '{"a": 1, "target": "x"}\n\n{"a": 2, "target": }\n', "Line 3 of"),
        ("a.json", '[{"a": 1},\n {"a": 2,]', "Line 2 of"),
        ("a.jsonl", '{"a": 1, "target": "x"}\n[2, "y"]\n', "a list where an object should be (line 2)"),
        ("a.json", '[{"a": 1, "a": 2, "target": "x"}]', "more than one value named 'a'"),
        ("a.json", '[{"a": [1, 2], "target": "x"}, {"a": 1, "target": "y"}]', "'a' of"),
        ("a.json", '[{"a": 1, "target": ["x", "y"]}]', "multi-label"),
        ("a.json", '{"a": [1, 2], "target": ["x"]}', "different numbers of values ('a' 2, 'target' 1)"),
        ("a.json", '{"rows": {"a": 1}}', "holds no table"),
        ("a.json", "[]", "holds no rows"),
        ("a.jsonl", '{"a": Infinity, "target": "x"}\n{"a": 1, "target": "y"}\n', "infinite value (line 1)"),
        ("a.json", "[" * 100_000, "cannot be read"),
        ("a.json", '[{"a": ' + "9" * 5_000 + ', "target": "x"}]', "cannot be read"),
    ],
)
def test_what_is_no_table(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(DataError) as error:
        read(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)
