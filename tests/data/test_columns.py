"""Identifiers are found, and no measurement is lost for being different in every row."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from rarebird.data.columns import constant_columns, identifier_columns


def shuffled(values, seed=0):
    return np.random.default_rng(seed).permutation(np.asarray(values))


IDENTIFIERS = {
    "numbering": ("n", shuffled(np.arange(300))),
    "part of a numbering": ("n", np.random.default_rng(0).choice(430, 300, replace=False)),
    "named": ("patient_id", np.random.default_rng(0).choice(10**9, 300, replace=False)),
    "named in camel case": ("PassengerId", np.random.default_rng(0).choice(10**9, 300, replace=False)),
    "named in Chinese": ("患者编号", np.random.default_rng(0).choice(10**9, 300, replace=False)),
    "rising": ("n", np.cumsum(np.random.default_rng(0).integers(1, 10**6, 300))),
    "names": ("who", [f"Person {i}, born {i % 7}" for i in range(300)]),
    "names, one twice": ("who", [f"Person {max(i, 1)}" for i in range(300)]),
    "hashes": ("hash", [f"{i * 2654435761 % 2**32:08x}g" for i in range(300)]),
    "names, some missing": ("who", [None if i % 3 == 0 else f"Person {i}" for i in range(300)]),
}
MEASUREMENTS = {
    "continuous": ("x", np.random.default_rng(0).normal(size=300)),
    "whole floats": ("id", np.arange(300.0)),
    "sparse whole numbers": ("fnlwgt", np.random.default_rng(0).choice(10**6, 300, replace=False)),
    "years": ("year", np.arange(1723, 2023)),
    "booleans": ("row", np.arange(300) % 2 == 0),
    "dates": ("when", pd.date_range("2020-01-01", periods=300)),
    "dates as text": ("when", pd.date_range("2020-01-01", periods=300).astype(str)),
    "numbers as text": ("x", [f"{i / 7:.5f}" for i in range(300)]),
    "categories": ("color", ["red", "green", "blue"] * 100),
    "repeated identifiers": ("patient_id", np.arange(300) // 2),
    "numbers with gaps": ("n", pd.array([None, *range(1, 300)], dtype="Int64")),
}


@pytest.mark.parametrize("case", IDENTIFIERS)
def test_identifiers(case):
    name, values = IDENTIFIERS[case]
    found = identifier_columns(pd.DataFrame({name: values, "x": np.random.default_rng(1).normal(size=300)}))
    assert list(found) == [name]
    assert len(found[name].split()) > 3


@pytest.mark.parametrize("case", MEASUREMENTS)
def test_measurements(case):
    name, values = MEASUREMENTS[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert identifier_columns(pd.DataFrame({name: values})) == {}


@pytest.mark.parametrize("seed", range(50))
def test_no_whole_number_of_a_small_table_is_lost_by_accident(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"length": np.sort(rng.choice(200, 25, replace=False)), "weight": rng.choice(60, 25, replace=False)}
    )
    assert identifier_columns(frame) == {}


def test_under_twenty_rows_nothing_is_found():
    frame = pd.DataFrame({"id": range(19), "who": [f"Person {i}" for i in range(19)]})
    assert identifier_columns(frame) == {}
    assert list(
        identifier_columns(pd.concat([frame, pd.DataFrame({"id": [19], "who": ["Person 19"]})], ignore_index=True))
    ) == [
        "id",
        "who",
    ]


def test_constant_columns():
    frame = pd.DataFrame(
        {
            "one": [1, 1, 1],
            "empty": [np.nan] * 3,
            "gap": [1, np.nan, 1],
            "word": ["a"] * 3,
            "two": [1, 2, 1],
            "none": [None, None, None],
        }
    )
    assert constant_columns(frame) == ["one", "empty", "word", "none"]
    assert constant_columns(frame[:0]) == []


@pytest.mark.real_data
def test_real_tables_lose_no_column_but_the_constant_one(shared_data):
    paths = sorted((shared_data / "tables").glob("*.train.csv"))
    assert len(paths) >= 5
    for path in paths:
        frame = pd.read_csv(path).drop(columns="target")
        assert identifier_columns(frame) == {}, path.name
        assert constant_columns(frame) == (["c22"] if path.name.startswith("oil-spill") else []), path.name
