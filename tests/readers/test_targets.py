"""Targets: codes and labels, the rule that tells regression, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import LabelEncoder

from rarebird.core.checks import DataError
from rarebird.readers import targets
from rarebird.readers.targets import encode, is_continuous, label, missing_mask


def encoded(values: Any, **options: Any) -> tuple[str, np.ndarray, tuple[str, ...]]:
    return encode(values, **{"task": None, "where": "The target", **options})


@pytest.mark.parametrize(
    "values",
    [
        [3, 1, 2, 3],
        [1.0, 2.0, 10.0],
        ["b", "a", "b"],
        ["10", "9", "x"],
        [True, False],
        np.array([7, 7, 8], np.uint8),
        ["罕见", "常见"],
    ],
)
def test_codes_give_the_labels_back(values: Any) -> None:
    task, codes, classes = encoded(values)
    assert task == "classification"
    assert codes.dtype == np.int64
    assert [classes[code] for code in codes] == [label(value) for value in np.asarray(values)]


def test_each_different_text_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Millions of rows have few labels."""
    seen: list[Any] = []
    monkeypatch.setattr(targets, "label", lambda value: (seen.append(value), label(value))[1])
    values = np.array(["b", "a", "b"] * 40, dtype=object)
    _, codes, classes = encode(values, task=None, where="y")
    assert classes == ("a", "b")
    np.testing.assert_array_equal(codes, np.tile([1, 0, 1], 40))
    assert sorted(seen) == ["a", "b"]
    mixed = np.array([True, 1, "1", None], dtype=object)
    assert missing_mask(mixed).tolist() == [False, False, False, True]
    assert encode(mixed[:3], task=None, where="y")[2] == ("1", "True")


def test_codes_agree_with_scikit_learn() -> None:
    values = np.random.default_rng(0).integers(-5, 9, 100)
    _, codes, classes = encoded(values, task="classification")
    encoder = LabelEncoder().fit(values)
    np.testing.assert_array_equal(codes, encoder.transform(values))
    assert classes == tuple(str(value) for value in encoder.classes_)


def test_codes_do_not_depend_on_the_order_of_rows() -> None:
    values = np.array(["c", "a", "b", "a", "c"])
    order = np.array([4, 2, 0, 1, 3])
    _, codes, classes = encoded(values)
    _, permuted, again = encoded(values[order])
    assert again == classes
    np.testing.assert_array_equal(permuted, codes[order])


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([1.0, 2.0, 10.0], ("1", "2", "10")),
        (["10", "9", "1"], ("1", "9", "10")),
        (["01", "2 "], ("01", "2 ")),
        ([True, False], ("False", "True")),
        (pd.Series([2, 1], dtype="Int64"), ("1", "2")),
        (pd.Series(["x", "y"], dtype="category"), ("x", "y")),
        ([Decimal(1), Decimal(2)], ("1", "2")),
        ([b"a", b"b"], ("a", "b")),
        ([1, "a", 2.0], ("1", "2", "a")),
        (np.float32([0.1, 0.2, 0.1, 0.2]), ("0.1", "0.2")),
    ],
)
def test_labels(values: Any, classes: tuple[str, ...]) -> None:
    assert encoded(values)[2] == classes


def test_one_column_and_one_hot_rows_are_labels() -> None:
    assert encoded(np.array([["a"], ["b"]]))[2] == ("a", "b")
    one_hot = np.eye(3)[[2, 0, 1, 2]]
    np.testing.assert_array_equal(encoded(one_hot)[1], [2, 0, 1, 2])


@pytest.mark.parametrize(
    ("values", "continuous"),
    [
        (np.linspace(0, 1, 30), True),
        (np.array([1.5, 2.5, 3.5] * 20), False),
        (np.array([0.1, 0.2, 0.3, 0.4]), True),
        (np.arange(0, 4000, 7), True),
        (np.arange(60), True),
        (np.repeat(np.arange(60), 2), False),
        (np.repeat(np.arange(0, 600, 10), 100), False),
        (np.repeat(np.arange(0, 3000, 10), 100), True),
        (np.array([0, 1] * 10), False),
    ],
    ids=[
        "fractions",
        "few",
        "tiny",
        "sparse",
        "row_numbers",
        "class_codes",
        "many_rows_each",
        "very_many_values",
        "binary",
    ],
)
def test_what_is_continuous(values: np.ndarray, continuous: bool) -> None:
    assert is_continuous(values) is continuous
    assert is_continuous(values[::-1]) is continuous
    assert encoded(values)[0] == ("regression" if continuous else "classification")


def test_the_task_overrides_the_guess() -> None:
    amounts = np.linspace(0, 1, 30)
    assert len(encoded(amounts, task="classification")[2]) == 30
    task, values, classes = encoded([2, 1, 1], task="regression")
    assert (task, classes, values.dtype, values.tolist()) == ("regression", (), np.float64, [2.0, 1.0, 1.0])
    np.testing.assert_array_equal(encoded(["1.5", "2"], task="regression")[1], [1.5, 2.0])


def test_missing_values_of_every_sort() -> None:
    np.testing.assert_array_equal(
        missing_mask(["a", None, "", float("nan"), "nan", pd.NA, " "]), [False, True, True, True, True, True, False]
    )
    np.testing.assert_array_equal(missing_mask(pd.Series([1, None], dtype="Int64")), [False, True])
    np.testing.assert_array_equal(missing_mask(np.array([[1.0], [np.nan]])), [False, True])
    np.testing.assert_array_equal(missing_mask(pd.to_datetime(["2020-01-01", None])), [False, True])
    assert not missing_mask(np.array([0, 1])).any()


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ([None, np.nan], "The target is missing in every row"),
        ([], "The target is missing in every row"),
        (["a", "a"], "only one class ('a')"),
        ([1.0, 2.0, np.inf], "infinite value (row 3)"),
        (np.array([[1, 1], [0, 1]]), "multi-label targets are not supported yet"),
        ([["a", "b"], ["b"]], "multi-label targets are not supported yet"),
        ([("a",), ("b",)], "multi-label targets are not supported yet"),
        ([{"a"}, {"b", "a"}], "multi-label targets are not supported yet"),
        (['["a", "b"]', '["b"]'], "multi-label targets are not supported yet"),
        (np.zeros((4, 3)) + 0.3, "shape (4, 3)"),
        (pd.to_datetime(["2020-01-01", "2021-01-01"]), "holds dates"),
    ],
)
def test_refused(values: Any, part: str) -> None:
    with pytest.raises(DataError) as caught:
        encoded(values)
    assert part in str(caught.value)
    assert "The target" in str(caught.value)


def test_regression_refuses_text() -> None:
    with pytest.raises(DataError, match="holds 'x', but regression needs numbers"):
        encoded(["1", "x"], task="regression")
    with pytest.raises(DataError, match="infinite value"):
        encoded(["1", "inf"], task="regression")


def test_bars_and_brackets_in_text_are_no_lists() -> None:
    assert encoded(["a|b", "[c", "d]"])[2] == ("[c", "a|b", "d]")


def test_test_rows_may_be_of_one_class() -> None:
    assert encoded(["a", "a"], least_classes=1)[2] == ("a",)
