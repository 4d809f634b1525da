"""New rows between two: types, gaps, majority categories, scales."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Dataset, Frame
from rarebird.methods.resampling._mixed_rows import Pairs, interpolated, mixed_rows, most_frequent, with_rows_between


def rows_of(frame: pd.DataFrame, **known: object) -> Dataset:
    n = len(frame)
    y, ids = np.zeros(n, dtype=np.int64), np.arange(n).astype(str).astype(object)
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("a",), ids, **known)  # type: ignore[arg-type]


def made(
    frame: pd.DataFrame, start: list[int], end: list[int], way: list[float], carriers: list[list[int]] | None = None
) -> pd.DataFrame:
    rows = mixed_rows(rows_of(frame), standardize=True)
    carried = np.array(carriers) if carriers else np.zeros((len(start), rows.codes.shape[1]), dtype=np.int64)
    result: pd.DataFrame = with_rows_between(
        rows, [Pairs(np.array(start), np.array(end), np.array(way), carried)]
    ).raw()
    pd.testing.assert_frame_equal(result.iloc[: len(frame)], frame)
    return result.iloc[len(frame) :].reset_index(drop=True)


def test_numbers_lie_on_the_line_and_whole_numbers_stay_whole() -> None:
    frame = pd.DataFrame({"x": [0.5, 1.5], "whole": [0, 10], "gappy whole": [2.0, 6.0], "same": [0.1, 0.1]})
    new = made(frame, [0, 0, 1], [1, 1, 0], [0.0, 0.26, 0.26])
    np.testing.assert_allclose(new["x"], [0.5, 0.76, 1.24])
    assert new["whole"].tolist() == [0, 3, 7]
    assert new["gappy whole"].tolist() == [2, 3, 5]
    assert new["same"].tolist() == [0.1, 0.1, 0.1]


def test_a_missing_cell_takes_the_nearer_parent() -> None:
    got = interpolated(np.array([np.nan, 4.0]), np.array([0, 0, 1]), np.array([1, 1, 0]), np.array([0.2, 0.8, 0.4]), 0)
    np.testing.assert_array_equal(got, [np.nan, 4, 4])


def test_numbers_too_far_apart_for_a_float_take_the_nearer_parent() -> None:
    huge = np.array([-1.7e308, 1.7e308])
    assert interpolated(huge, np.array([0, 0]), np.array([1, 1]), np.array([0.1, 0.9]), 0).tolist() == huge.tolist()
    assert np.isfinite(
        mixed_rows(rows_of(pd.DataFrame({"x": huge})), standardize=True).points(np.arange(2), np.arange(2)).numbers
    ).all()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_dates_stay_dates_and_days_stay_days(unit: str) -> None:
    days = pd.Series(pd.to_datetime(["2024-01-01", "2024-01-11", None])).astype(f"datetime64[{unit}]")
    hours = pd.Series(pd.to_datetime(["2024-01-01 06:00", "2024-01-01 08:00", None])).astype(f"datetime64[{unit}]")
    new = made(pd.DataFrame({"day": days, "hour": hours}), [0, 0], [1, 2], [0.26, 0.9])
    assert new["day"].dtype == days.dtype
    assert new["day"].iloc[0] == pd.Timestamp("2024-01-04")
    assert new["day"].isna().tolist() == [False, True]
    assert new["hour"].iloc[0] == pd.Timestamp("2024-01-01 06:31:12")


def test_large_whole_numbers_that_were_there_stay_to_the_digit() -> None:
    frame = pd.DataFrame({"big": [2**60 + 1, 2**60 + 3]})
    assert made(frame, [0], [1], [0.5])["big"].dtype == np.int64


def test_categories_are_carried_and_identifiers_are_the_starts() -> None:
    n = 30
    frame = pd.DataFrame(
        {"id": np.arange(n), "color": pd.Series(["red", "blue", None] * 10), "x": np.linspace(0, 1, n)}
    )
    new = made(frame, [3, 4], [5, 6], [0.9, 0.9], [[1], [2]])
    assert new["id"].tolist() == [3, 4]
    assert new["color"].iloc[0] == "blue"
    assert pd.isna(new["color"].iloc[1])


def test_the_most_frequent_category_wins_and_ties_go_to_the_nearest() -> None:
    codes = np.array([0, 1, 1, 2, 2, 0])
    neighbors = np.array([[0, 1, 2], [3, 1, 2], [0, 1, 3], [3, 0, 4]])
    assert codes[most_frequent(codes, neighbors)].tolist() == [1, 1, 0, 2]


def test_standardized_numbers_do_not_depend_on_the_unit_and_raw_ones_keep_their_proportions() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(5, 2, 50), rng.normal(0, 1, 50)
    every = np.arange(50)

    def points(a: np.ndarray, standardize: bool) -> np.ndarray:
        return mixed_rows(rows_of(pd.DataFrame({"x": a, "y": y})), standardize).points(every, every).numbers

    np.testing.assert_allclose(points(x, True), points(1000 * x + 3, True), atol=1e-12)
    np.testing.assert_allclose(points(x, True).std(axis=0), 1)
    raw = points(x, False)
    np.testing.assert_allclose(np.ptp(raw[:, 0]) / np.ptp(raw[:, 1]), np.ptp(x) / np.ptp(y))


def test_the_distance_of_categories_is_the_median_spread_within_the_class() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": rng.normal(size=60), "y": 3 * rng.normal(size=60), "z": rng.normal(size=60), "c": ["a", "b"] * 30}
    )
    rows, own = mixed_rows(rows_of(frame), standardize=True), np.arange(20)
    spread = [frame[name].to_numpy()[own].std() / frame[name].to_numpy().std() for name in "xyz"]
    np.testing.assert_allclose(rows.points(np.arange(60), own).penalty, np.median(spread))
    alone = mixed_rows(rows_of(frame[["c"]]), standardize=True)
    assert alone.points(own, own).penalty == 1


def test_weights_are_interpolated_and_the_rest_is_the_starts() -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0]})
    data = rows_of(frame, weight=np.array([1.0, 3.0]), group=np.array(["p", "q"]), time=np.array([7, 9]))
    pairs = Pairs(np.array([0]), np.array([1]), np.array([0.25]), np.zeros((1, 0), dtype=np.int64))
    after = with_rows_between(mixed_rows(data, standardize=True), [pairs])
    assert after.weights.tolist() == [1, 3, 1.5]
    assert after.group is not None
    assert after.time is not None
    assert (after.group.tolist(), after.time.tolist(), after.ids.tolist()) == (
        ["p", "q", "p"],
        [7, 9, 7],
        ["0", "1", "0"],
    )
