"""Copies within a part, across the split and with two labels; equal rows that chance explains are told apart from
them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Curves, Dataset, Frame, Kind, Pixels, Source
from rarebird.profile import duplicates
from rarebird.profile.duplicates import (
    Duplicates,
    between,
    conflicts,
    duplicate_groups,
    expected_equal_pairs,
    find,
    within,
)


def rows(kind: Kind, source: Source, y: np.ndarray | None = None, prefix: str = "r") -> Dataset:
    n = len(source)
    y = np.zeros(n, np.int64) if y is None else y
    regression = y.dtype.kind == "f"
    classes = () if regression else ("a", "b")
    ids = np.array([f"{prefix}{i}" for i in range(n)])
    return Dataset(kind, "regression" if regression else "classification", source, np.arange(n), y, classes, ids)


def table(frame: pd.DataFrame, y: np.ndarray | None = None, prefix: str = "r") -> Dataset:
    return rows("table", Frame(frame), y, prefix)


def across(train: Dataset, test: Dataset) -> Duplicates:
    """Copies of training rows among the test rows."""
    return between(find([train, test]), train.ids, test.ids)


def numbers(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"x": rng.normal(size=n), "z": 1e4 * rng.normal(size=n), "word": rng.choice(["a", "b", "c"], n)}
    )


def noise(n: int = 100, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 1, 16, 16), dtype=np.uint8)


def curves(n: int = 100, length: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 2, length)).cumsum(axis=2).astype(np.float32)


def same(codes: np.ndarray) -> set[tuple[int, ...]]:
    """Groups of two and more rows."""
    groups = [tuple(np.flatnonzero(codes == code)) for code in np.unique(codes)]
    return {tuple(int(row) for row in group) for group in groups if len(group) > 1}


def test_pictures_exact_and_near():
    pixels = noise()
    darker = (pixels[5] * 0.7).astype(np.uint8)
    data = rows("image", Pixels(np.concatenate([pixels, pixels[3:4], darker[None], pixels[3:4]])))
    assert same(duplicate_groups(data)) == {(3, 100, 102), (5, 101)}
    assert same(duplicate_groups(data, near=False)) == {(3, 100, 102)}
    inside = within(find([data]), data.ids)
    assert (inside.exact, inside.near, inside.chance) == (2, 1, False)
    assert inside.examples == (("r3", "r100"), ("r3", "r102"), ("r5", "r101"))


def test_series_exact_near_and_of_other_lengths():
    values = curves()
    nearly = values[7] + 1e-3 * np.random.default_rng(1).normal(size=(2, 40)).astype(np.float32)
    short = values[8].copy()
    short[:, 30:] = np.nan
    data = rows(
        "series", Curves(np.concatenate([values, values[4:5], nearly[None], short[None]]), np.array([40] * 102 + [30]))
    )
    assert same(duplicate_groups(data)) == {(4, 100), (7, 101)}
    assert same(duplicate_groups(data, near=False)) == {(4, 100)}


def test_long_series_are_searched_on_stretches_and_confirmed_in_full():
    values = curves(60, 900)
    values[1] = values[0] + np.float32(1e-3)
    # The same means over every stretch of four, but another curve in between.
    values[3] = values[2] + np.tile([3, -3, -3, 3], 225).astype(np.float32)
    data = rows("series", Curves(values, np.full(60, 900)))
    assert same(duplicate_groups(data)) == {(0, 1)}


def test_tables_exact_and_near():
    frame = numbers()
    extra = frame.iloc[[2, 3, 4]].copy()
    extra.loc[3, "z"] *= 1 + 1e-9
    extra.loc[4, "word"] = "d"
    data = table(pd.concat([frame, extra], ignore_index=True))
    assert same(duplicate_groups(data)) == {(2, 200), (3, 201)}
    assert same(duplicate_groups(data, near=False)) == {(2, 200)}


def test_missing_values_and_number_types_do_not_hide_a_copy():
    frame = numbers().assign(k=np.random.default_rng(0).choice(10**6, 200, replace=False))
    frame.loc[5, ["x", "word"]] = None
    gap = frame.iloc[[5, 6]].astype({"k": float})
    gap.loc[6, "k"] = np.nan
    assert (
        across(table(frame), table(gap, prefix="t")).exact,
        across(table(frame), table(frame.iloc[[5]][["word", "z", "k", "x"]])).exact,
    ) == (1, 1)


def test_a_column_that_the_model_leaves_out_hides_no_copy():
    """40 of the 200 rows come again, each with a number of its own; of the 10 test rows, 8 are such rows."""
    frame = pd.concat([numbers(), numbers().iloc[:40]], ignore_index=True)
    named = frame.assign(patient_id=np.random.default_rng(1).permutation(9_000)[:240], site="north")
    pairs = {(place, place + 200) for place in range(40)}
    assert same(duplicate_groups(table(named))) == pairs
    test = pd.concat([numbers().iloc[:8], numbers(2, seed=5)]).assign(patient_id=np.arange(10) + 9_000, site="south")
    assert across(table(named), table(test, prefix="t")).exact == 8
    # What tells rows apart for the model tells copies apart.
    assert same(duplicate_groups(table(frame.assign(dose=np.arange(240) % 7)))) == set()


def test_codes_follow_a_permutation():
    frame = pd.concat([numbers(), numbers().iloc[:30]], ignore_index=True)
    order = np.random.default_rng(0).permutation(len(frame))
    assert same(duplicate_groups(table(frame).take(order))) == {
        tuple(sorted((int(np.flatnonzero(order == i)[0]), int(np.flatnonzero(order == i + 200)[0])))) for i in range(30)
    }


def test_across_the_split():
    pixels = noise(80)
    test = np.concatenate([noise(10, seed=9), pixels[[4, 4]], (pixels[5:6] * 0.7).astype(np.uint8)])
    found = across(rows("image", Pixels(pixels)), rows("image", Pixels(test), prefix="t"))
    assert (found.exact, found.near) == (2, 1)
    assert found.examples == (("r4", "t10"), ("r4", "t11"), ("r5", "t12"))
    clean = across(rows("image", Pixels(pixels)), rows("image", Pixels(noise(10, seed=9)), prefix="t"))
    assert (clean.exact, clean.near, clean.examples) == (0, 0, ())


def test_three_parts_are_told_apart():
    pixels = noise(60)
    parts = [rows("image", Pixels(part)) for part in (pixels[:40], pixels[35:45], pixels[44:])]
    found = find(parts)
    assert duplicates.between(found, parts[0].ids, parts[1].ids).exact == 5
    assert duplicates.between(found, parts[0].ids, parts[2].ids, start=50).exact == 0


def test_expected_equal_pairs_is_the_mean_of_random_tables():
    rng = np.random.default_rng(0)
    counted, expected = [], []
    for _ in range(300):
        digests = [rng.integers(0, size, 50) for size in (4, 7, 3)]
        sizes = np.unique(np.stack(digests, axis=1), axis=0, return_counts=True)[1]
        counted.append((sizes * (sizes - 1) / 2).sum())
        expected.append(expected_equal_pairs(digests))
    assert np.mean(counted) == pytest.approx(np.mean(expected), rel=0.05)
    assert expected_equal_pairs([]) == 0


def test_a_table_copied_over_is_no_chance():
    frame = pd.concat([numbers(500)[["x", "z"]]] * 3, ignore_index=True)
    assert len(np.unique(duplicate_groups(table(frame)))) == 500


def test_a_default_row_is_no_copy():
    frame = numbers(500)
    frame.iloc[:101] = [0.0, 0.0, "a"]
    assert len(np.unique(duplicate_groups(table(frame)))) == 500
    assert within(find([table(frame)]), table(frame).ids).exact == 100
    assert len(np.unique(duplicate_groups(table(frame[1:])))) == 400


def test_equal_rows_by_chance_are_reported_but_not_grouped():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": rng.integers(30, 80, 300), "year": rng.integers(58, 70, 300), "nodes": rng.poisson(1, 300)}
    )
    data = table(frame)
    inside = within(find([data]), data.ids)
    assert inside.chance
    assert inside.exact == frame.duplicated().sum() > 0
    assert len(np.unique(duplicate_groups(data))) == 300


def test_label_conflicts():
    frame = pd.concat([numbers(), numbers().iloc[[0, 0, 1]]], ignore_index=True)
    y = np.zeros(203, np.int64)
    y[200] = 1
    data = table(frame, y)
    found = conflicts(find([data]), data)
    # Rows 0, 200 and 201 are equal and at odds; rows 1 and 202 are equal and agree.
    assert found.rows == 3
    assert found.examples == ((("r0", "a"), ("r200", "b")),)
    assert conflicts(find([data]), replace(data, y=np.zeros(203, np.int64))).rows == 0
    soft = np.eye(2)[y]
    assert conflicts(find([data]), replace(data, y=soft)).rows == 3
    values = table(frame, y + 0.5)
    assert conflicts(find([values]), values).examples == ((("r0", "0.5"), ("r200", "1.5")),)


def test_a_long_chain_is_cut_but_its_exact_copies_stay_together():
    exact = np.concatenate([np.arange(150), [0, 1]])
    chain = np.stack([np.arange(149), np.arange(1, 150)], axis=1)
    assert same(duplicates._chained(chain, exact)) == {(0, 150), (1, 151)}
    assert same(duplicates._chained(chain[:99], exact)) == {(*range(100), 150, 151)}


@pytest.mark.parametrize("source", [Pixels(noise(1)), Curves(curves(1), np.array([40])), Frame(numbers(1))])
@pytest.mark.parametrize("n", [0, 1])
def test_one_row_and_none(source, n):
    kind: Kind = "image" if isinstance(source, Pixels) else "series" if isinstance(source, Curves) else "table"
    assert np.array_equal(duplicate_groups(rows(kind, source).take(np.arange(n))), np.arange(n))


@pytest.mark.real_data
def test_real_tables(shared_data):
    def read(name: str) -> Dataset:
        return table(pd.read_csv(shared_data / "tables" / name).drop(columns="target"))

    assert across(read("adult.train.csv"), read("adult.test.csv")).model_dump(include={"exact", "chance"}) == {
        "exact": 22,
        "chance": False,
    }
    assert across(read("haberman.train.csv"), read("haberman.test.csv")).chance
    assert len(np.unique(duplicate_groups(read("mammography.train.csv")))) == 7828
