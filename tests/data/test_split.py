"""Splits: stratified, grouped, in time order, and the one decision between cross-fitting and a hold-out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Frame
from rarebird.data.split import (
    FEWEST_BESIDE_WATCHED,
    FEWEST_TRAINED,
    Protocol,
    _nearest_to_share,
    decide,
    fold_of,
    hold_out,
    parts,
    sides,
)


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


def test_a_hold_out_takes_its_share_of_each_class_and_leaves_two_rows_to_train_on() -> None:
    y = skewed([1000, 50, 3, 2, 1])
    held = hold_out(rows(y), 0.2, 0)
    assert np.bincount(y[held], minlength=5).tolist() == [200, 10, 1, 0, 0]
    reason = decide(rows(y), holdout=0.2).reason
    assert reason.endswith("A class gives rows to it only where 2 of its rows remain to train on: 3, 4 give none.")
    assert "only where" not in decide(rows(skewed([1000, 3])), holdout=0.2).reason


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 12, 40])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_tiny_class_keeps_rows_to_train_on_through_all_splits(size: int, grouped: bool) -> None:
    """Test rows, then a hold-out, then rows that are watched while a network trains."""
    y = skewed([400, size])
    data = rows(y, group=np.arange(len(y)) // 2 if grouped else None)
    left = data.take(~hold_out(data, 0.2, 0, "test"))
    left = left.take(~hold_out(left, 0.2, 0))
    learned, watched = sides(left, 0.1, 0, "watched", FEWEST_BESIDE_WATCHED)
    trained = int((left.codes[learned] == 1).sum())
    assert trained >= min(size, FEWEST_TRAINED)
    assert trained >= 0.4 * size
    assert watched.any()
    if size < 10:
        assert not (left.codes[watched] == 1).any()


def test_tiny_classes_alone_are_still_watched() -> None:
    data = rows(skewed([6, 5, 4]))
    learned, watched = sides(data, 0.1, 0, "watched", FEWEST_BESIDE_WATCHED)
    assert np.bincount(data.codes[watched]).tolist() == [1, 1, 1]
    assert (learned == ~watched).all()


@pytest.mark.parametrize("grouped", [False, True])
def test_another_seed_or_purpose_gives_another_hold_out(grouped: bool) -> None:
    y = skewed([150, 50])
    data = rows(y, group=np.arange(200) // 4 if grouped else None)
    first = hold_out(data, 0.2, 0)
    np.testing.assert_array_equal(first, hold_out(data, 0.2, 0))
    assert all((first != hold_out(data, 0.2, seed)).any() for seed in (1, 2, 3))
    assert (first != hold_out(data, 0.2, 0, "test")).any()


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
    assert (decide(large, folds=3).folds, decide(large, folds=3).holdout) == (3, 0)
    assert decide(small, folds=0).holdout > 0
    assert (decide(small, holdout=0.3).folds, decide(small, holdout=0.3).holdout) == (0, 0.3)
    assert decide(rows(skewed([20, 10])), folds=30).folds == 30


def test_regression_is_stratified_by_the_target() -> None:
    y = np.random.default_rng(0).lognormal(size=500)
    fold = fold_of(rows(y), 5, 0)
    medians = [np.median(y[fold == place]) for place in range(5)]
    assert max(medians) / min(medians) < 1.15
    # Twenty rows of each tenth of the values, two of them in each fold.
    fold = fold_of(rows(np.arange(200.0)), 10, 0)
    assert all(np.bincount(fold[at : at + 20], minlength=10).tolist() == [2] * 10 for at in range(0, 200, 20))


def test_each_class_trains_in_each_fold_whatever_the_groups() -> None:
    """Few uneven groups: the deal may put all groups of a class into one fold, whose network would never see it."""
    parted = 0
    for seed in range(250):
        rng = np.random.default_rng(seed)
        sizes = rng.integers(1, 30, rng.integers(3, 9))
        group = np.repeat(np.arange(len(sizes)), sizes)
        shares = rng.dirichlet(np.full(4, 0.3), len(sizes))
        y = np.array([rng.choice(4, p=shares[one]) for one in group])
        data, folds = rows(y, group=group), int(rng.integers(2, 5))
        found = parts(data, Protocol(folds, 0.0, ""), seed)
        parted += len(found) >= 2
        for fit, held in found:
            assert set(y[fit]) == set(y)
            assert not set(group[fit]) & set(group[held])
    assert parted > 100


def test_copies_stay_on_one_side_of_every_split_with_groups_and_without() -> None:
    y, group = np.arange(200) % 2, np.arange(200) // 5
    copies = np.arange(200)
    copies[[7, 23, 150]] = 7
    copies[[40, 111]] = 40
    for known in ({}, {"group": group}):
        data = rows(y, copies=copies, **known)
        for seed in range(20):
            splits = [*parts(data, Protocol(5, 0.0, ""), seed), *parts(data, Protocol(0, 0.2, ""), seed)]
            for fit, held in splits:
                assert not set(copies[fit]) & set(copies[held])
                assert not known or not set(group[fit]) & set(group[held])


def test_a_hold_out_of_few_uneven_groups_is_near_its_share() -> None:
    group = np.repeat([0, 1, 2], [80, 12, 8])
    y = np.arange(100) % 2
    held = hold_out(rows(y, group=group), 0.2, 0)
    assert 0.05 < held.mean() < 0.15


def test_few_regression_rows_are_held_out_by_their_share() -> None:
    for n in (3, 10, 20, 35):
        held = hold_out(rows(np.random.default_rng(0).normal(size=n)), 0.2, 0)
        assert 1 <= held.sum() <= max(1, round(0.25 * n))
    fold = fold_of(rows(np.random.default_rng(0).normal(size=12)), 3, 0)
    assert np.bincount(fold, minlength=3).tolist() == [4, 4, 4]


def test_a_class_that_came_last_is_not_held_out_by_time() -> None:
    y = np.repeat([0, 1, 2], [60, 30, 10])
    held = hold_out(rows(y, time=np.arange(100)), 0.2, 0)
    assert not held[y == 2].any()
    assert held[80:90].all()
    assert held.sum() == 10
    with pytest.raises(DataError, match="only ones of their classes"):
        hold_out(rows(np.repeat([0, 1], [80, 20]), time=np.arange(100)), 0.2, 0)


def test_folds_that_cannot_be_are_refused() -> None:
    for folds in (1, 31):
        with pytest.raises(DataError, match=f"got folds={folds}"):
            decide(rows(skewed([20, 10])), folds=folds)


def test_more_folds_than_groups_leave_the_rest_empty() -> None:
    data = rows(np.arange(30) % 2, group=np.arange(30) // 10)
    found = parts(data, decide(data, folds=5), 0)
    assert len(found) == 3
    held = np.concatenate([held for _, held in found])
    assert sorted(held) == list(range(30))
    for fit, held in found:
        assert not set(fit) & set(held)
        assert len(fit) + len(held) == 30


def test_the_fold_nearest_to_the_share_is_held_out() -> None:
    """Shares of two classes, of 10 and 4 rows, in folds 0 to 3: (.6, 0), (.2, .25), (.2, .75) and none."""
    strata = np.repeat([0, 1], [10, 4])
    fold = np.r_[[0] * 6, 1, 1, 2, 2, 1, 2, 2, 2]
    # For .6, the distances of .300 and .275 are about equal: the first fold is taken.
    assert [_nearest_to_share(fold, strata, share) for share in (0.2, 0.8, 0.6)] == [1, 2, 0]
    assert _nearest_to_share(np.where(fold == 1, -1, fold), strata, 0.2) == 0
    assert _nearest_to_share(np.full(14, -1), strata, 0.2) == -2
    assert _nearest_to_share(np.where(fold == 0, 5, fold), strata, 0.2) == 1


def test_a_grouped_hold_out_takes_its_share_of_each_class() -> None:
    """Groups of one class each, the rare one in few: without strata they would be dealt by their size alone."""
    group = np.repeat(np.arange(60), 5)
    y = (group < 10).astype(int)
    for seed in range(8):
        held = hold_out(rows(y, group=group), 0.2, seed)
        assert np.bincount(y[held]).tolist() == [50, 10]
        assert held.sum() == 60
        half = hold_out(rows(y, group=group), 0.5, seed)
        assert np.bincount(y[half]).tolist() == [125, 25]


def test_a_grouped_hold_out_leaves_two_rows_of_each_class_that_it_takes() -> None:
    """Where a class would keep fewer, its groups are not held out, and those of other classes are."""
    taken = spared = 0
    for seed in range(120):
        draw = np.random.default_rng(seed)
        group = np.r_[np.repeat(np.arange(30), 4), np.repeat([100, 101], draw.integers(1, 4, 2))]
        y = np.where(group < 100, group % 2, 2)
        held = hold_out(rows(y, group=group), 0.25, seed)
        assert held.any()
        assert not set(group[held]) & set(group[~held])
        for code in range(3):
            own = held[y == code]
            taken += code == 2 and bool(own.any())
            spared += code == 2 and not own.any()
            assert not own.any() or (~own).sum() >= FEWEST_TRAINED
    assert taken > 10
    assert spared > 10


def test_a_grouped_regression_is_held_out_by_whole_groups_near_the_share() -> None:
    group = np.repeat(np.arange(40), 5)
    held = hold_out(rows(np.random.default_rng(0).normal(size=200) + group, group=group), 0.2, 0)
    assert not set(group[held]) & set(group[~held])
    assert 0.15 <= held.mean() <= 0.25


def test_classes_of_two_rows_alone_give_one_each_and_another_seed_gives_others() -> None:
    data = rows(np.repeat([0, 1, 2], 2))
    found = [sides(data, 0.2, seed, "watched", FEWEST_BESIDE_WATCHED)[1] for seed in range(6)]
    assert all(np.bincount(data.codes[held]).tolist() == [1, 1, 1] for held in found)
    assert len({tuple(held) for held in found}) > 1
    purposes = [
        sides(data, 0.2, 0, name, FEWEST_BESIDE_WATCHED)[1] for name in ("test", "watched", "hold-out", "halves")
    ]
    assert len({tuple(held) for held in purposes}) > 1


SENTENCES = [
    ({}, [60, 40], {"val": [3, 4]}, "The 7 given validation rows are the hold-out and never join training."),
    (
        {"folds": 4},
        [60, 40],
        {},
        "4-fold cross-fitting, as the recipe asks: each network is judged on the part of the rows that it was not "
        "trained on.",
    ),
    (
        {"holdout": 0.25},
        [60, 40],
        {},
        "25% of the training rows are held out, as the recipe asks, and never trained on.",
    ),
    (
        {"holdout": 0.25},
        [60, 2, 40],
        {},
        "25% of the training rows are held out, as the recipe asks, and never trained on. A class gives rows to it "
        "only where 2 of its rows remain to train on: 1 gives none.",
    ),
    (
        {"holdout": 0.25},
        [60, 2, 40, 0, 1],
        {},
        "25% of the training rows are held out, as the recipe asks, and never trained on. A class gives rows to it "
        "only where 2 of its rows remain to train on: 1, 4 give none.",
    ),
    (
        {},
        [60, 40],
        {},
        "10-fold cross-fitting, because rows are few (100 rows, 40 in the smallest class): each network is judged on "
        "the part of the rows that it was not trained on.",
    ),
    ({"folds": 0}, [60, 40], {}, "20% of the 100 training rows are held out (stratified) and never trained on."),
    ({}, [2000, 999], {}, "15% of the 2999 training rows are held out (stratified) and never trained on."),
    (
        {},
        [1500, 1500],
        {"time": True},
        "15% of the 3000 training rows are held out (the latest in time) and never trained on.",
    ),
]


@pytest.mark.parametrize(("asked", "counts", "more", "sentence"), SENTENCES)
def test_the_protocol_says_in_a_sentence_what_was_decided(
    asked: dict[str, Any], counts: list[int], more: dict[str, Any], sentence: str
) -> None:
    y = skewed(counts)
    train = rows(y, time=np.arange(len(y)) if more.get("time") else None)
    val = rows(skewed(more["val"])) if "val" in more else None
    assert decide(train, val, **asked).reason == sentence


def test_the_protocol_of_a_regression_knows_no_classes() -> None:
    few, many = (rows(np.linspace(0, 1, n)) for n in (100, 30_000))
    assert decide(few) == Protocol(
        10,
        0.0,
        "10-fold cross-fitting, because rows are few (100 rows): each network is judged on the part of the rows that "
        "it was not trained on.",
    )
    assert decide(many) == Protocol(
        0, 0.1, "10% of the 30000 training rows are held out (stratified) and never trained on."
    )
    assert decide(few, holdout=0.3).reason.endswith("never trained on.")


@pytest.mark.parametrize(
    ("counts", "kind", "folds", "holdout"),
    [
        ([499], "table", 10, 0), ([500], "table", 5, 0), ([2499], "table", 5, 0), ([2500], "table", 0, 0.15),
        ([19_501, 499], "table", 5, 0), ([19_502, 499], "table", 0, 0.1), ([4500, 500], "table", 0, 0.1),
        ([300, 200], "image", 5, 0), ([301, 200], "image", 0, 0.2), ([1999], "image", 0, 0.2),
        ([2000], "image", 0, 0.15), ([4999], "image", 0, 0.15), ([5000], "image", 0, 0.1), ([6], "table", 6, 0),
    ],
)  # fmt: skip
def test_limits_of_the_protocol(counts: list[int], kind: str, folds: int, holdout: float) -> None:
    protocol = decide(replace(rows(skewed(counts)), kind=kind))
    assert (protocol.folds, protocol.holdout) == (folds, holdout)


def test_few_groups_give_few_folds_and_one_group_a_hold_out() -> None:
    for groups, folds in ((3, 3), (2, 2), (1, 0)):
        assert decide(rows(skewed([60, 40]), group=np.arange(100) % groups)).folds == folds
