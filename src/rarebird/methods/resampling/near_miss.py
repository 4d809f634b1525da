"""Keep of each common class the rows nearest to the smallest class.

Mani and Zhang, "kNN Approach to Unbalanced Data Distributions: A Case Study Involving Information Extraction" (ICML
workshop on learning from imbalanced datasets 2003). Version 1 keeps the rows with the smallest mean distance to their
`neighbors` nearest rows of the smallest class, version 2 to its `neighbors` farthest ones. Version 3 takes the
`candidates` rows nearest to each row of the smallest class, and of these keeps the ones with the largest mean distance
to their `neighbors` nearest there.

Tables only: distances in raw pixels or unaligned curves say little of what rows show.

*Helps when* what matters is the border, common rows far from it repeat each other, and there are too many rows to train
on. *Does not help when* labels are noisy (version 1 keeps the noise), or the probabilities matter: the rows kept are no
fair sample of their class, and the correction to the natural prior mends the frequencies alone. `random_under` is
safer. Where the smallest class has a handful of rows, every other one shrinks to as many: raise `ratio`.
*Cost:* distances of the common rows to those of the smallest class, in chunks: 6 s of one CPU core (version 2: 14 s)
for 180,000 rows of 30 columns and 20,000 rare ones.

NOTE[DIFF]: `ratio` leaves more than one row of a class for each of the smallest, and version 3 keeps what candidates
there are where they are fewer than asked for. Where several classes are the smallest, all their rows count as theirs.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling import _selection
from rarebird.methods.resampling._neighbors import Points, nearest
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int

KINDS = ("table",)
# Distances computed at a time.
CHUNK = 2**20


class NearMiss(Method):
    """Settings.

    Attributes:
        version: 1, 2 or 3.
        neighbors: Rows of the smallest class that a row is measured by.
        candidates: For version 3, rows of a common class that each row of the smallest class proposes.
        ratio: Rows that each class keeps, at most, for one row of the smallest.
    """

    version: Annotated[Literal[1, 2, 3], Choice(1, 2, 3)] = 1
    neighbors: Annotated[int, Int(1, 10)] = Field(default=3, ge=1, le=100)
    candidates: Annotated[int, Int(1, 20)] = Field(default=3, ge=1, le=1000)
    ratio: Annotated[float, Float(1, 20, log=True)] = Field(default=1.0, ge=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """Each version; four rows of a class for each of the smallest."""
        return [cls(), cls(version=2), cls(version=3, candidates=10), cls(ratio=4)]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows that are kept, in their order; nothing is drawn."""
        codes = _selection.class_codes(train, "near_miss")
        counts, quota = np.bincount(codes), _selection.quotas(codes, self.ratio)
        common = np.flatnonzero(counts > quota)
        if not len(common):
            return train
        points = _selection.points(train)
        rare = np.flatnonzero(counts[codes] == _selection.smallest(codes))
        keep = ~np.isin(codes, common)
        for code in common:
            keep[self.chosen(points, np.flatnonzero(codes == code), rare)[: quota[code]]] = True
        return _selection.kept(train, keep)

    def chosen(self, points: Points, common: np.ndarray, rare: np.ndarray) -> np.ndarray:
        """The rows `common` ``(m,)`` of a class (in version 3, the candidates), the best first, judged by the rows
        `rare`."""
        if self.version == 3:
            common = np.unique(nearest(points, rare, common, self.candidates))
        distance = mean_distances(points, common, rare, self.neighbors, farthest=self.version == 2)
        return common[np.argsort(-distance if self.version == 3 else distance, kind="stable")]


def mean_distances(points: Points, of: np.ndarray, to: np.ndarray, neighbors: int, farthest: bool) -> np.ndarray:
    """``(n,)`` mean distance of each of the rows `of` ``(n,)`` to the `neighbors` nearest, or farthest, of the rows
    `to` ``(m,)``."""
    where = _selection.dense(points)
    if neighbors >= len(to):
        beside = np.broadcast_to(to, (len(of), len(to)))
    elif farthest:
        beside = to[_farthest(where[of], where[to], neighbors)]
    else:
        beside = nearest(points, of, to, neighbors)
    mean: np.ndarray = sum(np.linalg.norm(where[of] - where[column], axis=1) for column in beside.T) / beside.shape[1]
    return mean


def _farthest(of: np.ndarray, to: np.ndarray, neighbors: int) -> np.ndarray:
    """``(n, neighbors)`` positions in `to` of the points farthest from each of `of`, in chunks that stay in the
    processor's cache."""
    norm, found = np.square(to).sum(axis=1), np.empty((len(of), neighbors), dtype=np.int64)
    step = max(1, CHUNK // len(to))
    for start in range(0, len(of), step):
        # Squared distances but for the first point's own norm. A maximum for each neighbor is ten times as fast as a
        # partition.
        distance = norm - 2 * of[start : start + step] @ to.T
        for place in range(neighbors):
            most = distance.argmax(axis=1)
            found[start : start + step, place] = most
            distance[np.arange(len(distance)), most] = -np.inf
    return found
