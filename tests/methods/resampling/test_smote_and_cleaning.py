"""SMOTE-Tomek and SMOTE-ENN: SMOTE first, then the cleaner, and against imbalanced-learn's cleaners on the same filled
rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from imblearn.under_sampling import EditedNearestNeighbours as EnnReferee
from imblearn.under_sampling import TomekLinks as TomekReferee

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling._selection import dense, points
from rarebird.methods.resampling.smote import Smote
from rarebird.methods.resampling.smote_enn import SmoteEnn
from rarebird.methods.resampling.smote_tomek import SmoteTomek
from tests.methods.resampling.made_tables import mixed, plain

both = pytest.mark.parametrize("method", [SmoteTomek, SmoteEnn])


def sampled(value: Any, train: Dataset, seed: int = 0) -> Dataset:
    rows: Dataset = value(train, np.random.default_rng(seed))
    return rows


@pytest.mark.parametrize(
    ("value", "referee"),
    [
        (SmoteTomek(), TomekReferee(sampling_strategy="all")),
        (SmoteEnn(), EnnReferee(sampling_strategy="all")),
        (
            SmoteEnn(agreement="mode", cleaning_neighbors=5),
            EnnReferee(sampling_strategy="all", kind_sel="mode", n_neighbors=5),
        ),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_imbalanced_learn_takes_the_same_rows_out_of_the_filled_ones(value: Any, referee: Any, seed: int) -> None:
    train = plain((150, 20), width=4, seed=seed)
    filled = sampled(Smote(), train, seed)
    referee.fit_resample(dense(points(filled)), filled.codes)
    assert sampled(value, train, seed).index.tolist() == sorted(referee.sample_indices_)


@both
def test_separate_classes_are_filled_and_lose_nothing(method: Any) -> None:
    train = plain(apart=100)
    left = sampled(method(), train)
    assert left.class_counts is not None
    assert left.class_counts.tolist() == [90, 90, 90]
    half = sampled(method(ratio=0.5), train)
    assert half.class_counts is not None
    assert half.class_counts.tolist() == [90, 45, 45]


@both
def test_only_common_rows_go_where_real_rare_ones_are_to_be_spared(method: Any) -> None:
    train = plain(apart=0.4)
    left = sampled(method(ratio=0.5, classes="majority"), train)
    assert left.class_counts is not None
    assert left.class_counts.tolist()[1:] == [45, 45]
    assert left.class_counts[0] < 90
    assert set(train.ids[train.codes > 0]) <= set(left.ids)


@both
@pytest.mark.parametrize("counts", [(1,), (5,), (1, 1), (12, 1), (30, 2, 1, 1)])
def test_few_rows_are_survived_and_no_class_is_emptied(method: Any, counts: tuple[int, ...]) -> None:
    left = sampled(method(), plain(counts, width=len(counts), seed=1, apart=0.1))
    assert left.class_counts is not None
    assert left.class_counts.min() >= 1


@both
def test_mixed_columns_and_the_seed(method: Any) -> None:
    train = mixed()
    first, again, other = (sampled(method(), train, seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first.raw(), again.raw())
    assert not first.raw().equals(other.raw())
    assert (first.raw().dtypes == train.raw().dtypes).all()
    # What was there and stayed is as it was.
    stayed = first.index < len(train)
    rows = first.index[stayed]
    pd.testing.assert_frame_equal(
        first.raw()[stayed].reset_index(drop=True), train.raw().iloc[rows].reset_index(drop=True)
    )
    assert np.array_equal(first.weights[stayed], train.weights[rows])


def test_edited_neighbors_take_out_more_than_links() -> None:
    train = plain((200, 40), apart=0.8)
    assert len(sampled(SmoteEnn(), train)) < len(sampled(SmoteTomek(), train)) < len(sampled(Smote(), train))
