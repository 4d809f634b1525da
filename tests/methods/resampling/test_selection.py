"""Rows as points: distances, gaps, columns that count for nothing; which classes are cleaned, and that none is
emptied."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.methods.resampling import _selection
from tests.methods.resampling.made_tables import dataset, plain


def places(train: Dataset) -> np.ndarray:
    return _selection.dense(_selection.points(train))


def test_numbers_are_standardized_and_nothing_else_is_done_to_them() -> None:
    train = plain()
    raw = train.raw().to_numpy()
    assert np.allclose(places(train), (raw - raw.mean(axis=0)) / raw.std(axis=0))


def test_two_categories_and_a_gap_are_one_standard_deviation_apart() -> None:
    frame = pd.DataFrame({"city": ["a", "b", "c", None] * 6, "number": [1.0, 1, 1, 1, np.nan, 1, 1, 1] * 3})
    found = places(dataset(frame, np.arange(24) % 2))
    distances = np.linalg.norm(found[:, None] - found, axis=-1)
    different = (np.arange(24)[:, None] - np.arange(24)) % 4 != 0
    gap = np.arange(24) % 8 == 4
    same_gap = gap[:, None] == gap
    assert np.allclose(distances[different & same_gap], 1)
    assert np.allclose(distances[~different & same_gap], 0)
    assert np.allclose(distances[~different & ~same_gap], 1)


def test_rare_categories_share_an_axis() -> None:
    frame = pd.DataFrame({"city": [f"city {place % 150}" for place in range(300)], "number": np.arange(300) % 7.0})
    found = places(dataset(frame, np.arange(300) % 2))
    assert found.shape == (300, 1 + _selection.MOST_AXES)


def test_identifiers_and_constants_count_for_nothing() -> None:
    train = plain()
    frame = train.raw().assign(row_id=np.arange(len(train)), constant=1.0)
    found = places(dataset(frame, train.codes))
    assert np.array_equal(found[:, :3], places(train))
    assert not found[:, 3:].any()


def test_a_column_of_infinities_and_gaps_is_survived() -> None:
    frame = pd.DataFrame({"odd": [np.inf, np.nan] * 15, "number": np.arange(30) % 7.0})
    assert np.isfinite(places(dataset(frame, np.arange(30) % 2))).all()


@pytest.mark.parametrize(
    ("classes", "cleaned"),
    [
        ("not_minority", [True, True, False, False, False]),
        ("majority", [True, False, False, False, False]),
        ("all", [True, True, True, False, True]),
    ],
)
def test_which_classes_are_cleaned(classes: _selection.Classes, cleaned: list[bool]) -> None:
    codes = np.repeat([0, 1, 2, 4], [9, 5, 2, 2])
    assert _selection.cleaned_classes(codes, np.ones(len(codes)), classes).tolist() == cleaned


def test_balanced_classes_are_left_alone() -> None:
    codes = np.repeat([0, 1], 5)
    assert not _selection.cleaned_classes(codes, np.ones(len(codes)), "not_minority").any()
    assert not _selection.cleaned_classes(codes, np.ones(len(codes)), "majority").any()


def test_no_class_is_emptied() -> None:
    train = plain()
    keep = train.codes == 0
    keep[np.flatnonzero(keep)[:10]] = False
    left = _selection.kept(train, keep)
    assert left.class_counts is not None
    assert left.class_counts.tolist() == [80, 30, 12]


def test_quotas_follow_the_smallest_class() -> None:
    assert _selection.quotas(np.repeat([0, 2, 3], [9, 5, 2]), np.ones(16), 1.0).tolist() == [2, 0, 2, 2]
    assert _selection.quotas(np.repeat([0, 2, 3], [9, 5, 2]), np.ones(16), 2.4).tolist() == [5, 0, 5, 2]


def test_regression_is_refused() -> None:
    with pytest.raises(DataError, match="numerical target, but the resampling 'near_miss' is for classes"):
        _selection.class_codes(dataset(pd.DataFrame({"x": [1.0, 2.0]}), np.array([0.5, 1.5])), "near_miss")
