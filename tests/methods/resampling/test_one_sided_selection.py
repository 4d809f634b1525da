"""One-sided selection: what is redundant goes, and against imbalanced-learn with the same seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from imblearn.under_sampling import OneSidedSelection as Referee

from rarebird.methods.resampling._selection import dense, points
from rarebird.methods.resampling.one_sided_selection import OneSidedSelection, informative
from tests.methods.resampling.made_tables import dataset, line, plain


def test_rows_that_the_seed_already_tells_right_go() -> None:
    where, codes = line(0, 1, 2, 3.1, 7, 10), np.array([0, 0, 0, 0, 0, 1])
    # The seed at 0 tells all below 5 right; 7 is nearer to the rare row, and then its only neighbor: a link.
    assert informative(where, codes, np.array([5]), np.array([0])).tolist() == [True, False, False, False, False, True]
    assert informative(line(0, 1, 2, 3.1, 7, 10, 6.9), np.append(codes, 0), np.array([5]), np.array([0])).tolist()[
        4:
    ] == [
        True,
        True,
        True,
    ]


def test_another_seed_keeps_other_rows_and_the_same_the_same() -> None:
    train = plain((200, 15), width=2, seed=1)
    kept = [OneSidedSelection()(train, np.random.default_rng(seed)).index.tolist() for seed in (0, 0, 1, 2, 3)]
    assert kept[0] == kept[1]
    assert any(rows != kept[0] for rows in kept[2:])


def test_far_common_rows_go_and_rare_ones_stay() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, 200), rng.normal(100, 1, 10)])
    train = dataset(pd.DataFrame({"x": x}), np.repeat([0, 1], [200, 10]))
    left = OneSidedSelection()(train, rng)
    assert left.class_counts is not None
    assert left.class_counts.tolist() == [1, 10]


@pytest.mark.parametrize("seed", range(6))
def test_the_rows_imbalanced_learn_keeps(seed: int) -> None:
    train = plain((300, 100, 20), width=4, seed=seed)
    draws = np.random.RandomState(seed)
    seeds = [
        np.flatnonzero(train.codes == code)[draws.randint(0, count, size=1)[0]] for code, count in ((0, 300), (1, 100))
    ]
    referee = Referee(random_state=seed)
    referee.fit_resample(dense(points(train)), train.codes)
    rare = np.flatnonzero(train.codes == 2)
    assert np.flatnonzero(informative(points(train), train.codes, rare, np.array(seeds))).tolist() == sorted(
        referee.sample_indices_
    )
