"""Raw rows -> tensors: scales, categories and bins are the training rows' own; what prediction brings is served or
refused kindly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.data import prepare
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Source
from rarebird.data.prepare import Prepared


def data_of(source: Source, kind: str, y: np.ndarray | None = None) -> Dataset:
    n = len(source)
    y = np.arange(n) % 2 if y is None else y
    regression = y.dtype.kind == "f"
    return Dataset(
        kind=kind,  # type: ignore[arg-type]
        task="regression" if regression else "classification",
        source=source,
        index=np.arange(n),
        y=y,
        classes=() if regression else ("a", "b"),
        ids=np.arange(n).astype(str),
    )


def table(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "height": rng.normal(170, 10, n),
            "income": rng.lognormal(10, 2, n),
            "color": rng.choice(["red", "green", "blue"], n),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D"),
            "smokes": rng.random(n) < 0.3,
            "same": 1,
        }
    )
    frame.loc[3, "height"] = np.nan
    frame.loc[4, "color"] = None
    return frame


def test_numbers_have_zero_median_and_stay_bounded() -> None:
    prepared, notes = prepare.fit(data_of(Frame(table()), "table"))
    x = prepared.inputs(data_of(Frame(table()), "table"))
    assert x["numbers"].shape == (200, 2 + 4)
    assert x["categories"].shape == (200, 2)
    assert x["numbers"].abs().max() <= 3.0
    assert abs(float(x["numbers"][:, 0].median())) < 0.05
    assert x["missing"][3, 0] == 1
    assert x["numbers"][3, 0] == 0
    assert x["missing"].sum() == 1
    assert any("'same'" in note for note in notes)
    assert prepared.spec.cardinalities == (4, 3)


def test_a_scale_is_the_training_rows_own() -> None:
    """A marked row that is not among the training rows leaves no trace in what was learned."""
    train = table()
    marked = train.copy()
    marked.loc[0, ["height", "income", "color"]] = [1e9, 1e9, "marked"]
    full = data_of(Frame(marked), "table")
    without, _ = prepare.fit(full.take(np.arange(1, 200)))
    clean, _ = prepare.fit(data_of(Frame(train), "table").take(np.arange(1, 200)))
    assert without == clean
    assert "marked" not in without.model_dump_json()


def test_prediction_brings_unseen_categories_extra_columns_another_order_and_text_for_numbers() -> None:
    prepared, _ = prepare.fit(data_of(Frame(table()), "table"))
    frame = table(5, seed=1)
    expected = prepared.inputs(data_of(Frame(frame), "table"))
    odd = frame[frame.columns[::-1]].assign(extra=7)
    odd["height"] = odd["height"].astype(object).map(lambda value: "" if pd.isna(value) else str(value))
    found = prepared.inputs(data_of(Frame(odd), "table"))
    for name, part in expected.items():
        np.testing.assert_allclose(found[name], part, rtol=1e-6)
    odd.loc[0, "color"] = "purple"
    assert prepared.inputs(data_of(Frame(odd), "table"))["categories"][0, 0] == 0


def test_a_missing_column_is_named() -> None:
    prepared, _ = prepare.fit(data_of(Frame(table()), "table"))
    with pytest.raises(DataError, match=r"lacks the column 'income' .*; its columns are '"):
        prepared.inputs(data_of(Frame(table().drop(columns="income")), "table"))
    with pytest.raises(DataError, match="lacks the columns 'height', 'income' "):
        prepared.inputs(data_of(Frame(table().drop(columns=["height", "income"])), "table"))


def test_a_number_of_one_category_is_one_value_however_it_was_read() -> None:
    frame = pd.DataFrame({"code": pd.Series(["1", "2", "1", "2"] * 10), "x": np.linspace(0, 1, 40)})
    prepared, _ = prepare.fit(data_of(Frame(frame), "table"))
    numbers = prepared.inputs(data_of(Frame(frame.assign(code=frame["code"].astype(int))), "table"))
    floats = prepared.inputs(data_of(Frame(frame.assign(code=frame["code"].astype(float))), "table"))
    text = prepared.inputs(data_of(Frame(frame), "table"))
    assert (numbers["categories"] == text["categories"]).all()
    assert (floats["categories"] == text["categories"]).all()


def test_pixels_stay_bytes_and_their_statistics_are_of_zero_to_one() -> None:
    array = np.random.default_rng(0).integers(0, 256, (50, 3, 9, 11), dtype=np.uint8)
    data = data_of(Pixels(array), "image")
    prepared, _ = prepare.fit(data)
    np.testing.assert_allclose(prepared.spec.mean, array.mean(axis=(0, 2, 3)) / 255, rtol=1e-9)
    assert prepared.inputs(data.take(np.array([4, 2])))["pixels"].numpy().tolist() == array[[4, 2]].tolist()
    with pytest.raises(DataError, match="the model needs"):
        prepared.inputs(data_of(Pixels(array[:, :1]), "image"))


def test_series_are_standardized_where_they_are_and_zero_where_they_are_not() -> None:
    values = np.full((4, 2, 6), np.nan, dtype=np.float32)
    lengths = np.array([6, 4, 2, 5])
    rng = np.random.default_rng(0)
    for row, length in enumerate(lengths):
        values[row, :, :length] = rng.normal(5, 2, (2, length))
    values[0, 0, 2] = np.nan
    data = data_of(Curves(values, lengths), "series")
    prepared, _ = prepare.fit(data)
    x = prepared.inputs(data)
    inside = np.arange(6) < lengths[:, None, None]
    assert (x["values"].numpy()[~np.broadcast_to(inside, values.shape)] == 0).all()
    middle = (x["values"][0, 0, 1] + x["values"][0, 0, 3]) / 2
    assert float(x["values"][0, 0, 2]) == pytest.approx(float(middle), abs=1e-5)
    longer = np.pad(values, ((0, 0), (0, 0), (0, 3)), constant_values=np.nan)
    again = prepared.inputs(data_of(Curves(longer, lengths), "series"))
    assert (again["values"] == x["values"]).all()


def test_soft_and_regression_targets() -> None:
    values = np.array([1.0, 3.0, 5.0, 7.0])
    data = data_of(Frame(pd.DataFrame({"x": [1.0, 2.5, 3.0, 9.0]})), "table", values)
    prepared, _ = prepare.fit(data)
    targets = prepared.targets(data).double().numpy()
    assert targets.mean() == pytest.approx(0)
    np.testing.assert_allclose(prepared.values(targets)[:, 0], values)
    soft = np.array([[0.2, 0.8], [1, 0], [0.5, 0.5], [0, 1.0]])
    classes = data_of(Frame(pd.DataFrame({"x": [1.0, 2.5, 3.0, 9.0]})), "table", soft.argmax(axis=1))
    fitted, _ = prepare.fit(classes)
    from dataclasses import replace

    np.testing.assert_allclose(fitted.targets(replace(classes, y=soft)), soft, rtol=1e-6)


def test_a_target_far_from_those_of_training_stays_a_number() -> None:
    frame = pd.DataFrame({"x": np.arange(4.0)})
    prepared, _ = prepare.fit(data_of(Frame(frame), "table", np.array([1.0, 2.0, 3.0, 4.0])))
    far = prepared.targets(data_of(Frame(frame), "table", np.array([1.0, 2.0, 3.0, 1e99])))
    assert bool((far**2).isfinite().all())


def test_what_was_learned_goes_through_json() -> None:
    prepared, _ = prepare.fit(data_of(Frame(table()), "table"))
    again = Prepared.model_validate_json(prepared.model_dump_json())
    assert again == prepared
    one, two = (each.inputs(data_of(Frame(table(30, 3)), "table")) for each in (prepared, again))
    assert all((one[name] == two[name]).all() for name in one)


def test_a_table_without_a_column_to_learn_from_is_refused() -> None:
    with pytest.raises(DataError, match="no column to learn from"):
        prepare.fit(data_of(Frame(pd.DataFrame({"same": [1] * 30})), "table"))


def test_statistics_of_pictures_are_those_of_all_pixels_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken bit by bit: a float64 copy of 5,000 pictures of 224 pixels would take 6 GB."""
    array = np.random.default_rng(0).integers(0, 256, (40, 3, 10, 12), dtype=np.uint8)
    monkeypatch.setattr(prepare, "CHUNK_VALUES", 3 * 3 * 10 * 12)
    for pixels, scale in ((array, 255), ((array / 255).astype(np.float32), 1)):
        spec = prepare.fit(data_of(Pixels(pixels), "image"))[0].spec
        np.testing.assert_allclose(spec.mean, pixels.mean(axis=(0, 2, 3), dtype=np.float64) / scale, rtol=1e-9)
        np.testing.assert_allclose(spec.std, pixels.std(axis=(0, 2, 3), dtype=np.float64) / scale, rtol=1e-9)
    monkeypatch.setattr(prepare, "STATISTICS_VALUES", 10 * 3 * 10 * 12)
    few, again = (prepare.fit(data_of(Pixels(array), "image"), seed=3)[0].spec for _ in range(2))
    assert few == again
    assert few.mean != prepare.fit(data_of(Pixels(array), "image"), seed=4)[0].spec.mean


