"""The test for shift: few false alarms on few rows of any kind, and it names the class that comes from elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.data import prepare
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Splits
from rarebird.evaluation.shift import FEWEST, shift_of_given_rows, shifted_classes

CLASSES = ("a", "b", "c")


def table(support: list[int], seed: int, moved: dict[int, float] | None = None, per_group: int = 0) -> Dataset:
    """Numbers with heavy tails, gaps and a column of categories, most of which are in one set only; rows of a class can
    be moved, and rows of a group be alike."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(support)), support)
    values = rng.standard_t(3, (len(y), 3)) + y[:, None]
    group = None
    if per_group:
        group = np.arange(len(y)) // per_group + 10_000 * seed
        values += 1.5 * rng.normal(size=(len(y), 3))[np.arange(len(y)) // per_group]
    for code, distance in (moved or {}).items():
        values[y == code] += distance
    frame = pd.DataFrame(values, columns=["x", "y", "z"])
    frame.loc[rng.random(len(y)) < 0.2, "x"] = np.nan
    frame["kind"] = rng.choice([f"name {place}" for place in range(300)], len(y))
    ids = np.arange(len(y)).astype(str)
    return Dataset("table", "classification", Frame(frame), np.arange(len(y)), y, CLASSES, ids, group=group)


def found(train: Dataset, test: Dataset, seed: int = 0) -> dict[str, Any]:
    prepared, _ = prepare.fit(train, 0)
    return {one.label: one for one in shifted_classes(train, test, prepared, seed)}


@pytest.mark.parametrize(
    ("support", "test_support", "per_group"),
    [([40, 12, 20], [10, 6, 6], 0), ([100, 60, 30], [40, 40, 12], 0), ([120, 160, 160], [60, 80, 80], 8)],
)
def test_a_false_alarm_in_any_class_is_rare(support: list[int], test_support: list[int], per_group: int) -> None:
    alarms = []
    for seed in range(120):
        train = table(support, 2 * seed, per_group=per_group)
        test = table(test_support, 2 * seed + 1, per_group=per_group)
        alarms.append(any(one.p_value <= 0.05 for one in found(train, test, seed).values()))
    assert np.mean(alarms) <= 0.075  # 5 %, and 1.3 standard errors of 120 samples


def test_the_moved_class_is_named_and_no_other() -> None:
    results = found(table([120, 60, 90], 1), table([40, 40, 30], 2, {1: 2.0}))
    assert results["b"].p_value < 0.001
    assert results["b"].auc > 0.8
    assert min(results["a"].p_value, results["c"].p_value) > 0.05


def test_the_p_values_are_corrected_over_the_classes() -> None:
    train, test = table([60, 60, 60], 1), table([20, 20, 20], 2, {1: 1.7})
    all_classes = found(train, test)["b"].p_value
    only_b = found(train.take(train.codes == 1), test.take(test.codes == 1))["b"].p_value
    assert 0 < only_b < 0.05
    assert all_classes == pytest.approx(3 * only_b)


def test_too_few_rows_are_not_tested() -> None:
    results = found(table([60, FEWEST - 1, 60], 1), table([20, 30, FEWEST - 1], 2, {1: 9.0, 2: 9.0}))
    assert set(results) == {"a"}
    grouped = found(table([40, 40, 40], 1, per_group=20), table([40, 40, 40], 2, {1: 9.0}, per_group=20))
    assert grouped == {}
    copied = table([40, 40, 40], 1)
    copied = replace(copied, copies=np.arange(120) // 20)
    assert found(copied, table([40, 40, 40], 2, {1: 9.0})) == {}


def test_columns_that_the_model_leaves_out_are_no_shift() -> None:
    train, test = (
        Dataset(
            "table",
            "classification",
            Frame(table([60, 60, 60], seed).raw().assign(row=[f"{seed}-{place}" for place in range(180)], same=1.0)),
            np.arange(180),
            np.repeat(np.arange(3), 60),
            CLASSES,
            np.arange(180).astype(str),
        )
        for seed in (1, 2)
    )
    assert all(one.p_value > 0.05 for one in found(train, test).values())


def test_pictures_and_series() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 60)

    def pictures(light: int) -> Dataset:
        array = rng.integers(0, 200, (120, 1, 9, 12)).astype(np.uint8)
        array[y == 1] += np.uint8(light)
        return Dataset(
            "image", "classification", Pixels(array), np.arange(120), y, ("a", "b"), np.arange(120).astype(str)
        )

    def series(slope: float) -> Dataset:
        lengths = rng.integers(5, 40, 120)
        values = rng.normal(size=(120, 2, 40)).astype(np.float32)
        values[y == 1] += np.linspace(0, slope, 40, dtype=np.float32)
        values[np.arange(40) >= lengths[:, None, None] + np.zeros((1, 2, 1), dtype=int)] = np.nan
        curves = Curves(values, lengths.astype(np.int64))
        return Dataset("series", "classification", curves, np.arange(120), y, ("a", "b"), np.arange(120).astype(str))

    for same, other in (((pictures(0), pictures(0)), pictures(40)), ((series(0.0), series(0.0)), series(6.0))):
        assert all(one.p_value > 0.05 for one in found(*same).values())
        results = found(same[0], other)
        assert results["b"].p_value < 0.001 < 0.05 < results["a"].p_value


def test_all_rows_of_a_regression_are_one_test() -> None:
    train, test = table([60, 60, 60], 1), table([20, 20, 20], 2, {0: 2.0, 1: 2.0, 2: 2.0})
    values = [
        Dataset("table", "regression", part.source, part.index, np.arange(len(part), dtype=float), (), part.ids)
        for part in (train, test)
    ]
    results = found(values[0], values[1])
    assert set(results) == {""}
    assert results[""].p_value < 0.001


def test_rows_that_were_split_off_are_not_tested() -> None:
    rows = table([60, 60, 60], 1)
    prepared, _ = prepare.fit(rows, 0)
    even = np.arange(180) % 2 == 0
    assert shift_of_given_rows(Splits(rows.take(even), test=rows.take(~even)), prepared, 0) == ()
    assert shift_of_given_rows(Splits(rows), prepared, 0) == ()
    assert len(shift_of_given_rows(Splits(rows, test=table([20, 20, 20], 2)), prepared, 0)) == 3
