"""Arrays, frames and tensors: the kind by the shape, layouts of pictures, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.data.dataset import Curves, Pixels
from rarebird.readers.python import from_arrays

RNG = np.random.default_rng(0)


def pixels(X: Any, **options: Any) -> np.ndarray:
    data = from_arrays(X, **options)
    assert data.kind == "image"
    assert isinstance(data.source, Pixels)
    return data.source.array


def refused(part: str, *arguments: Any, **options: Any) -> None:
    with pytest.raises(DataError) as caught:
        from_arrays(*arguments, **options)
    assert part in str(caught.value), str(caught.value)


# Tables


def test_an_array_is_a_table() -> None:
    X = RNG.normal(size=(4, 2))
    data = from_arrays(
        X, ["a", "b", "a", "a"], sample_weight=[1, 2, 3, 4], groups=[1, 1, 2, 2], time=[4, 3, 2, 1], name="toy"
    )
    assert (data.kind, data.task, data.classes, data.name) == ("table", "classification", ("a", "b"), "toy")
    assert list(data.raw()) == ["x0", "x1"]
    np.testing.assert_array_equal(data.raw(), X)
    assert data.group is not None
    assert data.group.tolist() == ["1", "1", "2", "2"]
    assert data.weights.tolist() == [1, 2, 3, 4]
    assert data.take(np.array([1, 3])).ids.tolist() == ["2", "4"]


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'weights'"):
        from_arrays(np.zeros((2, 1)), ["a", "b"], weights=[1, 2])  # type: ignore[call-arg]


def test_frame_array_structured_array_and_tensor_give_the_same_table() -> None:
    X = RNG.normal(size=(5, 2)).astype(np.float32)
    frame = pd.DataFrame(X, columns=["x0", "x1"], index=list("abcde"))
    structured = np.array([tuple(row) for row in X], dtype=[("x0", np.float32), ("x1", np.float32)])
    expected = from_arrays(X).raw()
    for other in (frame, structured, torch.tensor(X, requires_grad=True), X.tolist()):
        pd.testing.assert_frame_equal(from_arrays(other).raw(), expected, check_dtype=False)


def test_text_beside_numbers() -> None:
    objects = np.array([[1, "a", None], [2.5, "b", True]], dtype=object)
    rows = from_arrays(objects).raw()
    assert rows["x0"].tolist() == [1, 2.5]
    assert rows["x1"].tolist() == ["a", "b"]
    assert rows["x2"].tolist() == [None, True]
    mixed = from_arrays([[1, "a"], [2, "b"]]).raw()  # NumPy makes texts of it
    assert mixed["x0"].tolist() == [1, 2]
    assert mixed["x1"].tolist() == ["a", "b"]


def test_frames_of_pandas_own_types() -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["u", None]), "i": pd.array([1, None], "Int64"), 7: ["x", 5]})
    rows = from_arrays(frame).raw()
    assert list(rows) == ["c", "i", "7"]
    assert rows["i"].dtype == np.float64
    assert rows["7"].tolist() == ["x", "5"]
    assert isinstance(frame["c"].dtype, pd.CategoricalDtype)


@pytest.mark.parametrize(
    ("series", "kind", "values"),
    [
        (pd.Series(["x", None], dtype="string"), "O", ["x", None]),
        (pd.Series(["x", None], dtype="string[pyarrow]"), "O", ["x", None]),
        (pd.Series([1, None], dtype="int64[pyarrow]"), "f", [1.0, np.nan]),
        (pd.Series([True, False], dtype="bool[pyarrow]"), "b", [True, False]),
        (pd.Series([1.5, None], dtype="Float32"), "f", [1.5, np.nan]),
        (pd.Series(pd.Categorical([3, 1])), "O", ["3", "1"]),
        (pd.Series(pd.Categorical([3, None])), "O", ["3", None]),
        (pd.Series(pd.to_timedelta(["1h", None])), "f", [3600.0, np.nan]),
        (
            pd.Series(pd.period_range("2024-01", periods=2, freq="M")),
            "M",
            [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")],
        ),
        (pd.Series(pd.to_datetime(["2024-01-01 02:00+02:00"] * 2)), "M", [pd.Timestamp("2024-01-01")] * 2),
        (pd.Series(pd.interval_range(0, 2)), "O", ["(0, 1]", "(1, 2]"]),
        (pd.Series([None, None], dtype=object), "f", [np.nan, np.nan]),
        (pd.Series([Decimal("1.5"), Decimal("Infinity")]), "", []),
        (pd.Series([1, 2.5], dtype=object), "f", [1.0, 2.5]),
        (pd.Series([2**60, 1], dtype=object), "i", [2**60, 1]),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pd.Series) else "",
)
def test_every_type_of_pandas(series: pd.Series, kind: str, values: list[Any]) -> None:
    frame = series.to_frame("c")
    if not kind:
        refused("infinite", frame)
        return
    column = from_arrays(frame).raw()["c"]
    assert column.dtype.kind == kind
    assert column.isna().tolist() == pd.isna(pd.Series(values, dtype=object)).tolist()
    assert column.dropna().tolist() == pd.Series(values, dtype=object).dropna().tolist()
    assert not any(value is pd.NA for value in column)
    pd.testing.assert_frame_equal(frame, series.to_frame("c"))


def test_infinities_and_duplicated_names_are_refused() -> None:
    refused("Column 'x1' of X holds an infinite value (row 2)", [[1.0, 2.0], [3.0, np.inf]])
    refused("more than one column named 'a'", pd.DataFrame([[1, 2]], columns=["a", "a"]))
    refused("Column 'a' of X holds values of type list", pd.DataFrame({"a": [[1], [2]]}))
    refused("type complex128", np.ones((2, 2), dtype=complex))


# Series


def test_three_axes_are_series() -> None:
    X = RNG.normal(size=(3, 2, 5))
    X[1, :, 3:] = np.nan
    data = from_arrays(X, [0, 1, 0])
    assert data.kind == "series"
    assert isinstance(data.source, Curves)
    assert data.source.lengths.tolist() == [5, 3, 5]
    np.testing.assert_array_equal(data.source.values, X.astype(np.float32))
    flat = from_arrays(X[:, 0], kind="series")
    np.testing.assert_array_equal(flat.raw()[0][:, 0], X[:, 0].astype(np.float32))


def test_series_without_values_or_with_infinities_are_refused() -> None:
    X = np.zeros((3, 1, 4))
    X[1] = np.nan
    refused("Series 2 of X holds no value at all", X)
    X[1] = np.inf
    refused("Series 2 of X holds an infinite value", X)
    refused("not numbers", np.array([[["a"]]], dtype=object))


# Pictures


def test_channels_first_and_last_are_told_apart() -> None:
    first = RNG.integers(0, 256, (2, 3, 9, 8), dtype=np.uint8)
    np.testing.assert_array_equal(pixels(first), first)
    np.testing.assert_array_equal(pixels(first.transpose(0, 2, 3, 1)), first)
    np.testing.assert_array_equal(pixels(torch.tensor(first)), first)


def test_where_both_axes_could_hold_channels_the_habit_decides() -> None:
    X = RNG.integers(0, 256, (2, 3, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pixels(X), X.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(pixels(torch.tensor(X)), X)


def test_gray_pictures_without_a_channel_axis() -> None:
    X = RNG.integers(0, 256, (2, 9, 8), dtype=np.uint8)
    np.testing.assert_array_equal(pixels(X, kind="image"), X[:, None])
    assert from_arrays(X).kind == "series"


def test_pixel_types() -> None:
    X = RNG.integers(0, 256, (2, 1, 8, 8), dtype=np.uint8)
    np.testing.assert_array_equal(pixels(X.astype(np.int64)), X)
    np.testing.assert_allclose(pixels(X / 255), X / 255, rtol=1e-6)
    np.testing.assert_allclose(pixels(X.astype(np.uint16) * 257), X / 255, rtol=1e-6)
    np.testing.assert_array_equal(pixels(X > 127), np.where(X > 127, 255, 0))


def test_bad_pictures_are_refused() -> None:
    X = np.zeros((3, 8, 8, 1))
    X[2, 0, 0] = np.nan
    refused("Picture 3 of X holds NaN", X)
    refused("pixels from 0 to 255; give floats in 0..1", np.array([0.0, 255.0] * 32).reshape(1, 8, 8, 1))
    refused("1 to 4 channels on axis 1 or axis 3", np.zeros((2, 8, 8, 8)))


# Targets and the rest


def test_targets() -> None:
    X = np.zeros((30, 1))
    assert from_arrays(X).y is None
    assert from_arrays(X, np.linspace(0, 1, 30)).task == "regression"
    assert from_arrays(X, torch.arange(30) % 3).classes == ("0", "1", "2")
    assert from_arrays(X, pd.Series(["u", "v"] * 15, dtype="category").to_frame()).classes == ("u", "v")
    assert from_arrays(X, np.eye(3)[np.arange(30) % 3]).n_classes == 3


def test_classes_known_beforehand() -> None:
    data = from_arrays([[1.0], [2.0]], ["b", "b"], classes=["c", "b", "a"])
    assert data.classes == ("c", "b", "a")
    assert data.codes.tolist() == [1, 1]
    refused("'d'", [[1.0]], ["d"], classes=["a", "b"])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"y": [1, 2, 3]}, "X has 2 rows but y has 3"),
        ({"y": ["a", None]}, "y is missing in row 2"),
        ({"y": [1, 1]}, "y holds only one class ('1')"),
        ({"y": [[1, 1], [0, 1]]}, "multi-label targets are not supported yet"),
        ({"sample_weight": [1, -1]}, "weight -1 (row 2)"),
        ({"sample_weight": [1]}, "X has 2 rows but sample_weight has 1"),
        ({"sample_weight": [[1], [2]]}, "sample_weight has the shape (2, 1)"),
        ({"groups": ["a", None]}, "no group (row 2)"),
        ({"time": ["a", "b"]}, "neither numbers nor dates"),
    ],
)
def test_bad_parts(options: dict[str, Any], part: str) -> None:
    refused(part, [[1.0], [2.0]], **options)


def test_bad_shapes() -> None:
    refused("shape (3,)", [1, 2, 3])
    refused("no rows", np.zeros((0, 3)))
    refused("no columns", np.zeros((3, 0)))
    refused("unequal length", [[1, 2], [3]])
    refused("a table is (n, columns)", np.zeros((2, 2, 2)), kind="table")
    refused("pictures are", np.zeros((2, 2)), kind="image")
    with pytest.raises(ValueError, match="kind is image, table or series"):
        from_arrays([[1]], kind="text")  # type: ignore[arg-type]


def test_a_python_user_reads_python_words() -> None:
    """`from_arrays`, and with it the estimators, spoke of --target, showed NumPy's types, and printed all cells."""
    X = np.zeros((30, 2))
    with pytest.raises(DataError) as refused:
        from_arrays(X, np.ones(30))
    assert "`target`" in str(refused.value)
    assert "--" not in str(refused.value)
    with pytest.raises(DataError, match="y holds 'ill', but"):
        from_arrays(X, np.array(["ill", "well"] * 15), task="regression")
    assert repr(from_arrays(X, np.arange(30) % 2)) == (
        "<Dataset 'data': 30 rows of kind 'table' for classification of 2 classes>"
    )
