"""Frames and columns in the form of Arrow: what they mean is kept, whichever library holds them."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from rarebird.automl import from_python
from rarebird.core.checks import DataError
from rarebird.estimator.rows import plain_labels
from rarebird.readers.python import from_arrays

DAY = datetime.datetime(2024, 3, 1, 12, tzinfo=datetime.UTC)
# Columns of Arrow types that pandas' nullable types lack.
TYPED = {
    "seen": (pa.timestamp("us", tz="Asia/Tokyo"), [DAY, None, DAY]),
    "born": (pa.date32(), [datetime.date(2000, 1, 2), datetime.date(2001, 1, 2), None]),
    "price": (pa.decimal128(8, 2), [Decimal("1.25"), Decimal("2.5"), Decimal("0.75")]),
    "site": (pa.dictionary(pa.int32(), pa.string()), ["north", "south", None]),
    "waited": (pa.duration("s"), [datetime.timedelta(hours=1), None, datetime.timedelta(0)]),
    "visits": (pa.int64(), [1, 2, 3]),
    "smokes": (pa.bool_(), [True, None, False]),
}


class OtherFrame:
    """A frame of a library that gives Arrow, as polars does."""

    def __init__(self, table: pa.Table) -> None:
        self.table, self.columns = table, table.column_names

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


def table() -> pa.Table:
    return pa.table({name: pa.array(cells, type_) for name, (type_, cells) in TYPED.items()})


def test_a_frame_of_another_library_and_pandas_own_arrow_types_are_read_alike() -> None:
    arrow = table()
    own = pd.DataFrame({name: pd.Series(arrow[name], dtype=pd.ArrowDtype(arrow[name].type)) for name in TYPED})
    for rows in (arrow, OtherFrame(arrow), own):
        read = from_arrays(rows).raw()
        assert read["seen"].dtype.kind == read["born"].dtype.kind == "M"
        assert read["seen"][0] == pd.Timestamp("2024-03-01 12:00")
        assert read["born"][1] == pd.Timestamp("2001-01-02")
        assert read["price"].tolist() == [1.25, 2.5, 0.75]
        assert read["site"].tolist()[:2] == ["north", "south"]
        np.testing.assert_array_equal(read["waited"], [3600, np.nan, 0])
        assert read["visits"].dtype.kind == "i"
        assert read["smokes"].tolist()[::2] == [True, False]


@pytest.mark.parametrize("target", [7, "7"])
def test_columns_are_named_by_numbers_as_by_their_text(target: str | int) -> None:
    rows = pd.DataFrame({0: [1.0, 2, 3, 4], 7: ["a", "b", "a", "b"], 9: [1, 1, 2, 2]})
    found = from_python._splits(rows, None, target, (rows, None), {"groups": 9})
    assert found.test is not None
    for part in (found.train, found.test):
        assert list(part.raw()) == ["0"]
        assert part.classes == ("a", "b")
        assert part.group is not None
    with pytest.raises(DataError, match="data has no column '8'"):
        from_python._splits(rows, None, "8", None, {})
    arrow = pa.table({"x": [1.0, 2, 3], "y": ["a", "b", "a"]})
    assert from_python._splits(OtherFrame(arrow), None, "y", None, {}).train.classes == ("a", "b")


def test_labels_of_nullable_columns_keep_their_type_and_a_missing_one_is_named() -> None:
    for values, of in (
        ([3, 4], "Int64"),
        ([True, False], "boolean"),
        ([3, 4], "int8[pyarrow]"),
        (["a", "b"], "string"),
    ):
        kept = np.asarray(plain_labels(pd.Series(values, dtype=of)))
        assert kept.tolist() == values
        assert np.asarray(kept).dtype.kind in {"Int64": "i", "boolean": "b", "int8[pyarrow]": "i", "string": "OU"}[of]
    for missing in (pd.Series(["a", None], dtype=object), pd.Series([1, pd.NA], dtype="Int64")):
        with pytest.raises(DataError, match="y is missing in row 2; remove"):
            plain_labels(missing)


def test_what_is_no_table_is_refused_with_a_way_out() -> None:
    for value in ({"a": [1, 2]}, [{"a": 1}, {"a": 2}], None):
        with pytest.raises(DataError, match=r"which is no table; give an array or a frame, such as pandas\.DataFrame"):
            from_arrays(value)
