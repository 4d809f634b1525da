"""Replace the rows of each common class by cluster centers, or by the rows nearest to them.

Yen and Lee, "Cluster-based under-sampling approaches for imbalanced data distributions" (Expert Systems with
Applications 2009). The rows of a common class are clustered by k-means (Lloyd 1982) into as many clusters as it should
keep rows; ``voting="hard"`` keeps the row nearest to each center, ``soft`` makes a new row: the means of the cluster's
known numbers and its most frequent categories.

Tables only: the mean of pictures is no picture, and that of unaligned curves no curve.

*Helps when* a common class has few kinds of rows, each of them many times: every kind stays, where `random_under` keeps
the frequent ones.
*Does not help when* probabilities matter (unusual rows count as much as frequent kinds), or few rows of a class without
clusters should stay.
*Cost:* k-means on each common class, with as many clusters as rows are kept: seconds up to some thousand clusters, a
minute for ten thousand; `random_under` takes none.

NOTE[DIFF]: ``hard`` is the default, so that every row is a real one, and with `ratio` more than one row may stay for
each row of the smallest class. Above 256 clusters k-means starts from random rows and not from k-means++, whose time
grows with the square of the number of clusters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from rarebird.data.concatenation import concat
from rarebird.data.dataset import Dataset, Frame
from rarebird.methods.resampling import _selection
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Sampling
from rarebird.slots.ranges import Choice, Float

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("table",)
MOST_SPREAD_STARTS, MOST_ITERATIONS = 256, 30


class ClusterCentroids(Method):
    """Settings.

    Attributes:
        voting: ``hard`` keeps the row nearest to each center, ``soft`` makes the mean row of each cluster.
        ratio: Largest number of rows that a class keeps, as a multiple of the smallest class's.
    """

    sampling: ClassVar[Sampling] = "under-sampling"

    voting: Annotated[Literal["hard", "soft"], Choice("hard", "soft")] = "hard"
    ratio: Annotated[float, Float(1, 20, log=True)] = Field(default=1.0, ge=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; mean rows; four rows of a class for each row of the smallest."""
        return [cls(), cls(voting="soft"), cls(ratio=4)]

    @property
    def makes_rows(self) -> bool:
        """Whether rows of the result are none of the given rows."""
        return self.voting == "soft"

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows of small classes, and one row for each cluster of the common classes."""
        codes = _selection.class_codes(train, "cluster_centroids")
        return self.resampled(train, _selection.quotas(codes, train.weights, self.ratio), rng)

    def resampled(self, train: Dataset, wanted: np.ndarray, rng: np.random.Generator) -> Dataset:
        """`wanted` ``(n_classes,)`` rows of each class, one for each cluster."""
        codes = _selection.class_codes(train, "cluster_centroids")
        common = np.flatnonzero(np.bincount(codes) > wanted)
        if not len(common):
            return train
        points = _selection.dense(_selection.points(train))
        keep = ~np.isin(codes, common)
        made: list[Dataset] = []
        for code in common:
            rows = np.flatnonzero(codes == code)
            cluster, medoids = clusters(points[rows], int(wanted[code]), rng)
            if self.voting == "hard":
                keep[rows[medoids]] = True
            else:
                made.append(mean_rows(train.take(rows), cluster, medoids))
        return concat([train.take(np.flatnonzero(keep)), *made]) if made else train.take(np.flatnonzero(keep))


def clusters(points: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """``(m,)`` the cluster of each of the points ``(m, width)``, and ``(k,)`` the point nearest to each center.

    There are `n` clusters, or as many as there are different points.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import pairwise_distances_argmin

    n = min(n, len(np.unique(points, axis=0)))
    start: Any = "k-means++" if n <= MOST_SPREAD_STARTS else "random"
    seed = int(rng.integers(2**31))
    model = KMeans(n, init=start, n_init=1, max_iter=MOST_ITERATIONS, random_state=seed).fit(points)
    return model.labels_, pairwise_distances_argmin(model.cluster_centers_, points)


def mean_rows(rows: Dataset, cluster: np.ndarray, medoids: np.ndarray) -> Dataset:
    """One row for each cluster: the medoid's, with the cluster's mean numbers, most frequent categories and mean
    weight.

    Args:
        rows: The rows of one class.
        cluster: ``(n,)`` the cluster of each row.
        medoids: ``(k,)`` the row nearest to each cluster's center.
    """
    import pandas as pd

    frame: pd.DataFrame = rows.raw()
    mean = rows.take(medoids)
    made = {name: _middle(column, cluster) for name, column in frame.items()}
    weight = None if rows.weight is None else pd.Series(rows.weight).groupby(cluster).mean().to_numpy()
    return replace(
        mean, source=Frame(pd.DataFrame(made).reset_index(drop=True)), index=np.arange(len(mean)), weight=weight
    )


def _middle(column: pd.Series, cluster: np.ndarray) -> pd.Series:
    """The mean of the known numbers or dates in each cluster; for other columns the most frequent value, which may be
    missing."""
    import pandas as pd

    groups = column.groupby(cluster)
    if pd.api.types.is_bool_dtype(column) or not (
        pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
    ):
        return groups.agg(lambda values: values.value_counts(dropna=False).index[0])
    return groups.mean()
