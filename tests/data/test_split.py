"""Splits: stratified, grouped, in time order, and the one decision between cross-fitting and a hold-out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarebird.checks import DataError
from rarebird.data.dataset import Dataset, Frame
from rarebird.data.split import decide, fold_of, hold_out


def rows(y: np.ndarray, **fields: object) -> Dataset:
    n = len(y)
    regression = y.dtype.kind == "f"
    return Dataset(
        kind="table",
        task="regression" if regression else "classification",
        source=Frame(pd.DataFrame({"a": np.arange(n)})),
        index=np.arange(n),
        y=y,
        classes=() if regression else tuple(str(code) for code in range(int(y.max()) + 1)),
        ids=np.arange(n).astype(str),
        **fields,  # type: ignore[arg-type]
    )


def skewed(counts: list[int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=6), folds=st.integers(2, 10), seed=st.integers(0, 99))
def test_each_class_is_spread_evenly_over_the_folds(counts: list[int], folds: int, seed: int) -> None:
    y = skewed(counts, seed)
    fold = fold_of(rows(y), folds, seed)
    for code, count in enumerate(counts):
        if count == 1:
            assert (fold[y == code] == -1).all()
        else:
            held = np.bincount(fold[y == code], minlength=folds)
            assert held.max() - held.min() <= 1
            assert held.sum() == count
    sizes = np.bincount(fold[fold >= 0], minlength=folds)
    assert sizes.max() - sizes.min() <= 1


def test_folds_are_a_function_of_the_seed() -> None:
    data = rows(skewed([30, 20, 5]))
    assert (fold_of(data, 5, 3) == fold_of(data, 5, 3)).all()
    assert (fold_of(data, 5, 3) != fold_of(data, 5, 4)).any()


def test_groups_never_straddle_and_classes_stay_spread() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(120), rng.integers(1, 6, 120))
    y = (rng.random(120) < 0.25).astype(int)[group]
    fold = fold_of(rows(y, group=group), 5, 0)
    for one in np.unique(group):
        assert len(np.unique(fold[group == one])) == 1
    shares = np.array([y[fold == place].mean() for place in range(5)])
    assert np.abs(shares - y.mean()).max() < 0.05


def test_a_class_in_one_group_trains_everywhere() -> None:
    group = np.repeat(np.arange(20), 5)
    y = np.where(group == 3, 1, 0)
    fold = fold_of(rows(y, group=group), 4, 0)
    assert (fold[y == 1] == -1).all()
    assert (fold[y == 0] >= 0).all()


def test_a_hold_out_takes_its_share_of_each_class_and_one_row_of_the_smallest() -> None:
    y = skewed([1000, 50, 2, 1])
    held = hold_out(rows(y), 0.2, 0)
    assert np.bincount(y[held], minlength=4).tolist() == [200, 10, 1, 0]


def test_a_grouped_hold_out_takes_whole_groups() -> None:
    group = np.repeat(np.arange(50), 4)
    y = (group % 3 == 0).astype(int)
    held = hold_out(rows(y, group=group), 0.2, 0)
    assert not set(group[held]) & set(group[~held])
    assert 0.12 < held.mean() < 0.28


def test_time_order_holds_out_the_latest_rows() -> None:
    time = np.random.default_rng(0).permutation(100)
    data = rows(skewed([70, 30]), time=time)
    held = hold_out(data, 0.2, 0)
    assert time[held].min() > time[~held].max()
    assert held.sum() == 20
    assert decide(data).folds == 0


def test_one_group_leaves_nothing_to_hold_out() -> None:
    with pytest.raises(DataError, match="too few rows or groups"):
        hold_out(rows(skewed([20, 20]), group=np.zeros(40)), 0.2, 0)


@pytest.mark.parametrize(
    ("counts", "folds"),
    [([100, 30, 2], 10), ([700, 300], 5), ([30_000, 8_000], 0), ([15_000, 6], 5), ([40_000, 6], 0), ([200_000, 6], 0)],
)
def test_few_rows_to_judge_by_are_cross_fitted(counts: list[int], folds: int) -> None:
    protocol = decide(rows(skewed(counts)))
    assert protocol.folds == folds
    assert (protocol.holdout == 0) == (folds > 0)
    assert protocol.reason.endswith(".")


def test_given_validation_rows_are_the_hold_out_and_wishes_are_followed() -> None:
    small, large = rows(skewed([100, 30])), rows(skewed([30_000, 8_000]))
    assert decide(small, val=large).folds == 0
    assert decide(large, folds=3).folds == 3
    assert decide(small, folds=0).holdout > 0
    assert decide(small, holdout=0.3).holdout == 0.3


def test_regression_is_stratified_by_the_target() -> None:
    y = np.random.default_rng(0).lognormal(size=500)
    fold = fold_of(rows(y), 5, 0)
    medians = [np.median(y[fold == place]) for place in range(5)]
    assert max(medians) / min(medians) < 1.15
