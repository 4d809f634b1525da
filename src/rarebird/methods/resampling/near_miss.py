"""Keep only the rows of each common class that are nearest to the smallest class.

Mani and Zhang, "kNN Approach to Unbalanced Data Distributions: A Case Study Involving Information Extraction" (ICML
workshop on learning from imbalanced datasets 2003). Version 1 keeps the rows with the smallest mean distance to their
`neighbors` nearest rows of the smallest class, version 2 to its `neighbors` farthest ones. Version 3 takes the
`candidates` rows nearest to each row of the smallest class, and keeps those of them with the largest mean distance to
their `neighbors` nearest rows of the smallest class.

Tables only: distances in raw pixels or unaligned curves do not measure similarity.

*Helps when* only the border matters, common rows far from it are alike, and there are too many rows to train on.
*Does not help when* labels are noisy (version 1 keeps the noise), or probabilities matter: the rows that stay are not a
random sample of their class, and the correction to the natural prior corrects only class frequencies. `random_under` is
safer. If the smallest class has only a few rows, every other class shrinks to the same number: raise `ratio`.
*Cost:* distances of the common rows to those of the smallest class, in chunks: 6 s of one CPU core (version 2: 14 s)
for 180,000 rows of 30 columns and 20,000 rare ones.

NOTE[DIFF]: with `ratio` more than one row may stay for each row of the smallest class, and version 3 keeps all
candidates if there are fewer than asked for. If several classes are the smallest, the rows of all of them count.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling import _selection
from rarebird.methods.resampling._neighbors import Points, nearest
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Sampling
from rarebird.slots.ranges import Choice, Float, Int

KINDS = ("table",)
# Distances computed at a time.
CHUNK = 2**20


class NearMiss(Method):
    """Settings.

    Attributes:
        version: 1, 2 or 3.
        neighbors: Rows of the smallest class over which a row's distance is averaged.
        candidates: For version 3, nearest rows of a common class for each row of the smallest class.
        ratio: Largest number of rows that a class keeps, as a multiple of the smallest class's.
    """

    sampling: ClassVar[Sampling] = "under-sampling"
    makes_rows: ClassVar[bool] = False

    version: Annotated[Literal[1, 2, 3], Choice(1, 2, 3)] = 1
    neighbors: Annotated[int, Int(1, 10)] = Field(default=3, ge=1, le=100)
    candidates: Annotated[int, Int(1, 20)] = Field(default=3, ge=1, le=1000)
    ratio: Annotated[float, Float(1, 20, log=True)] = Field(default=1.0, ge=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """Each version; four rows of a class for each row of the smallest."""
        return [cls(), cls(version=2), cls(version=3, candidates=10), cls(ratio=4)]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows that are kept, in their order; there is no randomness."""
        codes = _selection.class_codes(train, "near_miss")
        return self.resampled(train, _selection.quotas(codes, train.weights, self.ratio), rng)

    def resampled(self, train: Dataset, wanted: np.ndarray, rng: np.random.Generator) -> Dataset:
        """`wanted` ``(n_classes,)`` rows of each class, in their order."""
        codes = _selection.class_codes(train, "near_miss")
        common = np.flatnonzero(np.bincount(codes) > wanted)
        if not len(common):
            return train
        points = _selection.points(train)
        rare = _selection.of_smallest(codes, train.weights)
        keep = ~np.isin(codes, common)
        for code in common:
            keep[self.chosen(points, np.flatnonzero(codes == code), rare)[: wanted[code]]] = True
        return _selection.kept(train, keep)

    def chosen(self, points: Points, common: np.ndarray, rare: np.ndarray) -> np.ndarray:
        """The rows `common` ``(m,)`` of a class (in version 3, the candidates), ordered by their distance to the rows
        `rare`, those to keep first."""
        if self.version == 3:
            common = np.unique(nearest(points, rare, common, self.candidates))
        distance = mean_distances(points, common, rare, self.neighbors, farthest=self.version == 2)
        return common[np.argsort(-distance if self.version == 3 else distance, kind="stable")]


def mean_distances(points: Points, of: np.ndarray, to: np.ndarray, neighbors: int, farthest: bool) -> np.ndarray:
    """``(n,)`` mean distance of each of the rows `of` ``(n,)`` to the `neighbors` nearest, or farthest, of the rows
    `to` ``(m,)``."""
    where = _selection.dense(points)
    if neighbors >= len(to):
        near = np.broadcast_to(to, (len(of), len(to)))
    elif farthest:
        near = to[_farthest(where[of], where[to], neighbors)]
    else:
        near = nearest(points, of, to, neighbors)
    mean: np.ndarray = sum(np.linalg.norm(where[of] - where[column], axis=1) for column in near.T) / near.shape[1]
    return mean


def _farthest(of: np.ndarray, to: np.ndarray, neighbors: int) -> np.ndarray:
    """``(n, neighbors)`` positions in `to` of the points farthest from each of `of`, in chunks that fit into
    the processor's cache."""
    norm, found = np.square(to).sum(axis=1), np.empty((len(of), neighbors), dtype=np.int64)
    step = max(1, CHUNK // len(to))
    for start in range(0, len(of), step):
        # Squared distances minus the first point's own norm. A maximum for each neighbor is ten times as fast as a
        # partition.
        distance = norm - 2 * of[start : start + step] @ to.T
        for place in range(neighbors):
            most = distance.argmax(axis=1)
            found[start : start + step, place] = most
            distance[np.arange(len(distance)), most] = -np.inf
    return found
