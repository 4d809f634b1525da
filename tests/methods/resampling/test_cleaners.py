"""What holds for every method that only takes rows out: each row is one that came, whole; no class is emptied; few rows
are survived."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Dataset
from rarebird.slots import methods
from rarebird.slots.methods import Method
from tests.methods.resampling.made_tables import dataset, mixed, plain

NAMES = ("tomek_links", "edited_nearest_neighbours", "near_miss", "one_sided_selection", "cluster_centroids")
VALUES = [
    value
    for name in NAMES
    for value in methods.load("resampling", name).examples()
    if getattr(value, "voting", "hard") == "hard"
]

every_value = pytest.mark.parametrize("value", VALUES, ids=repr)


def sampled(value: Method, train: Dataset, seed: int = 0) -> Dataset:
    method: Any = value
    rows: Dataset = method(train, np.random.default_rng(seed))
    return rows


@every_value
def test_rows_stay_whole_and_in_their_order(value: Method) -> None:
    train = mixed()
    left = sampled(value, train)
    place = {name: number for number, name in enumerate(train.ids)}
    rows = np.array([place[name] for name in left.ids])
    assert (np.diff(rows) > 0).all()
    assert len(rows) < len(train)
    pd.testing.assert_frame_equal(left.raw(), train.raw().iloc[rows].reset_index(drop=True))
    for part in ("y", "weight", "group"):
        assert np.array_equal(getattr(left, part), getattr(train, part)[rows])
    assert left.source is train.source


@every_value
def test_the_smallest_class_keeps_its_rows_and_no_class_is_emptied(value: Method) -> None:
    for seed in range(3):
        train = plain((60, 20, 7, 7, 3), width=5, seed=seed, apart=0.3)
        left = sampled(value, train, seed)
        assert left.class_counts is not None
        assert left.class_counts.min() >= 1
        if getattr(value, "classes", "") != "all":
            assert left.class_counts[4] == 3


@every_value
@pytest.mark.parametrize("counts", [(1,), (1, 1), (5,), (2, 1), (12, 1), (30, 2, 1, 1)])
def test_few_rows_are_survived(value: Method, counts: tuple[int, ...]) -> None:
    left = sampled(value, plain(counts, width=len(counts), seed=1))
    assert left.class_counts is not None
    assert left.class_counts.min() >= 1


@every_value
def test_rows_that_are_all_alike_are_survived(value: Method) -> None:
    frame = pd.DataFrame({"x": [0.0] * 20 + [1.0], "y": [0.0] * 21})
    left = sampled(value, dataset(frame, np.array([0] * 15 + [1] * 6)))
    assert left.class_counts is not None
    assert left.class_counts.min() >= 1


@every_value
def test_classes_without_rows_and_soft_targets(value: Method) -> None:
    train = plain()
    soft = np.eye(4)[np.array([0, 2, 3])[train.codes]] * 0.9 + 0.025
    left = sampled(value, dataset(train.raw(), soft))
    hard = sampled(value, train)
    assert left.ids.tolist() == hard.ids.tolist()
    assert left.y is not None
    assert left.y.shape == (len(left), 4)


@every_value
def test_scale_and_order_of_the_columns_do_not_matter(value: Method) -> None:
    train = plain(width=4)
    frame = train.raw()
    other = dataset((frame * [1, 1000, 0.01, 3] + [0, 5, 1, -7])[frame.columns[::-1]], train.codes)
    first, second = sampled(value, train), sampled(value, other)
    # k-means sums in another order, and so may end elsewhere.
    assert len(first) == len(second)
    if type(value).name != "cluster_centroids":
        assert first.ids.tolist() == second.ids.tolist()


@every_value
def test_the_rows_given_are_left_as_they_were(value: Method) -> None:
    train = mixed()
    before = {field.name: getattr(train, field.name) for field in dataclasses.fields(train)}
    frame = train.raw()
    sampled(value, train)
    assert all(getattr(train, name) is value for name, value in before.items())
    pd.testing.assert_frame_equal(train.raw(), frame)
