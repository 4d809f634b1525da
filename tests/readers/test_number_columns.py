"""Many columns of numbers at once are read as each by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rarebird.readers import columns, number_columns
from rarebird.readers.site import File
from rarebird.readers.text_column import TextColumn

FILE = File("rows.csv", lambda row: f"line {row + 2}")
ROWS = 6
# Columns by the kind of their cells; what is no plain number is among them.
KINDS = (
    st.floats(-1e6, 1e6, allow_nan=False).map(repr),
    st.integers(-50, 50).map(str),
    st.sampled_from(["0", "1"]),
    st.sampled_from(["0", "1", "", "NA"]),
    st.sampled_from(["1.5", "", "nan", " 2", "3e4"]),
    st.sampled_from(["1.0", "2", "+3"]),
    st.sampled_from(["007", "12", "1234567890123456789"]),
    st.sampled_from(["01.2023", "12.1999"]),
    st.sampled_from(["1,050", "$3", "red", "1.5", "inf", "-nan"]),
    st.sampled_from(["", "?", "."]),
)


def text_column(cells: list[str]) -> TextColumn:
    middle = len(cells) // 2
    return TextColumn(pa.chunked_array([pa.array(cells[:middle], pa.string()), pa.array(cells[middle:], pa.string())]))


@given(st.lists(st.sampled_from(range(len(KINDS))), min_size=16, max_size=40), st.data())
def test_many_columns_are_read_as_each_by_itself(kinds: list[int], data: st.DataObject) -> None:
    cells = {
        f"x{place}": text_column(data.draw(st.lists(KINDS[kind], min_size=ROWS, max_size=ROWS)))
        for place, kind in enumerate(kinds)
    }
    for name, column in number_columns.found(cells).items():
        alone = columns.quick_numbers(cells[name], FILE.site(name))
        assert alone is not None
        assert column.form == alone.form
        pd.testing.assert_series_equal(column.values, alone.values)


@pytest.mark.parametrize("cell", ["1.25", "17", "", "0"])
def test_plain_columns_are_found_among_columns_of_text(cell: str) -> None:
    rng = np.random.default_rng(0)
    cells = {f"x{place}": text_column([*map(str, rng.random(ROWS - 1).round(3)), cell]) for place in range(300)}
    cells |= {f"word{place}": text_column(["0.5", "red", *["3"] * (ROWS - 2)]) for place in range(3)}
    found = number_columns.found(dict(sorted(cells.items(), key=lambda item: item[0][::-1])))
    assert len(found) > 200
    assert not [name for name in found if name.startswith("word")]


def test_few_columns_are_left_to_the_usual_way() -> None:
    assert number_columns.found({"x": text_column(["1"] * ROWS)}) == {}
