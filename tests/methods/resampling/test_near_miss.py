"""NearMiss: distances by their definition, quotas, and against imbalanced-learn."""

from __future__ import annotations

import numpy as np
import pytest
from imblearn.under_sampling import NearMiss as Referee

from rarebird.methods.resampling import near_miss
from rarebird.methods.resampling._selection import dense, points
from rarebird.methods.resampling.near_miss import NearMiss, mean_distances
from tests.methods.resampling.made_tables import line, plain


@pytest.mark.parametrize("farthest", [False, True])
@pytest.mark.parametrize("neighbors", [1, 3, 20, 50])
def test_mean_distances_keep_their_definition(farthest: bool, neighbors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_miss, "CHUNK", 400)
    train = plain((300, 20))
    where, of, to = dense(points(train)), np.flatnonzero(train.codes == 0), np.flatnonzero(train.codes == 1)
    distance = np.sort(np.linalg.norm(where[of, None] - where[to], axis=-1), axis=1)
    expected = (distance[:, -neighbors:] if farthest else distance[:, :neighbors]).mean(axis=1)
    assert np.allclose(mean_distances(points(train), of, to, neighbors, farthest), expected)


def test_version_1_keeps_the_border_and_version_3_candidates_of_every_rare_row() -> None:
    where, common, rare = line(*range(10), 20, -1, -0.9, 19), np.arange(11), np.arange(11, 14)
    assert NearMiss(neighbors=1).chosen(where, common, rare)[:2].tolist() == [0, 10]
    assert NearMiss(version=2, neighbors=1).chosen(where, common, rare)[:2].tolist() == [9, 8]
    assert sorted(NearMiss(version=3, neighbors=1, candidates=1).chosen(where, common, rare)) == [0, 10]


def test_the_ratio_sets_how_many_stay() -> None:
    train = plain((90, 30, 12))
    for version in (1, 2):
        for ratio, counts in [(1.0, [12, 12, 12]), (2.0, [24, 24, 12]), (20.0, [90, 30, 12])]:
            left = NearMiss(version=version, ratio=ratio)(train, np.random.default_rng(0))  # type: ignore[arg-type]
            assert left.class_counts is not None
            assert left.class_counts.tolist() == counts


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_rows_imbalanced_learn_keeps(seed: int, version: int) -> None:
    train = plain((300, 100, 20), width=4, seed=seed)
    # Version 3 with so many candidates that there are enough: imbalanced-learn warns otherwise.
    referee = Referee(version=version, n_neighbors_ver3=15)
    referee.fit_resample(dense(points(train)), train.codes)
    left = NearMiss(version=version, candidates=15)(train, np.random.default_rng(0))  # type: ignore[arg-type]
    assert left.index.tolist() == sorted(referee.sample_indices_)
