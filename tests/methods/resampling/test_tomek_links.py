"""Tomek links: by hand, by their definition, and against imbalanced-learn."""

from __future__ import annotations

import numpy as np
import pytest
from imblearn.under_sampling import TomekLinks as Referee

from rarebird.methods.resampling._selection import dense, points
from rarebird.methods.resampling.tomek_links import TomekLinks, linked
from tests.methods.resampling.made_tables import line, plain


def test_a_link_by_hand() -> None:
    where, codes = line(0, 1, 1.4, 3, 3.1), np.array([0, 0, 1, 1, 1])
    assert linked(where, codes).tolist() == [False, True, True, False, False]
    # Without the row at 1, the one at 0 is linked; a row that is not there is not.
    assert linked(where, codes, np.array([0, 2, 3, 4])).tolist() == [True, False, True, False, False]
    assert not linked(where, codes, np.array([3])).any()


def test_links_keep_their_definition() -> None:
    train = plain(seed=3)
    where, y = dense(points(train)), train.codes
    distance = np.linalg.norm(where[:, None] - where, axis=-1)
    np.fill_diagonal(distance, np.inf)
    nearest = distance.argmin(axis=1)
    assert np.array_equal(
        linked(points(train), y), [nearest[nearest[i]] == i and y[i] != y[nearest[i]] for i in range(len(y))]
    )


def test_equal_rows_of_two_classes_are_a_link() -> None:
    assert linked(line(0, 0, 9), np.array([0, 1, 0])).tolist() == [True, True, False]


def test_both_ends_or_one() -> None:
    train = plain(seed=5)
    found = linked(points(train), train.codes)
    rng = np.random.default_rng(0)
    assert len(TomekLinks(classes="all")(train, rng)) == len(train) - found.sum()
    assert len(TomekLinks()(train, rng)) == len(train) - (found & (train.codes != 2)).sum()
    assert len(TomekLinks(classes="majority")(train, rng)) == len(train) - (found & (train.codes == 0)).sum()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("ours", "theirs"), [("not_minority", "not minority"), ("majority", "majority"), ("all", "all")]
)
def test_the_rows_imbalanced_learn_keeps(seed: int, ours: str, theirs: str) -> None:
    train = plain((300, 100, 20), width=4, seed=seed)
    referee = Referee(sampling_strategy=theirs)
    referee.fit_resample(dense(points(train)), train.codes)
    left = TomekLinks(classes=ours)(train, np.random.default_rng(0))  # type: ignore[arg-type]
    assert left.index.tolist() == sorted(referee.sample_indices_)