def test_a_number_out_of_all_bounds_is_an_outlier_and_not_the_median() -> None:
    frame = table()
    frame.loc[7, "height"] = 1e300
    prepared, _ = prepare.fit(data_of(Frame(frame), "table"))
    assert float(prepared.inputs(data_of(Frame(frame), "table"))["numbers"][7, 0]) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("values", "spelled"),
    [
        (pd.Series(["b", "a", None, "b"] * 9), ["b", "a", None, "b"]),
        (pd.Series([True, False, True, True] * 9), ["True", "False", "True", "True"]),
        (pd.Series([True, 1.0, "1", None] * 9, dtype=object), ["True", "1.0", "1", None]),
        (pd.Series(pd.Categorical(["x", "y", None, "x"] * 9)), ["x", "y", None, "x"]),
        (pd.Series(pd.array([True, None, False, True] * 9, dtype="boolean")), ["True", None, "False", "True"]),
    ],
    ids=["text", "bool", "mixed", "categorical", "boolean"],
)
def test_codes_are_places_of_the_spelled_values(values: pd.Series, spelled: list[str | None]) -> None:
    frame = pd.DataFrame({"c": values, "x": np.linspace(0, 1, 36)})
    prepared, _ = prepare.fit(data_of(Frame(frame), "table"))
    assert prepared.table is not None
    known = next(column.categories for column in prepared.table.columns if column.name == "c")
    codes = prepared.inputs(data_of(Frame(frame), "table"))["categories"][:, 0]
    assert codes.tolist() == [0 if text is None else known.index(text) + 1 for text in spelled * 9]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"target_scale": 0.0}, "scales are above 0"),
        ({"spec": {"n_numbers": 9}}, "numbers have bins each"),
        ({"spec": {"cardinalities": (4, 30)}}, "categories have a code each"),
        ({"spec": {"channels": 2}}, "channels have a mean and std each"),
        ({"spec": {"kind": "series", "length": 5}}, "tables have columns"),
        ({"table": None}, "tables have columns"),
        ({"spec": {"kind": "image", "height": 10**9, "width": 8}, "table": None}, "1 <= size <= 4096"),
    ],
)
def test_what_does_not_fit_itself_is_refused(change: dict[str, object], rule: str) -> None:
    prepared, _ = prepare.fit(data_of(Frame(table()), "table"))
    plain = prepared.model_dump()
    for key, value in change.items():
        plain[key] = plain[key] | value if isinstance(value, dict) else value
    with pytest.raises(ValueError, match=rule):
        Prepared.model_validate(plain)


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_dates_beyond_the_nanoseconds_are_dates(unit: str) -> None:
    """The year 9999 often means "no end"; it ended `fit` with "Out of bounds nanosecond timestamp"."""
    days = np.array(["2024-01-02", "9999-12-31", "0001-02-06", "NaT"] * 10, dtype=f"datetime64[{unit}]")
    data = data_of(Frame(pd.DataFrame({"ends": days, "x": np.arange(40.0)})), "table")
    prepared, _ = prepare.fit(data)
    numbers = prepared.inputs(data)["numbers"].numpy()
    assert np.isfinite(numbers).all()
    assert len(np.unique(numbers[:3], axis=0)) == 3
    nanoseconds = np.array(["2024-01-02", "2024-01-03"] * 20, dtype="datetime64[ns]")
    later = data_of(Frame(pd.DataFrame({"ends": nanoseconds, "x": np.arange(40.0)})), "table")
    np.testing.assert_array_equal(prepared.inputs(later)["numbers"].numpy()[0, 0], numbers[0, 0])
