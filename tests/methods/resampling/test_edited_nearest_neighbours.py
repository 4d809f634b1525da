"""Edited nearest neighbours: by hand, limits, and against imbalanced-learn."""

from __future__ import annotations

import numpy as np
import pytest
from imblearn.under_sampling import EditedNearestNeighbours as Referee

from rarebird.methods.resampling._selection import dense, points
from rarebird.methods.resampling.edited_nearest_neighbours import EditedNearestNeighbours, agreeing
from tests.methods.resampling.made_tables import line, plain


def test_by_hand() -> None:
    where, codes, every = line(0, 1, 2.1, 3.3, 9), np.array([0, 0, 0, 1, 1]), np.arange(5)
    assert agreeing(where, codes, every, 1, "all").tolist() == [True, True, True, False, True]
    assert agreeing(where, codes, every, 2, "all").tolist() == [True, True, False, False, False]
    assert agreeing(where, codes, every, 3, "mode").tolist() == [True, True, True, False, False]
    assert agreeing(where, codes, np.array([4, 1]), 2, "all").tolist() == [False, True]
    assert agreeing(line(0), np.array([0]), np.array([0]), 2, "mode").tolist() == [True]


def test_a_tie_that_the_own_class_shares_is_no_disagreement() -> None:
    where, first = line(0, 1, -1.1, 5, 6), np.array([0])
    assert agreeing(where, np.array([1, 0, 1, 2, 2]), first, 2, "mode").all()
    # Whichever code a class has.
    assert agreeing(where, np.array([0, 1, 0, 2, 2]), first, 2, "mode").all()


def test_all_is_stricter_than_mode_and_equal_to_it_for_one_neighbor() -> None:
    train = plain(seed=2)
    where, every = points(train), np.arange(len(train))
    strict, lax, one, only = (
        agreeing(where, train.codes, every, neighbors, agreement)  # type: ignore[arg-type]
        for neighbors, agreement in ((5, "all"), (5, "mode"), (1, "all"), (1, "mode"))
    )
    assert not (strict & ~lax).any()
    assert (lax & ~strict).any()
    assert np.array_equal(one, only)


def test_separate_classes_stay_as_they_are() -> None:
    train = plain(apart=100)
    assert len(EditedNearestNeighbours(classes="all")(train, np.random.default_rng(0))) == len(train)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("agreement", ["all", "mode"])
@pytest.mark.parametrize(
    ("ours", "theirs"), [("not_minority", "not minority"), ("majority", "majority"), ("all", "all")]
)
def test_the_rows_imbalanced_learn_keeps(seed: int, agreement: str, ours: str, theirs: str) -> None:
    # Two classes and three neighbors: there are no ties.
    train = plain((300, 60), width=4, seed=seed)
    referee = Referee(sampling_strategy=theirs, kind_sel=agreement)
    referee.fit_resample(dense(points(train)), train.codes)
    left = EditedNearestNeighbours(agreement=agreement, classes=ours)(train, np.random.default_rng(0))  # type: ignore[arg-type]
    assert left.index.tolist() == sorted(referee.sample_indices_)
