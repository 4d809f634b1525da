"""Cluster centroids: clusters that are there are found, mean rows are means, and against imbalanced-learn with the same
k-means."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from imblearn.under_sampling import ClusterCentroids as Referee
from sklearn.cluster import KMeans

from rarebird.methods.resampling._selection import dense, points
from rarebird.methods.resampling.cluster_centroids import MOST_ITERATIONS, ClusterCentroids, clusters, mean_rows
from tests.methods.resampling.made_tables import dataset, mixed, plain


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_one_row_of_every_kind_stays(voting: str) -> None:
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1, 2], [200, 20, 4])
    frame = pd.DataFrame({"x": np.append(kind * 10, [50, 51, 52]) + rng.normal(0, 0.1, 227)})
    train = dataset(frame, np.append(np.zeros(224, dtype=np.int64), [1, 1, 1]))
    left = ClusterCentroids(voting=voting)(train, rng)  # type: ignore[arg-type]
    assert np.allclose(sorted(left.raw()["x"]), [0, 10, 20, 50, 51, 52], atol=0.4)


def test_a_mean_row_is_the_mean_of_what_is_known() -> None:
    frame = pd.DataFrame(
        {
            "number": [1.0, 3.0, np.nan, 10.0, 20.0],
            "lost": [np.nan, np.nan, np.nan, 1.0, 3.0],
            "whole": [1, 2, 3, 4, 4],
            "city": ["a", "b", "b", None, None],
            "flag": [True, True, False, False, False],
            "when": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-02-01", "2024-02-01"]),
        }
    )
    train = dataset(frame, np.zeros(5, dtype=np.int64), weight=np.array([1.0, 2, 3, 4, 8]))
    mean = mean_rows(train, np.array([0, 0, 0, 1, 1]), np.array([1, 3]))
    expected = {
        "number": [2.0, 15.0],
        "lost": [np.nan, 2.0],
        "whole": [2.0, 4.0],
        "city": ["b", None],
        "flag": [True, False],
    }
    for name, values in expected.items():
        pd.testing.assert_series_equal(mean.raw()[name], pd.Series(values, name=name), check_dtype=False)
    assert mean.raw()["when"].tolist() == [pd.Timestamp("2024-01-02"), pd.Timestamp("2024-02-01")]
    assert mean.weights.tolist() == [2.0, 6.0]
    assert mean.ids.tolist() == ["row 1", "row 3"]


def test_small_classes_stay_and_means_come_after_them() -> None:
    train = mixed()
    left = ClusterCentroids(voting="soft", ratio=2)(train, np.random.default_rng(0))
    assert left.class_counts is not None
    each = train.weighted_counts / [80, 25, 9]
    assert left.class_counts.tolist() == [*np.ceil(2 * 9 * each[2] / each[:2]), 9]
    rare = train.take(np.flatnonzero(train.codes == 2))
    pd.testing.assert_frame_equal(left.raw()[:9], rare.raw(), check_dtype=False)
    assert np.array_equal(left.weights[:9], rare.weights)
    assert left.raw()["number"].notna().all()
    assert set(left.raw()["flag"]) == {True, False}


def test_equal_points_make_fewer_clusters() -> None:
    _, medoids = clusters(np.repeat([[0.0], [1.0]], 10, axis=0), 5, np.random.default_rng(0))
    assert len(medoids) == 2


def test_many_clusters_start_from_drawn_rows() -> None:
    where = np.random.default_rng(0).normal(size=(900, 2))
    cluster, medoids = clusters(where, 300, np.random.default_rng(1))
    assert len(np.unique(cluster)) == len(medoids) == 300
    assert np.array_equal(clusters(where, 300, np.random.default_rng(1))[1], medoids)


@pytest.mark.parametrize("seed", range(3))
def test_the_rows_imbalanced_learn_keeps(seed: int) -> None:
    train = plain((200, 12), width=4, seed=seed)
    draw = int(np.random.default_rng(seed).integers(2**31))
    kmeans = KMeans(n_init=1, max_iter=MOST_ITERATIONS, random_state=draw)
    theirs, _ = Referee(voting="hard", estimator=kmeans).fit_resample(dense(points(train)), train.codes)
    left = ClusterCentroids()(train, np.random.default_rng(seed))
    assert np.array_equal(np.unique(dense(points(train))[left.index], axis=0), np.unique(theirs, axis=0))
