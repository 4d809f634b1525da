"""The contract of resampling: rows keep their types, gaps, weights and groups; no class is lost; the rows given are
untouched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.data import prepare
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels
from rarebird.slots import methods

# Methods that keep every row and fill each class up to `ratio` of the largest.
OVER = ("random_over", "smote", "borderline_smote", "adasyn")
CASES = [
    pytest.param(value, id=f"{name}-{place}")
    for name in methods.names("resampling")
    for place, value in enumerate(methods.load("resampling", name).examples())
]
OVER_CASES = [case for case in CASES if case.values[0].name in OVER]  # type: ignore[attr-defined]
OTHER_KINDS = [
    (name, kind)
    for name in methods.names("resampling")
    for kind in methods.kinds("resampling", name)
    if kind != "table"
]
every_method = pytest.mark.parametrize("method", CASES)
every_over_sampler = pytest.mark.parametrize("method", OVER_CASES)
COUNTS = (60, 25, 9)


def table(counts: tuple[int, ...] = COUNTS, **known: Any) -> Dataset:
    """Numbers with gaps, whole numbers, dates, categories with gaps, truth values; weights and groups."""
    rng = np.random.default_rng(3)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    n = len(y)
    frame = pd.DataFrame(
        {
            "number": rng.normal(y, 1.0),
            "gaps": np.where(rng.random(n) < 0.2, np.nan, rng.normal(100 * y, 60)),
            "whole": rng.integers(0, 9, n),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D"),
            "city": pd.Series(rng.choice(np.array(["北京", "Zürich", None], dtype=object), n)),
            "flag": rng.random(n) < 0.3 + 0.2 * y,
        }
    )
    given = {"weight": rng.uniform(0.5, 2, n), "group": rng.integers(0, 7, n).astype(str)} | known
    ids = np.array([f"row {place}" for place in range(n)], dtype=object)
    classes = tuple(f"class {code}" for code in range(len(counts)))
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, classes, ids, **given)


def sampled(method: Any, train: Dataset, seed: int = 0) -> Dataset:
    result: Dataset = method(train, np.random.default_rng(seed))
    return result


def same_rows(first: Dataset, second: Dataset) -> bool:
    known = all(np.array_equal(getattr(first, part), getattr(second, part)) for part in ("y", "weight", "group", "ids"))
    return known and first.raw().equals(second.raw())


def test_the_over_samplers_are_in_the_folder() -> None:
    assert {*OVER, "random_under"} <= set(methods.names("resampling"))


@every_method
def test_values_are_refused_by_a_sentence(method: Any) -> None:
    train = table()
    numeric = replace(train, task="regression", y=train.y.astype(float), classes=())  # type: ignore[union-attr]
    # A method of two steps is refused by its first.
    with pytest.raises(DataError, match=r"numerical target, but the resampling '\w+' is for classes"):
        sampled(method, numeric)


@every_method
def test_same_seed_same_rows(method: Any) -> None:
    assert same_rows(sampled(method, table(), seed=4), sampled(method, table(), seed=4))


@pytest.mark.parametrize("method", [case for case in CASES if case.values[0].name in (*OVER, "random_under")])  # type: ignore[attr-defined]
def test_other_seed_other_rows(method: Any) -> None:
    assert not same_rows(sampled(method, table(), seed=4), sampled(method, table(), seed=5))


@every_method
def test_the_rows_given_are_untouched(method: Any) -> None:
    train = table()
    sampled(method, train)
    assert same_rows(train, table())


@every_method
def test_no_class_is_lost(method: Any) -> None:
    after = sampled(method, table()).class_counts
    assert after is not None
    assert (after > 0).all()


@every_method
def test_a_class_of_one_row_works_or_is_refused_kindly(method: Any) -> None:
    train = table((40, 12, 1))
    if method.name == "imbalanced_learn" and "SMOTE" in method.sampler:
        with pytest.raises(DataError, match="smallest class 'class 2' has 1 row:"):
            sampled(method, train)
        return
    after = sampled(method, train).class_counts
    assert after is not None
    assert (after > 0).all()


@every_method
def test_one_class_alone_stays_as_it_is(method: Any) -> None:
    train = table((30,))
    assert same_rows(sampled(method, train), train)


@every_method
def test_columns_keep_their_names_and_types(method: Any) -> None:
    train = table()
    before, after = train.raw(), sampled(method, train).raw()
    assert list(after.columns) == list(before.columns)
    for name in before.columns:
        # The mean of whole numbers may be none.
        mean = before[name].dtype.kind == "i" and after[name].dtype.kind == "f" and method.name == "cluster_centroids"
        assert mean or after[name].dtype == before[name].dtype


@every_method
def test_categories_and_gaps_survive(method: Any) -> None:
    train = table()
    before, after = train.raw(), sampled(method, train).raw()
    for name in ("city", "flag"):
        assert set(after[name].dropna()) <= set(before[name].dropna())
    assert after["city"].isna().any()
    assert after["gaps"].isna().any()
    for name in ("number", "gaps", "whole", "when"):
        assert after[name].min() >= before[name].min()
        assert after[name].max() <= before[name].max()


@every_method
def test_weights_and_groups_travel(method: Any) -> None:
    train = table()
    after = sampled(method, train)
    assert train.weight is not None
    assert train.group is not None
    assert after.weight is not None
    assert after.group is not None
    assert set(after.group) <= set(train.group)
    for code in range(train.n_classes):
        own, new = train.weight[train.codes == code], after.weight[after.codes == code]
        assert own.min() - 1e-12 <= new.min()
        assert new.max() <= own.max() + 1e-12


@every_method
def test_rows_can_be_prepared_as_the_natural_ones_are(method: Any) -> None:
    train = table()
    after = sampled(method, train)
    prepared, _ = prepare.fit(train)
    assert all(len(part) == len(after) for part in prepared.inputs(after).values())
    assert len(prepared.targets(after)) == len(after)


@every_method
def test_part_of_a_source_is_all_that_is_seen(method: Any) -> None:
    whole = table()
    rows = np.random.default_rng(0).permutation(len(whole))[:70]
    part = whole.take(rows)
    alone = replace(part, source=Frame(part.raw()), index=np.arange(len(part)))
    assert same_rows(sampled(method, part), sampled(method, alone))


@every_over_sampler
def test_over_samplers_keep_every_row_first(method: Any) -> None:
    train = table()
    after = sampled(method, train)
    assert same_rows(after.take(np.arange(len(train))), train)


@every_over_sampler
@pytest.mark.parametrize("counts", [COUNTS, (40, 12, 1), (30, 2, 3), (20, 20)])
def test_over_samplers_fill_each_class_as_asked(method: Any, counts: tuple[int, ...]) -> None:
    asked = np.rint(method.ratio * max(counts)).astype(int)
    after = sampled(method, table(counts, weight=None))
    np.testing.assert_array_equal(after.class_counts, np.maximum(counts, asked))


@every_over_sampler
def test_over_samplers_fill_each_class_by_the_rows_that_its_rows_count_for(method: Any) -> None:
    """60 rows of weight 1, 25 of weight 4 and 9 of weight 2 are 60, 100 and 18 rows."""
    each = np.array([1.0, 4.0, 2.0])
    after = sampled(method, table(weight=each[table().codes]))
    asked = np.maximum([60, 100, 18], method.ratio * 100)
    assert (np.abs(after.weighted_counts - asked) <= each / 2).all()


@pytest.mark.parametrize("name", ["random_under", "near_miss", "cluster_centroids"])
@pytest.mark.parametrize("ratio", [1.0, 3.0])
def test_under_samplers_cut_each_class_by_the_rows_that_its_rows_count_for(name: str, ratio: float) -> None:
    """60 rows of weight 1, 25 of weight 4 and 9 of weight 8 are 60, 100 and 72 rows."""
    each = np.array([1.0, 4.0, 8.0])
    method = methods.build("resampling", {"name": name, "ratio": ratio})
    after = sampled(method, table(weight=each[table().codes]))
    left = np.minimum([60, 100, 72], ratio * 60)
    assert (after.weighted_counts - left >= -1e-9).all()
    assert (after.weighted_counts - left < each).all()


@pytest.mark.parametrize("name", ["tomek_links", "edited_nearest_neighbours", "one_sided_selection"])
def test_the_largest_and_smallest_class_are_found_by_the_rows_that_their_rows_count_for(name: str) -> None:
    """Only the second class loses rows, which has the largest weight, but not the most rows."""
    each = np.array([1.0, 4.0, 2.0])
    method = methods.build("resampling", {"name": name, "classes": "majority"})
    after = sampled(method, table(weight=each[table().codes]))
    assert after.class_counts is not None
    assert after.class_counts[[0, 2]].tolist() == [60, 9]
    assert after.class_counts[1] < 25


@every_over_sampler
def test_soft_targets_stay_probabilities(method: Any) -> None:
    train = table()
    soft = 0.9 * np.eye(3)[train.codes] + 0.1 / 3
    after = sampled(method, replace(train, y=soft))
    assert after.y is not None
    assert after.y.shape[1] == 3
    np.testing.assert_allclose(after.y.sum(axis=1), 1)
    np.testing.assert_array_equal(after.class_counts, sampled(method, train).class_counts)


@every_over_sampler
def test_neutral_changes_nothing(method: Any) -> None:
    train = table()
    assert sampled(type(method).neutral(), train) is train


@pytest.mark.parametrize(("name", "kind"), OTHER_KINDS)
def test_pictures_and_series_are_taken_and_not_copied(name: str, kind: str) -> None:
    rng, y = np.random.default_rng(0), np.repeat([0, 1], [20, 4])
    pixels, curves = rng.integers(0, 255, (24, 1, 8, 8), dtype=np.uint8), rng.normal(size=(24, 1, 9)).astype(np.float32)
    source = Pixels(pixels) if kind == "image" else Curves(curves, np.full(24, 9))
    train = Dataset(kind, "classification", source, np.arange(24), y, ("a", "b"), np.arange(24).astype(str))  # type: ignore[arg-type]
    after = sampled(methods.load("resampling", name)(), train)
    assert after.source is source
    np.testing.assert_array_equal(after.codes, y[after.index])
    assert after.class_counts is not None
    assert after.class_counts[0] == after.class_counts[1]
