"""Numbers as people write them: which notation reads a column, and what each cell then is."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rarebird.readers.numbers import Notation, evidence, notations, parsed

NAN = float("nan")


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["41,25", "3"], [41.25, 3]),
        (["$1,234.50", "$5"], [1234.5, 5]),
        (["1.234,50 €", "5 €"], [1234.5, 5]),
        (["41.2%", "3 %"], [41.2, 3]),
        (["1 830", "2"], [1830, 2]),
        (["1\u00a0830,5", "1\u202f000"], [1830.5, 1000]),
        (["\u22125", "3.2"], [-5, 3.2]),
        (["\u20135", "3.2"], [-5, 3.2]),
        (["1.234.567", "2"], [1234567, 2]),
        (["12,34,567", "5.5"], [1234567, 5.5]),
        (["1'000.5", "2’000"], [1000.5, 2000]),
        (["(1,234.50)", "3"], [-1234.5, 3]),
        (["($5)", "-$6", "$-7"], [-5, -6, -7]),
        (["0,125", "3,000"], [0.125, 3]),
        (["1,5e3", "2"], [1500, 2]),
        (["1,048E+03", "2,5E+00"], [1048, 2.5]),
        (["৫১", "৪.৫"], [51, 4.5]),
        (["１２．５", "3"], [12.5, 3]),
        ([".5", "1."], [0.5, 1]),
        (["51.5 kg", "60kg"], [51.5, 60]),
        (["1 year", "10 years"], [1, 10]),
        (["37,2 °C", "-3\u00a0°C"], [37.2, -3]),
        (["1,250 mg/dL", "7.5 mg/dL"], [1250, 7.5]),
        (["120 mmHg", "80 mmHg"], [120, 80]),
    ],
)
def test_what_is_a_number(texts: list[str], values: list[float]) -> None:
    found = notations(pa.array(texts))
    assert len(found) == 1
    assert parsed(pa.array(texts), found[0]).to_pylist() == values


@pytest.mark.parametrize(
    "texts",
    [["13.01.23"], ["00123", "4"], ["12345678901234567"], ["$5", "€5"], ["1,2,3"], ["1_000"], ["1.2.3"]]
    + [["12 kg", "12 g"], ["12A", "3A"], ["1.5M", "2M"], ["1L", "2R"], ["kg"], ["5 kgs5"]]
    + [["12:30"], ["2023-05"], ["1,05,0"], ["--5"], ["5-"], ["1e"], ["x"], ["1,050.5", "1.050,5"], ["0 123"]],
)
def test_what_is_none(texts: list[str]) -> None:
    assert notations(pa.array(texts)) == []


def test_what_can_be_read_in_two_ways() -> None:
    assert set(notations(pa.array(["1,050", "2,300"]))) == {Notation(",", ""), Notation(".", ",")}
    assert set(notations(pa.array(["1.050", "2.300"]))) == {Notation(".", ""), Notation(",", ".")}
    assert notations(pa.array(["1,050", "2,3"])) == [Notation(",", "")]


def test_a_known_notation_reads_marks_that_can_be_nothing_else() -> None:
    cells = pa.array(["1,050", "50,5", "1 050.25", None, "x"])
    np.testing.assert_array_equal(
        parsed(cells, Notation(".")).to_numpy(zero_copy_only=False), [1050, NAN, 1050.25, NAN, NAN]
    )
    np.testing.assert_array_equal(
        parsed(cells, Notation(",")).to_numpy(zero_copy_only=False), [1.05, 50.5, NAN, NAN, NAN]
    )


def test_which_mark_the_cells_show() -> None:
    assert evidence(pa.array(["1,050", "50,5", "0,5", "1.5", "7", "x"])) == {".": 1, ",": 2}
